using FastNest.Memory;

namespace FastNest.Cli.Vms;

/// <summary>
/// The host's memory for what it may move: places of equal length, each a VM's or nobody's. A place that was given back is the
/// next to be taken, by whichever VM: what still led there would be seen at once.
/// </summary>
internal sealed class HostPlaces
{
    /// <summary>Bytes of a place.</summary>
    public const ulong Length = 1UL << 18;

    private readonly GuestPhysicalSpace _memory;
    private readonly ulong _start;
    private readonly Stack<ulong> _free = new();
    private readonly int[] _owners;
    private readonly byte[] _content = new byte[Length];

    /// <param name="memory">The machine's memory.</param>
    /// <param name="start">The first place, a multiple of <see cref="Length"/>.</param>
    /// <param name="count">How many there are.</param>
    public HostPlaces(GuestPhysicalSpace memory, ulong start, int count)
    {
        _memory = memory;
        _start = start;
        _owners = new int[count];
        Array.Fill(_owners, -1);
        Stamp.Fill(_content, Stamp.Freed);
        for (int i = count; i-- > 0;)
        {
            ulong place = start + (ulong)i * Length;
            _memory.Write(place, _content, out _);
            _free.Push(place);
        }
    }

    /// <summary>Takes a place for a VM.</summary>
    /// <param name="vm">Whose it is from now on.</param>
    /// <param name="isUntouched">Whether nobody wrote there since it was given back.</param>
    public ulong Take(int vm, out bool isUntouched)
    {
        ulong place = _free.Pop();
        _memory.Read(place, _content, out _);
        isUntouched = Stamp.IsFilled(_content, Stamp.Freed);
        Volatile.Write(ref _owners[Index(place)], vm);
        return place;
    }

    /// <summary>Gives a place back, to which nothing must lead any more; what it held is overwritten.</summary>
    public void Give(ulong place)
    {
        Volatile.Write(ref _owners[Index(place)], -1);
        Stamp.Fill(_content, Stamp.Freed);
        _memory.Write(place, _content, out _);
        _free.Push(place);
    }

    /// <summary>Copies what a place holds to another.</summary>
    public void Copy(ulong from, ulong to)
    {
        _memory.Read(from, _content, out _);
        _memory.Write(to, _content, out _);
    }

    /// <summary>Whether an address is another VM's; any thread.</summary>
    public bool IsForeign(ulong address, int vm)
    {
        ulong index = (address - _start) / Length;
        return index < (ulong)_owners.Length && Volatile.Read(ref _owners[index]) is >= 0 and var owner && owner != vm;
    }

    private int Index(ulong place) => (int)((place - _start) / Length);
}
