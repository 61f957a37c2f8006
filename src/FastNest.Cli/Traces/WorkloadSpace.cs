using FastNest.Requests;
using FastNest.Traces;

namespace FastNest.Cli.Traces;

/// <summary>
/// What one device, with one PASID or none, may reach: a window of small and large pages through four levels of the guest's or of
/// the host's tables.
/// </summary>
/// <param name="memory">The machine's memory.</param>
/// <param name="takeTable">Gives an empty page for a table.</param>
/// <param name="requester">Who asks.</param>
/// <param name="domain">Its domain.</param>
/// <param name="root">The table of the highest level.</param>
internal sealed class WorkloadSpace(RecordedSpace memory, Func<ulong> takeTable, Requester requester, ushort domain, ulong root)
{
    /// <summary>Small pages, then large ones.</summary>
    public const int Slots = SmallSlots + 4;

    public const int Levels = 4;

    /// <summary>Presence and all rights in the host's format.</summary>
    public const ulong HostBits = 3UL << 61 | 1;

    private const int SmallSlots = 256;
    private const ulong Base = 0x10_0000_0000;
    private const ulong LargeBase = 0x20_0000_0000;

    /// <summary>Present, writable, for users, and marked as used already.</summary>
    private const ulong GuestTableBits = 0x67;

    /// <summary>As that, but not marked: the IOMMU does it.</summary>
    private const ulong GuestPageBits = 0x7;
    private const ulong GuestLargeBit = 0x80;
    private const ulong AddressMask = 0xF_FFFF_FFFF_F000;

    public Requester Requester => requester;

    private bool IsGuest => requester.Pasid is not null;

    public static int Shift(int slot) => slot < SmallSlots ? 12 : 21;

    /// <summary>The first address of a slot.</summary>
    public static ulong Iova(int slot) => slot < SmallSlots ? Base + ((ulong)slot << 12) : LargeBase + ((ulong)(slot - SmallSlots) << 21);

    /// <summary>Lets a slot lead to a page.</summary>
    public void Map(int slot, ulong page)
    {
        bool isLarge = slot >= SmallSlots;
        Store(slot, page | (IsGuest ? GuestPageBits | (isLarge ? GuestLargeBit : 0) : HostBits));
    }

    /// <summary>Lets it lead nowhere.</summary>
    public void Unmap(int slot) => Store(slot, 0);

    /// <summary>INVALIDATE_IOMMU_PAGES of a slot, tables included.</summary>
    public (ulong Low, ulong High) Invalidation(int slot)
    {
        ulong iova = Iova(slot);
        ulong sized = Shift(slot) == 21 ? iova | 0xFF000 | 1 : iova; // Size bits: ones below the bit of half the size.
        return (3UL << 60 | (ulong)domain << 32 | (requester.Pasid ?? 0), sized | 2 | (IsGuest ? 4UL : 0));
    }

    private void Store(int slot, ulong entry)
    {
        ulong iova = Iova(slot);
        ulong table = root;
        int leaf = slot < SmallSlots ? 1 : 2;
        for (int level = Levels; level > leaf; level--)
        {
            ulong at = table + Index(iova, level);
            memory.Inner.Load64(at, out ulong next);
            if (next == 0)
            {
                next = takeTable() | (IsGuest ? GuestTableBits : (ulong)(level - 1) << 9 | HostBits);
                memory.Store64(at, next);
            }

            table = next & AddressMask;
        }

        memory.Store64(table + Index(iova, leaf), entry);
    }

    private static ulong Index(ulong address, int level) => (address >> (3 + 9 * level) & 511) * 8;
}
