namespace FastNest.Engine;

/// <summary>A first stage: from a PASID's addresses to guest physical ones.</summary>
internal struct GuestSpace
{
    /// <summary>The guest physical address of the top table.</summary>
    public ulong Root;

    /// <summary>Tags what is cached of it, through both stages.</summary>
    public uint Tag;

    public uint Pasid;

    /// <summary>The level of the top table.</summary>
    public byte Levels;

    /// <summary>Whether addresses are sign-extended, as on a processor; else the bits above must be zero.</summary>
    public bool SignExtended;

    /// <summary>Whether pages without execute right refuse fetches; else whatever can be read can be fetched.</summary>
    public bool EnforcesExecute;

    /// <summary>Whether supervisor pages refuse requests without privilege.</summary>
    public bool EnforcesUser;

    public MarkPolicy Marks;
}
