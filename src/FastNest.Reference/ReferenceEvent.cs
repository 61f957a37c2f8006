namespace FastNest.Reference;

/// <summary>One event log entry (section 7.1). Flags that an event's layout lacks read as false.</summary>
/// <param name="Low">The first quadword, bits 63:0.</param>
/// <param name="High">The second quadword, bits 127:64.</param>
public sealed record ReferenceEvent(ulong Low, ulong High)
{
    /// <summary>Which event it is.</summary>
    public ReferenceEventCode Code => (ReferenceEventCode)Bits.Field(Low, 63, 60);

    /// <summary>The device, bits 15:0.</summary>
    public ushort DeviceId => (ushort)Bits.Field(Low, 15, 0);

    /// <summary>The domain of an IO_PAGE_FAULT or PAGE_TAB_HARDWARE_ERROR, bits 47:32, when <see cref="GN"/> is false.</summary>
    public ushort Domain => !GN && Code is (ReferenceEventCode.IoPageFault or ReferenceEventCode.PageTableHardwareError)
        ? (ushort)Bits.Field(Low, 47, 32)
        : (ushort)0;

    /// <summary>The PASID when <see cref="GN"/> is true, 20 bits: 19:16 and 47:32, or as in a PPR log entry 45:42 and 31:16.</summary>
    public uint Pasid => (GN, IsPpr) switch
    {
        (false, _) => 0,
        (true, false) => (uint)(Bits.Field(Low, 19, 16) << 16 | Bits.Field(Low, 47, 32)),
        (true, true) => (uint)(Bits.Field(Low, 45, 42) << 16 | Bits.Field(Low, 31, 16)),
    };

    /// <summary>Whether a PASID is given; for faults, that they are of the guest stage.</summary>
    public bool GN => Flag(IsPpr ? 56 : 48);

    /// <summary>Whether it was an execute request.</summary>
    public bool NX => Code != ReferenceEventCode.InvalidDeviceRequest && Flag(49);

    /// <summary>Whether it was a request with user privilege.</summary>
    public bool US => Flag(Code == ReferenceEventCode.InvalidDeviceRequest ? 49 : IsPpr ? 54 : 50);

    /// <summary>Whether it was an interrupt.</summary>
    public bool I => Flag(51);

    /// <summary>Whether the page was present.</summary>
    public bool PR => Flag(52);

    /// <summary>Whether it was a write.</summary>
    public bool RW => Flag(53);

    /// <summary>Whether permission was missing.</summary>
    public bool PE => !IsPpr && Flag(54);

    /// <summary>Whether a reserved bit was set.</summary>
    public bool RZ => Flag(55);

    /// <summary>Whether it was a translation request.</summary>
    public bool TR => !IsPpr && Flag(56);

    /// <summary>The Type field: bits 59:57 of INVALID_DEVICE_REQUEST, 58:57 of hardware errors (1 = master abort).</summary>
    public int Type => Code switch
    {
        ReferenceEventCode.InvalidDeviceRequest => (int)Bits.Field(Low, 59, 57),
        ReferenceEventCode.DeviceTableHardwareError
            or ReferenceEventCode.PageTableHardwareError
            or ReferenceEventCode.CommandHardwareError => (int)Bits.Field(Low, 58, 57),
        _ => 0,
    };

    /// <summary>The address; bits 1:0 of ILLEGAL_DEV_TABLE_ENTRY are reserved and 0.</summary>
    public ulong Address => High;

    private bool IsPpr => Code == ReferenceEventCode.InvalidPprRequest;

    private bool Flag(int bit) => Bits.IsSet(Low, bit);
}
