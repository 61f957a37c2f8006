namespace FastNest.Cli.Vms;

/// <summary>What two VMs did, and what was wrong.</summary>
/// <param name="Seconds">For how long.</param>
/// <param name="Vms">The VMs.</param>
/// <param name="Pinned">Pages that were still pinned when all VMs were gone.</param>
internal sealed record VmReport(double Seconds, IReadOnlyList<VmCounters> Vms, long Pinned)
{
    /// <summary>Everything that must not be, together.</summary>
    public long Wrong => Pinned + Vms.Sum(static vm => vm.Stale + vm.Foreign + vm.Lost + vm.Late);
}

/// <summary>What one VM did.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Traps">Trapped accesses to registers.</param>
/// <param name="Commands">Commands that its ring took to the hardware.</param>
/// <param name="Maps">Pages given to its device.</param>
/// <param name="Unmaps">Pages taken from it.</param>
/// <param name="Moves">How often the host moved 2 MiB of its memory.</param>
/// <param name="Translations">Addresses its device had translated in batches.</param>
/// <param name="DmaBytes">What its device read and wrote.</param>
/// <param name="Refused">Transfers that met nothing mapped, or memory on its way.</param>
/// <param name="Events">Events in its log.</param>
/// <param name="Overflows">How often the log was full and was started anew.</param>
/// <param name="Stale">Transfers that saw what had been invalidated before, and writes that came to a place of before.</param>
/// <param name="Foreign">Whatever led to, or came from, another's memory.</param>
/// <param name="Lost">Transfers refused though their page was mapped.</param>
/// <param name="Late">Completions that were not there when they should.</param>
internal sealed record VmCounters(
    string Name,
    long Traps,
    long Commands,
    long Maps,
    long Unmaps,
    long Moves,
    long Translations,
    long DmaBytes,
    long Refused,
    long Events,
    long Overflows,
    long Stale,
    long Foreign,
    long Lost,
    long Late);
