using FastNest.Memory;
using FastNest.Requests;
using FastNest.Rings;

namespace FastNest.Amd.Viommu;

/// <summary>
/// Commands of a guest on their way: several that follow each other before the tail are fetched at once, as they all are the
/// hardware's already, and forgotten when its turn is over (reading 112). Serialised by the owner of the host's registers.
/// </summary>
internal sealed class GuestFetch(ViommuMemory memory)
{
    private const int Entries = 16;

    private readonly ulong[] _words = new ulong[2 * Entries];
    private ulong _first;
    private int _count;

    /// <summary>Forgets what was fetched.</summary>
    public void Drop() => _count = 0;

    /// <summary>A command.</summary>
    /// <param name="through">The device whose host table translates the ring's addresses.</param>
    /// <param name="address">Where the command stands.</param>
    /// <param name="ahead">Bytes of commands from there on, in one piece.</param>
    /// <param name="word0">Its first half.</param>
    /// <param name="word1">Its second half.</param>
    public bool TryLoad(DeviceId through, ulong address, ulong ahead, out ulong word0, out ulong word1)
    {
        ulong at = (address - _first) / RingGeometry.EntrySize;
        if (address < _first || at >= (ulong)_count)
        {
            ulong inPage = GuestPhysicalSpace.PageSize - address % GuestPhysicalSpace.PageSize;
            int count = (int)Math.Min(Math.Min(ahead, inPage) / RingGeometry.EntrySize, Entries);
            _count = 0;
            if (!memory.TryLoad(through, address, _words.AsSpan(0, 2 * count)))
            {
                word0 = word1 = 0;
                return false;
            }

            (_first, _count, at) = (address, count, 0);
        }

        (word0, word1) = (_words[2 * at], _words[2 * at + 1]);
        return true;
    }
}
