namespace FastNest.Reference;

/// <summary>The events the model raises, by their code in bits 63:60 (section 7.1).</summary>
public enum ReferenceEventCode
{
    /// <summary>ILLEGAL_DEV_TABLE_ENTRY.</summary>
    IllegalDeviceTableEntry = 1,

    /// <summary>IO_PAGE_FAULT.</summary>
    IoPageFault = 2,

    /// <summary>DEV_TAB_HARDWARE_ERROR.</summary>
    DeviceTableHardwareError = 3,

    /// <summary>PAGE_TAB_HARDWARE_ERROR.</summary>
    PageTableHardwareError = 4,

    /// <summary>ILLEGAL_COMMAND_ERROR.</summary>
    IllegalCommandError = 5,

    /// <summary>COMMAND_HARDWARE_ERROR.</summary>
    CommandHardwareError = 6,

    /// <summary>INVALID_DEVICE_REQUEST.</summary>
    InvalidDeviceRequest = 8,

    /// <summary>INVALID_PPR_REQUEST.</summary>
    InvalidPprRequest = 9,
}
