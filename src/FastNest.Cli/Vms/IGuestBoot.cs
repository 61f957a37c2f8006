using FastNest.Cli.Replays;

namespace FastNest.Cli.Vms;

/// <summary>How a VM's driver brings its IOMMU up.</summary>
internal interface IGuestBoot
{
    /// <summary>Where the VM has what.</summary>
    VmLayout Layout { get; }

    /// <summary>Memory that the driver uses and the layout has not.</summary>
    IReadOnlyList<DriverRun> Memory { get; }

    /// <summary>The rings that it will set up.</summary>
    GuestRings Rings { get; }

    /// <summary>Does what the driver does, through the VM's trapped registers.</summary>
    BootReport Boot(VirtualMachine vm);
}
