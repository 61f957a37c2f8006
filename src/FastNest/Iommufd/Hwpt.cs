using FastNest.Iommufd.Drivers;

namespace FastNest.Iommufd;

/// <summary>What devices translate through (hardware page table). Calls may come from any thread.</summary>
public abstract class Hwpt : IommufdObject
{
    private protected Hwpt(IommufdContext context, HardwareDomain domain, FaultQueue? faults)
        : base(context)
    {
        Domain = domain;
        Faults = faults;
        faults?.AddUser();
        domain.PageRequests = faults;
    }

    /// <summary>Where page requests of its devices go, or null.</summary>
    public FaultQueue? Faults { get; }

    /// <summary>The hardware's side of it.</summary>
    internal HardwareDomain Domain { get; }

    private protected override void OnDestroyed()
    {
        Domain.Dispose();
        Faults?.ReleaseUser();
    }
}
