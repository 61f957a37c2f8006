namespace FastNest.Memory;

/// <summary>A few read sections shared by callers without one of their own, each held for a single access.</summary>
internal sealed class GuestSections
{
    private const int Count = 16;

    private readonly ReadSections _owner;
    private readonly ReadSection[] _sections = new ReadSection[Count];

    public GuestSections(ReadSections owner)
    {
        _owner = owner;
        for (int i = 0; i < Count; i++)
        {
            _sections[i] = owner.Register();
        }
    }

    public ReadSection Enter()
    {
        var spin = default(SpinWait);
        for (int i = Environment.CurrentManagedThreadId; ; i++)
        {
            ReadSection section = _sections[i & (Count - 1)];
            if (_owner.TryEnter(section))
            {
                return section;
            }

            spin.SpinOnce(sleep1Threshold: -1);
        }
    }
}
