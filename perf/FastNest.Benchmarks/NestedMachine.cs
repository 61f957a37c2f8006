using FastNest.Amd;
using FastNest.Memory;
using FastNest.Requests;

namespace FastNest.Benchmarks;

/// <summary>
/// A machine with one nested device: a four-level guest table of 4 KiB pages over a four-level host table of 4 KiB pages, all
/// tables scattered over memory by a fixed shuffle.
/// </summary>
internal sealed class NestedMachine : IDisposable
{
    private const ulong DeviceTable = 0x1000;
    private const ulong FirstTable = 0x10_0000;
    private const ulong GuestPages = 1UL << 34;
    private const ulong HostDirectoryBits = 3UL << 61 | 1;
    private const ulong GuestEntryBits = 0x67;

    private readonly Stack<ulong> _freeTables = new();

    public NestedMachine(int pages)
    {
        int tables = 2 * pages / 512 + 64;
        ulong length = (FirstTable + 4 * (ulong)tables * 4096 + (2UL << 20)) & ~((2UL << 20) - 1);
        Memory.AddOwned(0, length);
        Shuffle(length);
        HostRoot = Take();
        GuestRoot = Take();
        ulong gcr3 = Take();
        MapHost(gcr3, gcr3);
        MapHost(GuestRoot, GuestRoot);
        Memory.Store64(gcr3 + 8, GuestRoot | 1);
        for (ulong page = 0; page < (ulong)pages; page++)
        {
            MapGuest(page << 12, GuestPages + (page << 12));
            MapHost(GuestPages + (page << 12), (1UL << 40) + (page << 12));
        }

        ulong entry = DeviceTable + Device.Device.Value * 32;
        Memory.Store64(entry + 8, 1 | (gcr3 >> 15 & 0xFFFF) << 16 | gcr3 >> 31 << 43);
        Memory.Store64(entry, HostRoot | 3UL << 61 | (gcr3 >> 12 & 7) << 58 | 1UL << 55 | 4UL << 9 | 3);
        Iommu = new(Memory);
        Iommu.Write(0x0000, 8, DeviceTable);
        Iommu.Write(0x0018, 8, 1 | 1UL << 16 | 1UL << 58);
    }

    public static Requester Device { get; } = new(DeviceId.FromBdf(0, 2, 0), Pasid: 1);

    public GuestPhysicalSpace Memory { get; } = new();

    public AmdIommu Iommu { get; }

    private ulong HostRoot { get; }

    private ulong GuestRoot { get; }

    public void Dispose() => Memory.Dispose();

    private void Shuffle(ulong length)
    {
        ulong[] tables = [.. Enumerable.Range(0, (int)((length - FirstTable) / 4096)).Select(i => FirstTable + (ulong)i * 4096)];
        new Random(1).Shuffle(tables);
        foreach (ulong table in tables)
        {
            _freeTables.Push(table);
        }
    }

    private ulong Take() => _freeTables.Pop();

    private void MapHost(ulong address, ulong page)
    {
        ulong table = HostRoot;
        for (int level = 4; level > 1; level--)
        {
            table = Descend(table, address, level, (ulong)(level - 1) << 9 | HostDirectoryBits, inGuest: false);
        }

        Memory.Store64(table + Index(address, 1), page | HostDirectoryBits);
    }

    private void MapGuest(ulong address, ulong page)
    {
        ulong table = GuestRoot;
        for (int level = 4; level > 1; level--)
        {
            table = Descend(table, address, level, GuestEntryBits, inGuest: true);
        }

        Memory.Store64(table + Index(address, 1), page | GuestEntryBits);
    }

    private ulong Descend(ulong table, ulong address, int level, ulong bits, bool inGuest)
    {
        ulong at = table + Index(address, level);
        Memory.Load64(at, out ulong entry);
        if (entry == 0)
        {
            ulong next = Take();
            entry = next | bits;
            Memory.Store64(at, entry);
            if (inGuest)
            {
                MapHost(next, next);
            }
        }

        return entry & 0xF_FFFF_FFFF_F000;
    }

    private static ulong Index(ulong address, int level) => (address >> (3 + 9 * level) & 511) * 8;
}
