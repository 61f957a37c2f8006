using System.Buffers.Binary;
using FastNest.Amd;
using FastNest.Amd.Commands;
using FastNest.Amd.DeviceTable;
using FastNest.Cli.Replays;
using FastNest.Iommufd;

namespace FastNest.Cli.Vms;

/// <summary>
/// One VM by the objects of iommufd: memory of its own behind a nest parent, a vIOMMU with its queues, devices that it knows by
/// numbers of its own. What its driver does to the registers is trapped, but for the page that it has without traps.
/// </summary>
internal sealed class VirtualMachine : IDriverMachine
{
    private const uint AmdViommuType = 3;
    private const uint AmdGuestDte = 3;
    private const uint AmdEvents = 3;
    private const int EventDepth = 1024;
    private const uint FirstQueueType = 2;
    private const int ViommuDataLength = 24;
    private const ulong FirstVirtualId = 0x10;

    private readonly VmHost _host;
    private readonly Viommu _viommu;
    private readonly Device[] _devices;
    private readonly EventQueue _hostFaults;
    private readonly byte[] _record = new byte[EventQueue.HeaderLength + 16];

    /// <summary>Makes a VM whose driver has not started yet.</summary>
    /// <param name="host">The machine.</param>
    /// <param name="number">Which VM it is, from 0.</param>
    /// <param name="devices">How many devices it is given.</param>
    /// <param name="boot">How its driver will start: where its rings are.</param>
    /// <exception cref="IommufdException">The rings are where no VM can have them.</exception>
    public VirtualMachine(VmHost host, int number, int devices, IGuestBoot boot)
    {
        _host = host;
        Number = number;
        Layout = boot.Layout;
        IommufdContext context = host.Context;
        Memory = new(host.Memory, context.CreateIoas());
        Memory.Add(Layout.Base, VmLayout.FixedLength, host.TakeFixed(VmLayout.FixedLength));
        foreach (DriverRun run in boot.Memory)
        {
            Memory.Add(run.Start, run.Length, host.TakeFixed(run.Length));
        }

        Tables = AddMovable(Layout.Tables);
        Data = [.. Enumerable.Range(0, VmLayout.DataAreas).Select(area => AddMovable(Layout.DataArea(area)))];
        _devices = [.. Enumerable.Range(0, devices).Select(_ => context.Bind(host.AddDevice()))];
        Parent = (HwptPaging)context.AllocateHwpt(_devices[0].Id, Memory.Ioas.Id, HwptOptions.NestParent);
        _viommu = context.AllocateViommu(AmdViommuType, _devices[0].Id, Parent.Id, new byte[ViommuDataLength]);
        _hostFaults = context.AllocateEventQueue(_viommu.Id, AmdEvents, EventDepth);
        Page = context.Map(_viommu.MmapOffset, _viommu.MmapLength);
        AddQueues(boot.Rings);
        for (int i = 0; i < devices; i++)
        {
            context.AllocateVdevice(_viommu.Id, _devices[i].Id, VirtualId(i));
        }
    }

    /// <summary>Which VM it is, from 0.</summary>
    public int Number { get; }

    public VmLayout Layout { get; }

    public GuestMemory Memory { get; }

    /// <summary>The nest parent.</summary>
    public HwptPaging Parent { get; }

    /// <summary>The area of its page tables.</summary>
    public GuestArea Tables { get; }

    /// <summary>The areas of its data.</summary>
    public GuestArea[] Data { get; }

    /// <summary>Its page of registers that no trap guards.</summary>
    public ViommuMapping Page { get; }

    /// <summary>What its IOMMU offers it.</summary>
    public IommuFeatures Offered => _host.Iommu.Iommu.Features.ForGuests();

    /// <summary>Which commands its ring may hold.</summary>
    public CommandRules CommandRules => new(_host.Iommu.Iommu.Features.OfGuestHardware());

    /// <summary>Its devices on the host.</summary>
    public IReadOnlyList<Device> Devices => _devices;

    /// <summary>The VM's number of a device; every VM has the same.</summary>
    public static uint VirtualId(int device) => (uint)FirstVirtualId + (uint)device;

    /// <summary>A trapped read.</summary>
    public ulong Read(ulong offset, int size) => _viommu.Read(offset, size);

    /// <summary>A trapped write, with all that follows from it.</summary>
    public void Write(ulong offset, int size, ulong value)
    {
        _viommu.Write(offset, size, value);
        while (_host.Hardware.RunGuests())
        {
        }
    }

    public bool TryLoad(ulong address, out ulong value) => Memory.TryLoad(address, out value);

    public bool TryStore(ulong address, ulong value) => Memory.TryStore(address, value);

    /// <summary>The VM wrote an entry of its device table: the device translates through the VM's tables from now on.</summary>
    public void Attach(int device, DteValue entry)
    {
        byte[] bytes = new byte[Dte.Size];
        BinaryPrimitives.WriteUInt64LittleEndian(bytes, entry.Word0);
        BinaryPrimitives.WriteUInt64LittleEndian(bytes.AsSpan(8), entry.Word1);
        Hwpt nested = _host.Context.AllocateHwpt(_devices[device].Id, _viommu.Id, HwptOptions.None, AmdGuestDte, bytes);
        _devices[device].Attach(nested.Id);
    }

    /// <summary>Counts what the VM was told that the host's tables refused its devices, lost events not included.</summary>
    public int TakeHostFaults()
    {
        int count = 0;
        while (_hostFaults.Read(_record) is > 0 and var length)
        {
            count += length > EventQueue.HeaderLength ? 1 : 0;
        }

        return count;
    }

    private GuestArea AddMovable(ulong start) => Memory.Add(start, HostPlaces.Length, _host.Places.Take(Number, out _));

    private void AddQueues(GuestRings rings)
    {
        GuestRing[] kinds = [rings.Commands, rings.Events, rings.Pprs];
        for (uint kind = 0; kind < kinds.Length; kind++)
        {
            if (kinds[kind].Length != 0)
            {
                _host.Context.AllocateHardwareQueue(_viommu.Id, FirstQueueType + kind, 0, kinds[kind].Base, kinds[kind].Length);
            }
        }
    }
}
