namespace FastNest.Amd.Events;

/// <summary>The events of the event log, by their code in bits 63:60.</summary>
public enum EventCode : byte
{
    /// <summary>No event.</summary>
    None = 0,

    /// <summary>ILLEGAL_DEV_TABLE_ENTRY.</summary>
    IllegalDevTableEntry = 1,

    /// <summary>IO_PAGE_FAULT.</summary>
    IoPageFault = 2,

    /// <summary>DEV_TAB_HARDWARE_ERROR.</summary>
    DevTabHardwareError = 3,

    /// <summary>PAGE_TAB_HARDWARE_ERROR.</summary>
    PageTabHardwareError = 4,

    /// <summary>ILLEGAL_COMMAND_ERROR.</summary>
    IllegalCommandError = 5,

    /// <summary>COMMAND_HARDWARE_ERROR.</summary>
    CommandHardwareError = 6,

    /// <summary>IOTLB_INV_TIMEOUT.</summary>
    IotlbInvTimeout = 7,

    /// <summary>INVALID_DEVICE_REQUEST.</summary>
    InvalidDeviceRequest = 8,

    /// <summary>INVALID_PPR_REQUEST.</summary>
    InvalidPprRequest = 9,

    /// <summary>EVENT_COUNTER_ZERO.</summary>
    EventCounterZero = 10,

    /// <summary>GUEST_EVENT_FAULT.</summary>
    GuestEventFault = 11,

    /// <summary>VIOMMU_HARDWARE_ERROR.</summary>
    ViommuHardwareError = 12,

    /// <summary>RMP_PAGE_FAULT.</summary>
    RmpPageFault = 13,

    /// <summary>RMP_HARDWARE_ERROR.</summary>
    RmpHardwareError = 14,
}
