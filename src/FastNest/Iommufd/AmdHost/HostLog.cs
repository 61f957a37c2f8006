using System.Runtime.InteropServices;
using FastNest.Amd;
using FastNest.Amd.Logs;
using FastNest.Amd.Registers;
using FastNest.Memory;

namespace FastNest.Iommufd.AmdHost;

/// <summary>One log of an IOMMU, from the side that reads it. One reader at a time.</summary>
/// <param name="iommu">Whose.</param>
/// <param name="log">Its registers.</param>
/// <param name="memory">Where the ring is.</param>
/// <param name="ring">Offset of the ring in the memory.</param>
/// <param name="length">Bytes of the ring.</param>
internal sealed class HostLog(AmdIommu iommu, LogRegisters log, MemoryRegion memory, ulong ring, ulong length)
{
    /// <summary>Takes the oldest entry.</summary>
    /// <returns>False when there is none.</returns>
    public bool TryTake(out ulong word0, out ulong word1)
    {
        word0 = word1 = 0;
        ulong head = iommu.Read((ulong)log.Head.Offset, sizeof(uint));
        if (head == iommu.Read((ulong)log.Tail.Offset, sizeof(uint)))
        {
            return false;
        }

        Span<ulong> entry = MemoryMarshal.Cast<byte, ulong>(memory.Bytes(ring + head, 16));
        (word0, word1) = (Volatile.Read(ref entry[0]), entry[1]);
        iommu.Write((ulong)log.Head.Offset, sizeof(uint), (head + 16) % length);
        return true;
    }

    /// <summary>Takes back that an entry has come, before the entries are looked at.</summary>
    public void Acknowledge() => iommu.Write((ulong)RegisterMap.Status.Offset, sizeof(uint), log.Arrival.Mask);

    /// <summary>Lets the log run again after an overflow (digest section 7.1).</summary>
    public void Restart()
    {
        if (!log.Overflow.IsSet(iommu.Read((ulong)RegisterMap.Status.Offset, sizeof(ulong))))
        {
            return;
        }

        ulong control = iommu.Read((ulong)RegisterMap.Control.Offset, sizeof(ulong));
        iommu.Write((ulong)RegisterMap.Control.Offset, sizeof(ulong), control & ~log.Enable.Mask);
        iommu.Write((ulong)RegisterMap.Status.Offset, sizeof(uint), log.Overflow.Mask);
        iommu.Write((ulong)RegisterMap.Control.Offset, sizeof(ulong), control | log.Enable.Mask);
    }
}
