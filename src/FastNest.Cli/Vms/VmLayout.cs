using FastNest.Cli.Replays;
using FastNest.Memory;

namespace FastNest.Cli.Vms;

/// <summary>Where a VM has what, in its own physical addresses.</summary>
/// <param name="Base">The first of its memory, a multiple of 1 GiB.</param>
internal sealed record VmLayout(ulong Base)
{
    /// <summary>Bytes of what stays where it is: rings and semaphore.</summary>
    public const ulong FixedLength = 0x1_0000;

    /// <summary>How many areas of data there are.</summary>
    public const int DataAreas = 4;

    /// <summary>How many areas the host may move: the tables and the data.</summary>
    public const int MovableAreas = 1 + DataAreas;

    /// <summary>Pages of data in an area.</summary>
    public const int PagesPerArea = (int)(HostPlaces.Length / GuestPhysicalSpace.PageSize);

    /// <summary>Pages of data.</summary>
    public const int DataPages = DataAreas * PagesPerArea;

    private const ulong Granule = 1UL << 30;
    private const ulong TablesOffset = 0x10_0000;
    private const ulong DataOffset = 0x20_0000;
    private const ulong End = DataOffset + DataAreas * HostPlaces.Length;

    /// <summary>The rings of a driver that may choose, 512 entries each as Linux has them.</summary>
    public GuestRings Rings => new(new(Base, 0x2000), new(Base + 0x2000, 0x2000), new(Base + 0x4000, 0x2000));

    /// <summary>Eight bytes that completions are stored to.</summary>
    public ulong Semaphore => Base + 0x6000;

    /// <summary>The first of the tables' area.</summary>
    public ulong Tables => Base + TablesOffset;

    /// <summary>The first byte of an area of data.</summary>
    public ulong DataArea(int area) => Base + DataOffset + (ulong)area * HostPlaces.Length;

    /// <summary>The address of a page of data.</summary>
    public ulong Page(int page) => Base + DataOffset + (ulong)page * GuestPhysicalSpace.PageSize;

    /// <summary>A layout that leaves other memory of the VM alone.</summary>
    /// <param name="taken">Runs of pages in use.</param>
    public static VmLayout Beside(IReadOnlyList<DriverRun> taken)
    {
        ulong start = 0;
        while (taken.Any(run => run.Start < start + End && start < run.Start + run.Length))
        {
            start += Granule;
        }

        return new(start);
    }
}
