using FastNest.Reference.Registers;
using FastNest.Requests;

namespace FastNest.Reference.Walks;

/// <summary>Where a device's table entry lies (section 5.1, step 3).</summary>
internal static class DeviceTable
{
    private const ulong EntryBytes = 32;

    /// <summary>The entry's address; null when the device lies beyond the table. // readings 18, 57</summary>
    public static ulong? AddressOf(DeviceId device, RegisterFile registers)
    {
        if (device.Value > 0xFFFF)
            return null;
        int segmentBits = registers.Control.DevTblSegEn;
        uint segment = device.Value >> (16 - segmentBits);
        uint index = device.Value & (0xFFFFu >> segmentBits);
        ulong offset = segment == 0 ? RegisterMap.DeviceTableBase : RegisterMap.DeviceTableSegment1 + (segment - 1) * 8;
        ulong register = registers.Get(offset);
        ulong bytes = (Bits.Field(register, segment == 0 ? 8 : 7, 0) + 1) * 4096;
        if (index * EntryBytes >= bytes)
            return null;
        return (register & Bits.Mask(51, 12)) + index * EntryBytes;
    }
}
