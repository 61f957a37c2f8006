using FastNest.Amd.DeviceTable;
using FastNest.Formats;
using FastNest.Memory;

namespace FastNest.Cli.Vms;

/// <summary>A device's page tables in its VM's memory: a GCR3 table with one context, and four levels for a window of addresses.</summary>
internal sealed class GuestTables
{
    private const int Levels = 4;
    private const int IndexBits = 9;
    private const int PageShift = 12;

    private static readonly ulong Rights = AmdV2Layout.P.Mask | AmdV2Layout.RW.Mask | AmdV2Layout.US.Mask;

    private readonly GuestMemory _memory;
    private readonly ulong _gcr3;
    private readonly ulong _leaves;

    /// <param name="memory">The VM's memory.</param>
    /// <param name="start">Where the tables are to be: <see cref="Length"/> bytes.</param>
    /// <param name="window">The first device address, in whose 2 MiB all others are.</param>
    public GuestTables(GuestMemory memory, ulong start, ulong window)
    {
        _memory = memory;
        _gcr3 = start;
        ulong table = start + GuestPhysicalSpace.PageSize;
        memory.Store(_gcr3, Gcr3Layout.V.Mask | table);
        for (int level = Levels; level > 1; level--)
        {
            ulong next = table + GuestPhysicalSpace.PageSize;
            memory.Store(table + Index(window, level), next | Rights);
            table = next;
        }

        _leaves = table;
    }

    /// <summary>Bytes of the tables.</summary>
    public const ulong Length = (1 + Levels) * GuestPhysicalSpace.PageSize;

    /// <summary>The entry of the VM's device table that leads here, also for requests without a PASID.</summary>
    /// <param name="domain">The VM's domain id.</param>
    public DteValue Entry(ushort domain) => new(
        Dte.V.Mask | Dte.TV.Mask | Dte.GV.Mask | Dte.GIoV.Mask | Dte.Gcr3Root14To12.Of(_gcr3 >> 12),
        Dte.DomainID.Of(domain) | Dte.Gcr3Root30To15.Of(_gcr3 >> 15) | Dte.Gcr3Root51To31.Of(_gcr3 >> 31),
        0,
        0);

    /// <summary>Lets an address lead to a page.</summary>
    public void Map(ulong iova, ulong page) => _memory.Store(_leaves + Index(iova, 1), page | Rights);

    /// <summary>Lets it lead nowhere.</summary>
    public void Unmap(ulong iova) => _memory.Store(_leaves + Index(iova, 1), 0);

    private static ulong Index(ulong address, int level) =>
        (address >> (PageShift + IndexBits * (level - 1)) & ((1UL << IndexBits) - 1)) * sizeof(ulong);
}
