namespace FastNest.Cli.Vms;

/// <summary>What one VM did; its JSON form is a contract. See <see cref="WorkCounters"/> and <see cref="DmaCounters"/>.</summary>
internal sealed record VmFigures
{
    public VmFigures(int vm, BootReport boot, WorkCounters work, DmaCounters dma)
    {
        Vm = vm;
        Boot = boot;
        Commands = boot.Commands + Volatile.Read(ref work.Commands);
        Invalidations = Volatile.Read(ref work.Invalidations);
        Waits = Volatile.Read(ref work.Waits);
        Remaps = Volatile.Read(ref work.Remaps);
        Translations = Volatile.Read(ref dma.Translations);
        DmaReads = Volatile.Read(ref dma.Reads);
        DmaWrites = Volatile.Read(ref dma.Writes);
        DmaBytes = Volatile.Read(ref dma.Bytes);
        Faults = Volatile.Read(ref dma.Faults);
        Events = Volatile.Read(ref work.Events);
        HostFaults = Volatile.Read(ref work.HostFaults);
        Migrations = Volatile.Read(ref work.Migrations);
        StaleReads = Volatile.Read(ref dma.StaleReads);
        StaleWrites = Volatile.Read(ref work.StaleWrites);
        ForeignReads = Volatile.Read(ref dma.ForeignReads);
        ForeignEvents = Volatile.Read(ref work.ForeignEvents);
        LostWrites = Volatile.Read(ref dma.LostWrites);
        WrongFaults = Volatile.Read(ref dma.WrongFaults);
        Timeouts = Volatile.Read(ref work.Timeouts);
    }

    public int Vm { get; }

    public BootReport Boot { get; }

    public long Commands { get; }

    public long Invalidations { get; }

    public long Waits { get; }

    public long Remaps { get; }

    public long Translations { get; }

    public long DmaReads { get; }

    public long DmaWrites { get; }

    public long DmaBytes { get; }

    public long Faults { get; }

    public long Events { get; }

    public long HostFaults { get; }

    public long Migrations { get; }

    public long StaleReads { get; }

    public long StaleWrites { get; }

    public long ForeignReads { get; }

    public long ForeignEvents { get; }

    public long LostWrites { get; }

    public long WrongFaults { get; }

    public long Timeouts { get; }

    /// <summary>Everything that must not happen, added up.</summary>
    public long Wrong => StaleReads + StaleWrites + ForeignReads + ForeignEvents + LostWrites + WrongFaults + Timeouts
        + Boot.CompletionsMissed + Boot.HeadsBehind;
}
