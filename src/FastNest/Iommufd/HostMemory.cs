using FastNest.Memory;

namespace FastNest.Iommufd;

/// <summary>Memory that host software adds to the machine for what is its own: tables, rings, logs.</summary>
internal static class HostMemory
{
    private const int Attempts = 16;

    /// <summary>Adds zeroed memory in the highest hole that is large enough. Another owner may be quicker: then looks again.</summary>
    /// <param name="memory">The machine's memory.</param>
    /// <param name="length">Bytes, a power of two of 4096 or more; the memory is aligned to it.</param>
    /// <exception cref="IommufdException">ENOMEM: no hole is large enough.</exception>
    public static MemoryRegion Add(GuestPhysicalSpace memory, ulong length)
    {
        for (int attempt = 1; attempt <= Attempts; attempt++)
        {
            ulong end = 1UL << GuestPhysicalSpace.AddressBits;
            foreach (MemoryRegion region in memory.Regions.Reverse())
            {
                if (end >= region.Start + region.Length + length)
                {
                    break;
                }

                end = region.Start & ~(length - 1);
            }

            try
            {
                return memory.AddOwned(end - length, length);
            }
            catch (MemoryMapException) when (attempt < Attempts)
            {
            }
            catch (MemoryMapException)
            {
                break;
            }
        }

        throw new IommufdException(Errno.ENOMEM, "tables", length, "no hole of the physical memory is large enough");
    }
}
