using System.Numerics;
using System.Runtime.CompilerServices;
using FastNest.Lanes;
using FastNest.Requests;

namespace FastNest.Formats;

/// <summary>AMD v1 tables: up to six levels of 512 entries, pages of any power of two (48882 section 2.2.3).</summary>
internal readonly struct AmdV1 : IPageTableFormat
{
    public const int MaximumLevels = 6;

    private const int SizeInAddress = 7;
    private const int PhysicalBits = 52;

    private static readonly ulong Present = AmdV1Layout.PR.Mask;
    private static readonly ulong AddressMask = AmdV1Layout.Address.Mask;
    private static readonly ulong DirectoryReserved = AmdV1Layout.Directory.Reserved(0);
    private static readonly ulong LeafReserved = AmdV1Layout.Leaf.Reserved(0);
    private static readonly int NextLevelShift = AmdV1Layout.NextLevel.Low;
    private static readonly int PermissionShift = AmdV1Layout.IR.Low;

    public static ulong Accessed { get; } = AmdV1Layout.A.Mask;

    public static ulong Dirty { get; } = AmdV1Layout.D.Mask;

    public static ulong Address { get; } = AmdV1Layout.Address.Mask;

    public static ulong Grants { get; } = AmdV1Layout.IR.Mask | AmdV1Layout.IW.Mask;

    public static ulong Denials => 0;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int IndexShift(int level) => 3 + 9 * level;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool Covers(ulong address, int levels) =>
        levels >= MaximumLevels || address >> IndexShift(levels + 1) == 0;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static DecodedEntry Decode(ulong entry, int level)
    {
        if ((entry & Present) == 0)
        {
            return DecodedEntry.Fault(FaultReason.NotPresent);
        }

        // Reading 20: present, then reserved bits, then the level, then the size.
        int next = (int)(entry >> NextLevelShift) & 7;
        if (next is 0 or SizeInAddress)
        {
            return DecodeLeaf(entry, level, next);
        }

        if ((entry & DirectoryReserved) != 0)
        {
            return DecodedEntry.Fault(FaultReason.ReservedBit);
        }

        return next < level
            ? DecodedEntry.Table(entry & AddressMask, next, Permissions(entry))
            : DecodedEntry.Fault(FaultReason.InvalidLevel);
    }

    /// <summary>IR and IW; v1 knows neither users nor an execute right: what may be read may be fetched (reading 29).</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Access Permissions(ulong word)
    {
        uint rights = (uint)(word >> PermissionShift) & 3;
        return (Access)(rights | (rights & 1) << 2) | StageRights.User;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Usual(int level, out ulong mask, out ulong value)
    {
        mask = Present | AmdV1Layout.NextLevel.Mask | (level == 1 ? LeafReserved : DirectoryReserved);
        value = Present | (ulong)(level - 1) << NextLevelShift;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TLanes Rights<TLanes>(TLanes entries)
        where TLanes : struct, ILanes<TLanes>
    {
        TLanes rights = TLanes.OrAnd(
            TLanes.All((ulong)StageRights.User), entries >>> PermissionShift, TLanes.All((ulong)Access.ReadWrite));
        return TLanes.OrAnd(rights, entries >>> (PermissionShift - 2), TLanes.All((ulong)Access.Execute));
    }

    private static DecodedEntry DecodeLeaf(ulong entry, int level, int next)
    {
        if ((entry & LeafReserved) != 0)
        {
            return DecodedEntry.Fault(FaultReason.ReservedBit);
        }

        if (level >= MaximumLevels)
        {
            // Reading 6: the top level cannot hold translations.
            return DecodedEntry.Fault(FaultReason.InvalidLevel);
        }

        int shift = IndexShift(level);
        if (next == SizeInAddress)
        {
            // n ones from bit 12 up, then a zero: 2^(13+n) bytes. Reading 5 bounds the size.
            int size = 1 + BitOperations.TrailingZeroCount(~(entry | 0xFFF));
            if (size <= shift || size >= IndexShift(level + 1) || size > PhysicalBits)
            {
                return DecodedEntry.Fault(FaultReason.InvalidPageSize);
            }

            shift = size;
        }

        return DecodedEntry.Leaf(entry & AddressMask & ~((1UL << shift) - 1), shift, Permissions(entry));
    }
}
