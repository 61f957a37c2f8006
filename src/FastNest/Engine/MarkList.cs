using FastNest.Memory;

namespace FastNest.Engine;

/// <summary>The entries of one walk whose Accessed or Dirty bit is still to be set.</summary>
internal sealed class MarkList
{
    private const int Capacity = 8;

    private readonly ulong[] _addresses = new ulong[Capacity];
    private readonly ulong[] _guestAddresses = new ulong[Capacity];
    private readonly ulong[] _entries = new ulong[Capacity];
    private readonly ulong[] _bits = new ulong[Capacity];

    public int Count { get; private set; }

    public void Clear() => Count = 0;

    /// <param name="address">Where the entry is in memory.</param>
    /// <param name="guestAddress">The same before the second stage.</param>
    /// <param name="entry">What was read there.</param>
    /// <param name="bits">What is to be set; nothing is noted when it is.</param>
    public void Add(ulong address, ulong guestAddress, ulong entry, ulong bits)
    {
        if ((entry & bits) == bits)
        {
            return;
        }

        // The leaf is noted twice when both its bits are to be set: then by one exchange.
        bool again = Count > 0 && _addresses[Count - 1] == address;
        int place = again ? Count - 1 : Count++;
        _addresses[place] = address;
        _guestAddresses[place] = guestAddress;
        _entries[place] = entry;
        _bits[place] = bits | (again ? _bits[place] : 0);
    }

    public ulong GuestAddress(int index) => _guestAddresses[index];

    /// <summary>Sets the bits, each by one atomic exchange that expects the entry as it was read.</summary>
    /// <returns>False when an entry has changed or gone since: the walk must be done again.</returns>
    public bool TryApply(GuestPhysicalSpace memory)
    {
        for (int i = 0; i < Count; i++)
        {
            if (!memory.TryCompareExchange64(_addresses[i], _entries[i], _entries[i] | _bits[i], out ulong seen)
                || (seen != _entries[i] && seen != (_entries[i] | _bits[i])))
            {
                return false;
            }
        }

        return true;
    }
}
