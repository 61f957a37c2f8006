namespace FastNest.Cli.Vms;

/// <summary>What VMs did side by side, and whether all of it was right; its JSON form is a contract.</summary>
internal sealed record VmReport
{
    /// <summary>The capture whose driver started the VMs; null for the built-in one.</summary>
    public string? Capture { get; init; }

    /// <summary>How long the VMs ran after their start.</summary>
    public double Seconds { get; init; }

    /// <summary>Events of the host's own log that concern no VM.</summary>
    public long HostEvents { get; init; }

    /// <summary>Commands in the VMs' rings that were not executed.</summary>
    public long CommandsMissed { get; init; }

    /// <summary>Everything that must not happen, added up.</summary>
    public long Wrong => HostEvents + Math.Abs(CommandsMissed) + Vms.Sum(vm => vm.Wrong);

    public required IReadOnlyList<VmFigures> Vms { get; init; }
}
