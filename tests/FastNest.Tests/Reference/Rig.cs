using FastNest.Reference;
using FastNest.Requests;

namespace FastNest.Tests.Reference;

/// <summary>An IOMMU with memory, a device table for every device, both rings, and translation on.</summary>
internal sealed class Rig
{
    public const ulong DeviceTable = 0x0100_0000;
    public const ulong Commands = 0x0200_0000;
    public const ulong Events = 0x0210_0000;
    public const ulong HostRoot = 0x1000_0000;
    public const ulong GuestRoot = 0x3000_0000;
    public const ulong Gcr3 = 0x2000_0000;

    public const ulong Present = 1, IR = 1UL << 61, IW = 1UL << 62, IRIW = IR | IW;
    public const ulong V = 1, TV = 2, GIoV = 1UL << 54, GV = 1UL << 55;

    // PreF, PPR, NX, GT, IA, GA, HE, HATS=6 levels, GATS=5, GLX=3, US, 8 segments, GIo, HA, HD, GDUpdateDis, GAUpdateDis.
    public const ulong Everything = 1UL | 1 << 1 | 1 << 3 | 1 << 4 | 1 << 6 | 1 << 7 | 1 << 8 | 2UL << 10 | 1UL << 12 | 2UL << 14
        | 1UL << 37 | 3UL << 38 | 1UL << 48 | 1UL << 49 | 1UL << 52 | 1UL << 53 | 1UL << 61;

    // IommuEn, EventLogEn, CmdBufEn, GTEn, GDUpdateDis, GAUpdateDis.
    public const ulong On = 1UL | 1 << 2 | 1 << 12 | 1 << 16 | 1UL << 48 | 1UL << 54;

    public static readonly DeviceId Device = new(0x0310);

    public Rig(ulong efr = Everything, ulong efr2 = 1 << 3, ulong control = On, ulong lengthCode = 8)
    {
        Iommu = new(Memory, efr, efr2);
        Memory.Add(Commands, 16UL << (int)lengthCode);
        Memory.Add(Events, 16UL << (int)lengthCode);
        Iommu.Write(0x00, 8, DeviceTable | 0x1FF);
        Iommu.Write(0x08, 8, Commands | lengthCode << 56);
        Iommu.Write(0x10, 8, Events | lengthCode << 56);
        Iommu.Write(0x18, 8, control);
    }

    public ReferenceMemory Memory { get; } = new();

    public ReferenceIommu Iommu { get; }

    public ulong Status => Iommu.Read(0x2020, 8);

    public ulong Head => Iommu.Read(0x2000, 8);

    public Rig Dte(ulong q0, ulong q1 = 0, ulong q2 = 0, ulong q3 = 0, DeviceId? device = null)
    {
        ulong at = DeviceTable + (device ?? Device).Value * 32;
        Memory.Put(at, q0);
        Memory.Put(at + 8, q1);
        Memory.Put(at + 16, q2);
        Memory.Put(at + 24, q3);
        return this;
    }

    /// <summary>A DTE that translates by the v1 table at <see cref="HostRoot"/>.</summary>
    public Rig HostDte(int mode, ulong permissions = IRIW, ulong more = 0, ulong q1 = 0x77) =>
        Dte(V | TV | (ulong)mode << 9 | HostRoot | permissions | more, q1);

    /// <summary>A DTE that translates by the guest tables too; the PASID table is at <see cref="Gcr3"/>.</summary>
    public Rig GuestDte(int mode = 0, int glx = 0, int pagingMode = 0, ulong permissions = IRIW, ulong more = 0) => Dte(
        V | TV | GV | (ulong)mode << 9 | (mode == 0 ? 0 : HostRoot) | (ulong)glx << 56 | (Gcr3 >> 12 & 7) << 58 | permissions | more,
        0x77 | (Gcr3 >> 15 & 0xFFFF) << 16 | (Gcr3 >> 31 & 0x1F_FFFF) << 43,
        (ulong)pagingMode << 54);

    /// <summary>Stores entry <paramref name="index"/> of a table; the table's page then exists.</summary>
    public Rig Put(ulong table, ulong index, ulong entry)
    {
        Memory.Put(table + index * 8, entry);
        return this;
    }

    /// <summary>A v1 entry with all permissions.</summary>
    public static ulong Entry(ulong address, int nextLevel) => Present | IRIW | (ulong)nextLevel << 9 | address;

    public ReferenceAnswer Ask(ulong iova, Access access = Access.Read) => Iommu.Translate(new(Device, iova, access));

    public ReferenceAnswer Ask(uint pasid, ulong iova, Access access = Access.Read, bool privileged = false) =>
        Iommu.Translate(new(Device, pasid, iova, access, privileged));

    public ReferenceAnswer Send(ulong iova, Access access = Access.Read, DeviceId? device = null) =>
        Iommu.Request(new(device ?? Device, iova, access));

    /// <summary>Puts a command at the ring's tail and moves the tail.</summary>
    public void Command(ulong low, ulong high = 0)
    {
        ulong tail = Iommu.Read(0x2008, 8);
        ulong bytes = 16UL << (int)(Iommu.Read(0x08, 8) >> 56);
        Memory.TryWrite64(Commands + tail, low);
        Memory.TryWrite64(Commands + tail + 8, high);
        Iommu.Write(0x2008, 4, (tail + 16) % bytes);
    }

    /// <summary>The entries between the event log's head and tail.</summary>
    public IReadOnlyList<ReferenceEvent> Logged()
    {
        List<ReferenceEvent> events = [];
        ulong bytes = 16UL << (int)(Iommu.Read(0x10, 8) >> 56);
        for (ulong at = Iommu.Read(0x2010, 8); at != Iommu.Read(0x2018, 8); at = (at + 16) % bytes)
        {
            Memory.TryRead64(Events + at, out ulong low);
            Memory.TryRead64(Events + at + 8, out ulong high);
            events.Add(new(low, high));
        }

        return events;
    }

    /// <summary>A fault's flags in the order GN NX US PR RW PE RZ, those that are set.</summary>
    public static string Flags(ReferenceEvent? e)
    {
        if (e is null)
            return "none";
        (bool Set, string Name)[] flags =
            [(e.GN, "GN"), (e.NX, "NX"), (e.US, "US"), (e.I, "I"), (e.PR, "PR"), (e.RW, "RW"), (e.PE, "PE"), (e.RZ, "RZ"), (e.TR, "TR")];
        return string.Join(' ', flags.Where(f => f.Set).Select(f => f.Name));
    }
}
