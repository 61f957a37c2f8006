using FastNest.Reference.Registers;
using FastNest.Reference.Rings;
using FastNest.Reference.Walks;
using FastNest.Requests;

namespace FastNest.Reference.Viommu;

/// <summary>Guests served by hardware (section 8): their registers, their ids, their turns, and who is told of what.</summary>
internal sealed class GuestService(
    IReferenceMemory memory, RegisterFile host, EventLog hostLog, ushort iommuDevice, int turn, List<ReferencePageResponse> responses)
{
    private const ulong DeviceIds = 0x10_0000_0000, DomainIds = 0x20_0000_0000;
    private const ulong VEvent = 1UL << 29, VPtr = 1UL << 30, VCmd = 1UL << 31;

    private readonly HostReach _reach = new(memory, host);
    private readonly Dictionary<ushort, Guest> _guests = [];
    private readonly List<Guest> _waiting = [];

    public int Turn => turn;

    public List<ReferenceCommand> Executed { get; } = [];

    public List<ReferencePageResponse> Responses => responses;

    /// <summary>INVALIDATE_IOMMU_PAGES with the host's domain.</summary>
    public List<(ushort Domain, ulong Low, ulong High)> DomainInvalidations { get; } = [];

    /// <summary>INVALIDATE_IOTLB_PAGES with the host's device.</summary>
    public List<(DeviceId Device, ulong Low, ulong High)> DeviceInvalidations { get; } = [];

    /// <summary>The host's features less IASup, vIOMMUSup, HESup and SNPSup. // reading 96</summary>
    public ulong GuestFeatures => host.Features.Efr & ~(Bits.Bit(6) | Bits.Bit(8) | Bits.Bit(55) | Bits.Bit(63));

    public ushort IommuDevice => iommuDevice;

    // reading 104
    public bool RingsAreGuestPhysical => Bits.IsSet(host.Control.Value, 60);

    // reading 92
    public bool ServesGuests => Bits.IsSet(host.Control.Value, 53);

    public bool RunsCommands => ServesGuests && host.Control.IommuEn && Bits.IsSet(host.Control.Value, 52);

    public ulong ReadVf(ulong offset, int size) =>
        offset < 1UL << 28 && _guests.TryGetValue((ushort)(offset >> 12), out Guest? guest) ? guest.ReadVf(offset & 0xFFF, size) : 0;

    public void WriteVf(ulong offset, int size, ulong value)
    {
        if (offset >= 1UL << 28)
            return;
        Guest guest = Open((ushort)(offset >> 12));
        guest.WriteVf(offset & 0xFFF, size, value);
        Wait(guest);
    }

    public ulong ReadControl(ulong offset, int size)
    {
        if (offset >= 1UL << 22 || !RegisterFront.IsAccess(offset, size) || !_guests.TryGetValue((ushort)(offset >> 6), out Guest? guest))
            return 0;
        return guest.ReadControl((int)(offset >> 3 & 7)) >> (int)(offset % 8) * 8 & RegisterFront.Bytes(size);
    }

    public void WriteControl(ulong offset, int size, ulong value)
    {
        if (offset >= 1UL << 22 || !RegisterFront.IsAccess(offset, size))
            return;
        Guest guest = Open((ushort)(offset >> 6));
        int index = (int)(offset >> 3 & 7), shift = (int)(offset % 8) * 8;
        ulong written = RegisterFront.Bytes(size) << shift;
        ulong merged = guest.ReadControl(index) & ~written | value << shift & written;
        if (guest.WriteControl(index, merged) is (ushort guestId, ushort hostId, bool valid))
            SetMap(guest, index == 0, guestId, (ulong)hostId << 24 | (valid ? 1UL : 0));
        guest.Commands.Run();
        Wait(guest);
    }

    public List<ReferenceInterrupt> Interrupts(ushort id) => _guests.TryGetValue(id, out Guest? guest) ? guest.Interrupts : [];

    /// <summary>One turn for each guest that waits, in order.</summary>
    public void RunGuests()
    {
        for (int i = _waiting.Count; i > 0 && RunsCommands; i--)
        {
            Guest guest = _waiting[0];
            _waiting.RemoveAt(0);
            guest.Commands.Run();
            Wait(guest);
        }
    }

    public ushort? HostDomain(Guest guest, ushort id) => Find(guest, DomainIds + ((ulong)guest.Id << 19) + id * 8UL);

    // reading 95
    public ushort? HostDevice(Guest guest, ushort id) =>
        Find(guest, DeviceIds + ((ulong)guest.Id << 20) + id * 16UL) is ushort device and not 0 ? device : null;

    // reading 101
    public void InsertEvent(ushort id)
    {
        if (!_guests.TryGetValue(id, out Guest? guest) || guest.Withheld is null)
            return;
        guest.Events.Report(guest.Withheld);
        guest.Withheld = null;
    }

    // reading 102
    public void Reset(ushort id, bool everything, bool commands)
    {
        if (!_guests.TryGetValue(id, out Guest? guest))
            return;
        if (everything)
        {
            _guests.Remove(id);
            _waiting.Remove(guest);
        }
        else if (commands)
        {
            guest.ResetCommands();
        }
    }

    // reading 98
    public void LogOutOfReach(Guest guest, int source)
    {
        if (guest.Told.Add(source))
            hostLog.Report(new(0xBUL << 60 | Bits.Put(source == 3, 48) | (ulong)guest.Id << 32 | VEvent, 0));
    }

    public void RingOutOfReach(Guest guest, ulong address, bool isStore) => Tell(guest, 1, isStore ? VCmd | VPtr : VCmd, address & ~7UL);

    /// <summary>Whether a guest is told of its device's fault, and the host is not; else the host's form of it. // reading 100</summary>
    public bool Takes(ref ReferenceEvent entry, in TranslationRequest request)
    {
        DeviceFetch fetch = DeviceFetch.Read(memory, host, request.Device);
        bool isWindowRead = entry.Code == ReferenceEventCode.InvalidDeviceRequest && entry.Type == 0;
        if (!ServesGuests || fetch.Raw is null || entry.Code == ReferenceEventCode.IllegalDeviceTableEntry || isWindowRead)
            return false;
        DeviceEntry dte = new(fetch.Raw);
        if (!dte.VImuEn || !dte.V || dte.HasReservedBit(host.Features)
            || dte.IllegalEncoding(host.Features, dte.GV && host.Control.GTEn) is not null)
        {
            return false;
        }

        bool isPageFault = entry.Code == ReferenceEventCode.IoPageFault;
        _guests.TryGetValue(dte.GuestId, out Guest? guest);
        ulong renamed = entry.Low & ~0xFFFFUL | dte.GDeviceId;
        if (isPageFault && entry.GN)
        {
            guest?.Events.Report(entry with { Low = renamed });
            return true;
        }

        if (isPageFault && guest is not null)
            guest.Withheld = entry with { Low = renamed & ~Bits.Mask(47, 32) };
        entry = entry with { Low = entry.Low | VEvent };
        return false;
    }

    /// <summary>The guest that takes a device's page requests, and its name for the device.</summary>
    /// <returns>Whether it is a guest's device at all.</returns>
    public bool Owns(DeviceEntry dte, out Guest? guest, out ushort named)
    {
        guest = null;
        named = dte.GDeviceId;
        if (!ServesGuests || !dte.VImuEn)
            return false;
        _guests.TryGetValue(dte.GuestId, out guest);
        return true;
    }

    private Guest Open(ushort id)
    {
        if (!_guests.TryGetValue(id, out Guest? guest))
            _guests.Add(id, guest = new(id, this, _reach));
        return guest;
    }

    private void Wait(Guest guest)
    {
        if (guest.Commands.HasWork && !_waiting.Contains(guest))
            _waiting.Add(guest);
    }

    // readings 94, 97
    private ushort? Find(Guest guest, ulong address)
    {
        if (_reach.TryRead64(iommuDevice, address, out ulong entry) && Bits.IsSet(entry, 0))
            return (ushort)Bits.Field(entry, 39, 24);
        Tell(guest, 0, VCmd, address);
        return null;
    }

    private void SetMap(Guest guest, bool ofDevice, ushort id, ulong entry)
    {
        ulong address = ofDevice ? DeviceIds + ((ulong)guest.Id << 20) + id * 16UL : DomainIds + ((ulong)guest.Id << 19) + id * 8UL;
        bool written = _reach.TryWrite64(iommuDevice, address, entry) && (!ofDevice || _reach.TryWrite64(iommuDevice, address + 8, 0));
        if (!written)
            Tell(guest, 0, VPtr, address);
    }

    // reading 99
    private void Tell(Guest guest, int source, ulong reason, ulong address)
    {
        if (guest.Told.Add(source))
            hostLog.Report(new(0xCUL << 60 | reason | (ulong)source << 16 | guest.Id, address));
    }
}
