using FastNest.Reference;
using FastNest.Requests;

namespace FastNest.Tests.Reference;

/// <summary>A history with a device of three host levels, and one of guest tables over them; both may be changed at will.</summary>
internal sealed class HistoryRig
{
    public const ulong HostL2 = Rig.HostRoot + 0x1000, HostL1 = Rig.HostRoot + 0x2000, OtherHostL1 = Rig.HostRoot + 0x3000;
    public const uint Pasid = 5;
    public const ushort Domain = 0x77, NestedDomain = 0x88;
    public const ulong PA = 0x5_0000_0000, PB = 0x6_0000_0000;

    // Guest physical: page n of the first 2 MiB is at Tables + n pages.
    public const ulong Tables = 0x4000_0000;
    public const ulong GuestGcr3 = 0x10_000, GuestL4 = 0x1000, GuestL3 = 0x2000, GuestL2 = 0x3000, GuestL1 = 0x4000;
    public const ulong OtherGuestL4 = 0x5000, OtherGuestL1 = 0x6000, GuestPage = 0x8000, OtherGuestPage = 0x9000;

    public static readonly DeviceId HostDevice = new(0x0310), NestedDevice = new(0x0318), Stranger = new(0x0320);

    private const ulong All = 7;

    public HistoryRig(ulong control = Rig.On | 1UL << 58, bool nestedTables = true)
    {
        Memory.Add(Rig.DeviceTable, 0x20_0000);
        Memory.Add(Rig.HostRoot, 0x1_0000);
        Memory.Add(Tables, 0x20_0000);
        History = new(Memory, Rig.Everything, 1 << 3);
        History.WriteRegister(0, 8, Rig.DeviceTable | 0x1FF);

        Put(Rig.HostRoot, Rig.Entry(HostL2, 2));
        Put(HostL2, Rig.Entry(HostL1, 1));
        for (ulong i = 0; i < 32; i++)
            Put(HostL1 + i * 8, Rig.Entry(nestedTables ? Tables + i * 0x1000 : PA, 0));
        Dte(HostDevice, Rig.V | Rig.TV | 3UL << 9 | Rig.HostRoot | Rig.IRIW, Domain | 1UL << 32);
        Dte(Stranger, Rig.V | Rig.TV | 3UL << 9 | Rig.HostRoot | Rig.IRIW, 0x99);
        Dte(NestedDevice, Rig.V | Rig.TV | Rig.GV | 3UL << 9 | Rig.HostRoot | Rig.IRIW | (GuestGcr3 >> 12 & 7) << 58, NestedDomain | 1UL << 32 | (GuestGcr3 >> 15) << 16);

        PutGuest(GuestGcr3 + Pasid * 8, 1 | GuestL4);
        foreach (ulong l4 in new[] { GuestL4, OtherGuestL4 })
            PutGuest(l4, All | GuestL3);
        PutGuest(GuestL3, All | GuestL2);
        PutGuest(GuestL2, All | GuestL1);
        PutGuest(GuestL1, All | GuestPage);
        PutGuest(OtherGuestL1, All | OtherGuestPage);
        History.WriteRegister(0x18, 8, control);
    }

    public ReferenceMemory Memory { get; } = new();

    public ReferenceHistory History { get; }

    public void Put(ulong address, ulong value)
    {
        if (!History.TryWrite64(address, value))
            throw new ArgumentException($"no memory at 0x{address:x}", nameof(address));
    }

    public void PutGuest(ulong gpa, ulong value) => Put(Tables + gpa, value);

    public void Dte(DeviceId device, ulong q0, ulong q1 = 0)
    {
        Put(Rig.DeviceTable + device.Value * 32, q0);
        Put(Rig.DeviceTable + device.Value * 32 + 8, q1);
    }

    /// <summary>Submits a command and a wait, and completes the wait.</summary>
    public void Complete((ulong Low, ulong High) command)
    {
        History.Submit(command.Low, command.High);
        History.Submit(1UL << 60, 0);
        History.CompleteWait();
    }

    public static (ulong Low, ulong High) InvalidateAll => (8UL << 60, 0);

    public static (ulong Low, ulong High) InvalidateEntry(DeviceId device) => (2UL << 60 | device.Value, 0);

    /// <summary>INVALIDATE_IOMMU_PAGES for 2^<paramref name="bits"/> bytes, 64 for everything.</summary>
    public static (ulong Low, ulong High) InvalidatePages(ushort domain, ulong address = 0, int bits = 64, uint? pasid = null, bool pde = true)
    {
        ulong size = bits switch
        {
            12 => address,
            64 => 0x7FFF_FFFF_FFFF_F000 | 1,
            _ => address & ~((1UL << bits) - 1) | (1UL << (bits - 1)) - 1 & ~0xFFFUL | 1,
        };
        return (3UL << 60 | (ulong)domain << 32 | (pasid ?? 0), size | (pde ? 2UL : 0) | (pasid is null ? 0 : 4UL));
    }

    /// <summary>The outcomes allowed for a request of a device: output addresses, or a fault's flags.</summary>
    public string[] Allowed(TranslationRequest request) =>
        [.. History.Allowed(request).Select(a => a.OutputAddress is ulong output ? $"{output:x}" : Rig.Flags(a.Event)).Distinct().Order(StringComparer.Ordinal)];

    public string[] AllowedHost(ulong iova = 0x123, Access access = Access.Read, DeviceId? device = null) =>
        Allowed(new(device ?? HostDevice, iova, access));

    public string[] AllowedNested(ulong iova = 0x123, Access access = Access.Read, uint pasid = Pasid) =>
        Allowed(new(NestedDevice, pasid, iova, access));
}
