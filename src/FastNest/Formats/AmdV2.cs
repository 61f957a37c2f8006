using System.Runtime.CompilerServices;
using FastNest.Lanes;
using FastNest.Requests;

namespace FastNest.Formats;

/// <summary>AMD v2 tables: x86-64 long mode with four or five levels, pages of 4 KiB, 2 MiB and 1 GiB.</summary>
internal readonly struct AmdV2 : IGuestFormat
{
    private const int LargestLeafLevel = 3;

    private static readonly ulong Present = AmdV2Layout.P.Mask;
    private static readonly ulong PageSize = AmdV2Layout.PS.Mask;
    private static readonly ulong AddressMask = AmdV2Layout.Address.Mask;
    private static readonly ulong Reserved2M = AmdV2Layout.Leaf2M.Reserved(0);
    private static readonly ulong Reserved1G = AmdV2Layout.Leaf1G.Reserved(0);
    private static readonly int WriteShift = AmdV2Layout.RW.Low;
    private static readonly int UserShift = AmdV2Layout.US.Low;
    private static readonly int NoExecuteShift = AmdV2Layout.NX.Low;

    public static ulong Accessed { get; } = AmdV2Layout.A.Mask;

    public static ulong Dirty { get; } = AmdV2Layout.D.Mask;

    public static ulong Address { get; } = AmdV2Layout.Address.Mask;

    public static ulong Grants { get; } = AmdV2Layout.RW.Mask | AmdV2Layout.US.Mask;

    public static ulong Denials { get; } = AmdV2Layout.NX.Mask;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int IndexShift(int level) => 3 + 9 * level;

    /// <summary>Whether an address without sign extension fits; see <see cref="IsCanonical"/> for one with.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool Covers(ulong address, int levels) => address >> IndexShift(levels + 1) == 0;

    /// <summary>Whether the bits above the table's reach all repeat its topmost bit, as processors demand.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool IsCanonical(ulong address, int levels)
    {
        int unused = 64 - IndexShift(levels + 1);
        return (ulong)((long)(address << unused) >> unused) == address;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static DecodedEntry Decode(ulong entry, int level)
    {
        if ((entry & Present) == 0)
        {
            return DecodedEntry.Fault(FaultReason.NotPresent);
        }

        if (level == 1)
        {
            return DecodedEntry.Leaf(entry & AddressMask, IndexShift(1), Rights(entry));
        }

        return (entry & PageSize) == 0
            ? DecodedEntry.Table(entry & AddressMask, level - 1, Rights(entry))
            : DecodeLarge(entry, level);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Usual(int level, out ulong mask, out ulong value)
    {
        mask = Present | (level == 1 ? 0 : PageSize);
        value = Present;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TLanes Rights<TLanes>(TLanes entries)
        where TLanes : struct, ILanes<TLanes>
    {
        // P and RW stand where Read and Write do.
        TLanes rights = entries & TLanes.All((ulong)Access.ReadWrite);
        rights = TLanes.OrAnd(rights, entries << 1, TLanes.All((ulong)StageRights.User));
        return TLanes.OrAndNot(rights, TLanes.All((ulong)Access.Execute), entries >>> (NoExecuteShift - 2));
    }

    private static DecodedEntry DecodeLarge(ulong entry, int level)
    {
        // Reading 10: above 1 GiB the bit is reserved.
        ulong reserved = level == 2 ? Reserved2M : Reserved1G;
        if (level > LargestLeafLevel || (entry & reserved) != 0)
        {
            return DecodedEntry.Fault(FaultReason.ReservedBit);
        }

        int shift = IndexShift(level);
        return DecodedEntry.Leaf(entry & AddressMask & ~((1UL << shift) - 1), shift, Rights(entry));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Access Rights(ulong entry)
    {
        uint write = (uint)(entry >> WriteShift) & 1;
        uint user = (uint)(entry >> UserShift) & 1;
        uint execute = (uint)(entry >> NoExecuteShift) ^ 1;
        return (Access)((uint)Access.Read | write << 1 | execute << 2 | user << 3);
    }
}
