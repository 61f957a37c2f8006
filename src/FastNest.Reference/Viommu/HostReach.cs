using FastNest.Reference.Registers;
using FastNest.Reference.Walks;
using FastNest.Requests;

namespace FastNest.Reference.Viommu;

/// <summary>Memory as the IOMMU itself reaches it for guests: behind the host table of a device's entry (section 8.5).</summary>
internal sealed class HostReach(IReferenceMemory memory, RegisterFile registers)
{
    public bool TryRead64(ushort device, ulong address, out ulong value)
    {
        value = 0;
        return Find(device, address, Access.Read) is ulong spa && memory.TryRead64(spa, out value);
    }

    public bool TryWrite64(ushort device, ulong address, ulong value) =>
        Find(device, address, Access.Write) is ulong spa && memory.TryWrite64(spa, value);

    // reading 93
    private ulong? Find(ushort device, ulong address, Access access)
    {
        Features features = registers.Features;
        DeviceFetch fetch = DeviceFetch.Read(memory, registers, new(device));
        if (fetch.Raw is null)
            return null;
        DeviceEntry dte = new(fetch.Raw);
        if (!dte.V || !dte.TV || dte.HasReservedBit(features) || dte.IllegalEncoding(features, guestTranslation: false) is not null)
            return null;
        HostStage host = new(memory, dte, new(new(device), address, access), []);
        HostResult? walk = host.Walk(address, access, nested: false, out _);
        if (walk is null || host.Deny(walk.Permissions, address, access) is not null)
            return null;
        if (dte.Mode != 0)
            Mark(walk, dte, access);
        return walk.Spa;
    }

    private void Mark(HostResult walk, DeviceEntry dte, Access access)
    {
        Marks marks = new(new(dte, registers.Features, registers.Control));
        marks.AddHostWalk(walk, writes: access == Access.Write);
        foreach (ReferenceUpdate update in marks.All)
        {
            if (memory.TryRead64(update.Address, out ulong entry))
                memory.TryWrite64(update.Address, entry | update.Bits);
        }
    }
}
