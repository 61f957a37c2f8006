namespace FastNest.Amd.Registers;

/// <summary>What a write to a register sets going beyond storing the value.</summary>
internal enum RegisterEffect : byte
{
    /// <summary>Nothing.</summary>
    None,

    /// <summary>Which tables and ranges translations use.</summary>
    Translation,

    /// <summary>Everything that the Control register governs.</summary>
    Control,

    /// <summary>Run bits follow, as an overflow may have been cleared.</summary>
    Status,

    /// <summary>The command ring restarts at its beginning.</summary>
    CommandBase,

    /// <summary>The command ring's pointer is reduced to its size, and commands run.</summary>
    CommandPointer,

    /// <summary>The event log restarts at its beginning.</summary>
    EventBase,

    /// <summary>The event log's pointer is reduced to its size.</summary>
    EventPointer,

    /// <summary>The PPR log restarts at its beginning.</summary>
    PprBase,

    /// <summary>The PPR log's pointer is reduced to its size.</summary>
    PprPointer,
}
