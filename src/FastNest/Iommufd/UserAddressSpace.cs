using FastNest.Memory;

namespace FastNest.Iommufd;

/// <summary>The address space of the process that calls the API: which physical memory its addresses stand for.</summary>
public sealed class UserAddressSpace(GuestPhysicalSpace memory)
{
    /// <summary>The machine whose memory the process has.</summary>
    public GuestPhysicalSpace Memory { get; } = memory;
}
