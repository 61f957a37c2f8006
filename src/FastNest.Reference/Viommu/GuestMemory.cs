namespace FastNest.Reference.Viommu;

/// <summary>
/// What one of a guest's rings is stored in: read, for a command ring, or written, for a log; what a command ring writes are
/// completions. A failure is told through <paramref name="failed"/>, with the address.
/// </summary>
internal sealed class GuestMemory(
    Guest guest, GuestService service, HostReach reach, ulong slots, Func<ulong> ringBase, bool isLog, Action<ulong, bool> failed)
    : IReferenceMemory
{
    private const ulong SlotBytes = 0x8_0000;

    public bool TryRead64(ulong address, out ulong value)
    {
        value = 0;
        if (Place(address, isRing: true) is (ushort device, ulong at) && reach.TryRead64(device, at, out value))
            return true;
        failed(address, false);
        return false;
    }

    public bool TryWrite64(ulong address, ulong value)
    {
        if (Place(address, isLog) is (ushort device, ulong at) && reach.TryWrite64(device, at, value))
            return true;
        failed(address, true);
        return false;
    }

    // reading 104
    private (ushort Device, ulong Address)? Place(ulong address, bool isRing)
    {
        if (isRing && !service.RingsAreGuestPhysical)
            return (service.IommuDevice, slots + guest.Id * SlotBytes + (address - ringBase()));
        return guest.TranslateDevice is ushort device ? (device, address) : null;
    }
}
