namespace FastNest.Iommufd.Drivers;

/// <summary>Takes the events of a VM's devices.</summary>
internal interface IViommuEventSink
{
    /// <summary>An event; any thread, with whatever locks it holds: it is only to be kept.</summary>
    /// <param name="type">The driver's type of event.</param>
    /// <param name="data">The event, in the driver's form.</param>
    /// <returns>False when there is no queue of this type: the host keeps the event.</returns>
    bool Report(uint type, ReadOnlySpan<byte> data);

    /// <summary>The VM's number for a device, or false when it has none.</summary>
    bool TryVirtualId(HostDevice device, out ulong virtualId);
}
