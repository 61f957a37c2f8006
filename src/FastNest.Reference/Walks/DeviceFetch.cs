using FastNest.Reference.Registers;
using FastNest.Requests;

namespace FastNest.Reference.Walks;

/// <summary>What reading a device's table entry gave.</summary>
/// <param name="Spa">Where the entry lies; null when the device lies beyond the table.</param>
/// <param name="Raw">Its four quadwords; null when any of them does not exist. // reading 58</param>
internal sealed record DeviceFetch(ulong? Spa, ulong[]? Raw)
{
    public static DeviceFetch Read(IReferenceMemory memory, RegisterFile registers, DeviceId device)
    {
        if (DeviceTable.AddressOf(device, registers) is not ulong spa)
            return new(null, null);
        ulong[] raw = new ulong[4];
        for (int i = 0; i < 4; i++)
        {
            if (!memory.TryRead64(spa + (ulong)i * 8, out raw[i]))
                return new(spa, null);
        }

        return new(spa, raw);
    }
}
