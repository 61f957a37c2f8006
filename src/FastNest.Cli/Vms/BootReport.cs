namespace FastNest.Cli.Vms;

/// <summary>What a driver did to bring its IOMMU up; its JSON form is a contract.</summary>
internal sealed record BootReport
{
    /// <summary>Accesses to registers.</summary>
    public int Accesses { get; init; }

    /// <summary>Those of them to registers that the VM's IOMMU has not.</summary>
    public int Absent { get; init; }

    /// <summary>Reads of registers that it has and that were recorded with another value: a VM is offered other features.</summary>
    public int ReadsDiffer { get; init; }

    /// <summary>Commands recorded, all of them put into the ring.</summary>
    public int Commands { get; init; }

    /// <summary>Those of them that a VM is not offered; the ring has a wait for nothing in their place.</summary>
    public int CommandsNotOffered { get; init; }

    /// <summary>Stores that completed waits were to make, and that were not made.</summary>
    public int CompletionsMissed { get; init; }

    /// <summary>Register writes after which the ring's head did not stand at its tail.</summary>
    public int HeadsBehind { get; init; }
}
