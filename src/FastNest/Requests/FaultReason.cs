namespace FastNest.Requests;

/// <summary>Why a request was refused. A front end turns it into its own architecture's event.</summary>
public enum FaultReason : byte
{
    /// <summary>It was not refused.</summary>
    None,

    /// <summary>The device's context entry lies in memory that does not exist.</summary>
    ContextUnreadable,

    /// <summary>The device has no context entry: its id lies beyond the table.</summary>
    DeviceOutOfRange,

    /// <summary>The context entry has a reserved bit set.</summary>
    ContextReservedBit,

    /// <summary>The context entry holds an illegal or unsupported encoding.</summary>
    ContextEncoding,

    /// <summary>The context entry says that there is no translation for this device.</summary>
    TranslationDisabled,

    /// <summary>A request with a PASID from a device that has no guest tables.</summary>
    PasidUnsupported,

    /// <summary>The PASID lies beyond what the PASID table covers.</summary>
    PasidOutOfRange,

    /// <summary>The PASID table has no valid entry for the PASID.</summary>
    PasidNotPresent,

    /// <summary>The address has bits that no level of the table looks at.</summary>
    AddressBeyondTable,

    /// <summary>An entry on the way is not present.</summary>
    NotPresent,

    /// <summary>The tables or the context forbid this access.</summary>
    PermissionDenied,

    /// <summary>An entry on the way has a reserved bit set.</summary>
    ReservedBit,

    /// <summary>An entry's next level is not below its own, or a leaf stands where none may.</summary>
    InvalidLevel,

    /// <summary>A leaf's page size is illegal at its level.</summary>
    InvalidPageSize,

    /// <summary>A level was skipped whose address bits are not zero.</summary>
    SkippedBits,

    /// <summary>A table entry lies in memory that does not exist.</summary>
    TableUnreadable,

    /// <summary>A read of the address window in which writes are interrupt messages.</summary>
    MessageWindowRead,

    /// <summary>An interrupt message of a device that may not send any.</summary>
    MessageBlocked,

    /// <summary>An ATS request of a device that may not send any.</summary>
    AtsForbidden,
}
