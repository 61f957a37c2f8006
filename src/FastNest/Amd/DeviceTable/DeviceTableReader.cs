using FastNest.Amd.Registers;
using FastNest.Memory;
using FastNest.Requests;

namespace FastNest.Amd.DeviceTable;

/// <summary>How looking up a device ended.</summary>
internal enum DteLookup : byte
{
    /// <summary>The entry was read.</summary>
    Found,

    /// <summary>The device id lies beyond the table.</summary>
    OutOfRange,

    /// <summary>The entry lies in memory that does not exist.</summary>
    Unreadable,
}

/// <summary>Finds and reads device table entries, as the registers and memory have them at the moment.</summary>
internal sealed class DeviceTableReader(GuestPhysicalSpace memory, RegisterFile registers)
{
    private const int DeviceIdBits = 16;
    private const ulong EntriesPerPage = 4096 / Dte.Size;

    /// <summary>Software changes an entry by two 16-byte stores at least; more tears in a row than this are its own doing.</summary>
    private const int MaximumRetries = 64;

    public DteLookup Read(DeviceId device, out DteValue dte, out ulong address)
    {
        dte = default;
        int segmentBits = (int)ControlRegister.DevTblSegEn.Get(registers[RegisterMap.Control]);
        uint id = device.Value & 0xFFFF;
        int segment = (int)(id >> (DeviceIdBits - segmentBits));
        uint index = id & ((1u << (DeviceIdBits - segmentBits)) - 1);
        ulong table = registers.Read((ulong)RegisterMap.SegmentOffset(segment), sizeof(ulong));
        ulong pages = BaseRegister.TableSize.Get(table) + 1; // bit 8 sticks in segment 0 alone
        address = BaseRegister.Address.InPlace(table) + index * Dte.Size;
        if (device.Value > 0xFFFF || index >= pages * EntriesPerPage)
        {
            return DteLookup.OutOfRange;
        }

        return TryRead(address, out dte) ? DteLookup.Found : DteLookup.Unreadable;
    }

    /// <summary>
    /// Reads until two reads in a row agree, so that no mixture of an old and a new entry is used. An entry that never
    /// stands still is used as last read, as hardware would use it.
    /// </summary>
    private bool TryRead(ulong address, out DteValue dte)
    {
        if (!TryReadOnce(address, out dte))
        {
            return false;
        }

        for (int i = 0; i < MaximumRetries; i++)
        {
            if (!TryReadOnce(address, out DteValue again))
            {
                return false;
            }

            bool stable = again == dte;
            dte = again;
            if (stable)
            {
                break;
            }
        }

        return true;
    }

    private bool TryReadOnce(ulong address, out DteValue dte)
    {
        dte = default;
        if (!memory.TryLoad64(address, out ulong word0)
            || !memory.TryLoad64(address + 8, out ulong word1)
            || !memory.TryLoad64(address + 16, out ulong word2)
            || !memory.TryLoad64(address + 24, out ulong word3))
        {
            return false;
        }

        dte = new(word0, word1, word2, word3);
        return true;
    }
}
