namespace FastNest.Cli.Replays;

/// <summary>What a driver sees of its machine: the registers of an IOMMU, and memory by physical address.</summary>
internal interface IDriverMachine
{
    /// <summary>Reads a register.</summary>
    ulong Read(ulong offset, int size);

    /// <summary>Writes a register; what follows from it is done before this returns.</summary>
    void Write(ulong offset, int size, ulong value);

    /// <summary>Loads eight bytes; false, and zero, where there is no memory.</summary>
    bool TryLoad(ulong address, out ulong value);

    /// <summary>Stores eight bytes; false where there is no memory.</summary>
    bool TryStore(ulong address, ulong value);
}
