using FastNest.Memory;

namespace FastNest.Iommufd;

/// <summary>Where the pages of a mapping come from.</summary>
internal abstract class PageSource(GuestPhysicalSpace memory)
{
    public const ulong PageSize = GuestPhysicalSpace.PageSize;

    public GuestPhysicalSpace Memory { get; } = memory;

    /// <summary>Whether the mapping stays the same whichever process the descriptor is handed to.</summary>
    public abstract bool IsFile { get; }

    /// <summary>The physical pages behind an address of the source, as far as they stand in one run of one region.</summary>
    /// <param name="address">A multiple of the page size.</param>
    /// <param name="pages">How many pages are wanted.</param>
    /// <param name="write">Whether they will be written.</param>
    /// <param name="run">What was found.</param>
    /// <exception cref="IommufdException">EFAULT, or EINVAL of a file: nothing is there.</exception>
    public void Find(ulong address, ulong pages, bool write, out SourceRun run)
    {
        ulong physical = Locate(address, write, out ulong length);
        if (Memory.FindRegion(physical) is not { } region || region.Kind == MemoryRegionKind.Mmio)
        {
            throw new IommufdException(Errno.EFAULT, "user_va", address, $"no RAM is at the physical address 0x{physical:x}");
        }

        ulong inRegion = region.Start + region.Length - physical;
        run = new(physical, Math.Min(pages, Math.Min(length, inRegion) / PageSize), region);
    }

    /// <summary>The physical address behind an address and how many bytes follow it there.</summary>
    protected abstract ulong Locate(ulong address, bool write, out ulong length);
}
