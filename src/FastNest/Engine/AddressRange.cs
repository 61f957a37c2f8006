using FastNest.Lanes;
using FastNest.Walks;

namespace FastNest.Engine;

/// <summary>The addresses from first to last, both included; empty when last is below first.</summary>
internal readonly record struct AddressRange(ulong First, ulong Last)
{
    public static AddressRange Empty { get; } = new(1, 0);

    public bool IsEmpty => Last < First;

    /// <summary>Bytes, which 64 bits can hold.</summary>
    public ulong Length => IsEmpty ? 0 : Last - First + 1;

    public bool Contains(ulong address) => address >= First && address <= Last;

    /// <summary>How many bytes lie between an address and a range that begins above it; as many as can be when none does.</summary>
    public ulong DistanceFrom(ulong address) => address < First && !IsEmpty ? First - address : ulong.MaxValue;

    /// <summary>One bit for each group of lanes of which some address lies in the range.</summary>
    public ulong Groups<TLanes>(ref ulong addresses, int count)
        where TLanes : struct, ILanes<TLanes>
    {
        ulong groups = 0;
        TLanes first = TLanes.All(First);
        TLanes length = TLanes.All(Length);
        for (int i = 0; i < count && !IsEmpty; i += TLanes.Count)
        {
            uint inside = TLanes.Less(TLanes.Load(in addresses, i) - first, length);
            groups |= inside != 0 ? LaneCount.Group<TLanes>(i) : 0;
        }

        return groups;
    }
}
