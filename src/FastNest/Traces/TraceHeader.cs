using FastNest.Amd;
using FastNest.Amd.Viommu;

namespace FastNest.Traces;

/// <summary>The machine that a trace was recorded on, as it was made; its memory follows as records.</summary>
/// <param name="Features">What its IOMMU offers.</param>
/// <param name="Viommu">How it serves guests: which function it is, and how many commands make a turn.</param>
public sealed record TraceHeader(IommuFeatures Features, ViommuOptions Viommu)
{
    /// <summary>What a trace tells of the options of an IOMMU.</summary>
    public static TraceHeader Of(AmdIommuOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        return new(options.Features, new() { Device = options.Viommu.Device, Turn = options.Viommu.Turn });
    }

    /// <summary>Options for another such IOMMU.</summary>
    public AmdIommuOptions Options => new() { Features = Features, Viommu = Viommu };
}
