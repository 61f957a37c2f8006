using FastNest.Amd.Events;
using FastNest.Iommufd.AmdHost;
using FastNest.Iommufd.Drivers;
using FastNest.Requests;
using Xunit;

namespace FastNest.Tests.Iommufd.AmdHost;

/// <summary>The host's event and PPR logs: who is told, and that they go on after an overflow (digest section 7).</summary>
public sealed class HostLogTests
{
    private const uint Device = 0x0310;
    private const ushort VirtualDevice = 0x0020;
    private const ulong Iova = 0x9000;

    [Fact]
    public void EventsGoOnAfterMoreThanTheLogHolds()
    {
        using var machine = new AmdHostMachine();
        for (uint i = 1; i <= 2000; i++)
        {
            machine.Reach(Device, i << 12);
        }

        Assert.Equal(2000, machine.Events.Count);
        Assert.Equal(2000UL << 12, machine.Events[^1].Address);
    }

    [Fact]
    public void ALogThatHasOverflownRunsAgain()
    {
        using var machine = new AmdHostMachine();
        var requests = new TranslationRequest[1000]; // all before the interrupt is delivered
        for (uint i = 0; i < requests.Length; i++)
        {
            requests[i] = new(new(Device), i << 12, Access.Read);
        }

        machine.Translate(requests);
        Assert.Equal(511, machine.Events.Count);
        machine.Reach(Device, 0x1000);
        Assert.Equal(512, machine.Events.Count);
    }

    [Fact]
    public void PageRequestsGoToTheSinkOfWhatTheDeviceIsAttachedTo()
    {
        using var machine = new AmdHostMachine();
        AmdHostDevice device = machine.AddDevice(Device, new() { PageRequests = true });
        AmdPagingDomain domain = machine.NewDomain(device);
        var sink = new Sink();
        domain.PageRequests = sink;
        device.Attach(null, domain);
        machine.Iommu.Iommu.RequestPage(new(new(Device), 0xABCDE, Iova + 0x123, Access.ReadWrite, Group: 300, Last: false));
        machine.Iommu.Iommu.RequestPage(new(new(Device), null, Iova, Access.Execute, Group: 300, Last: true));
        Assert.Equal(
            [(device, 0xABCDEu, 300, Iova, Access.ReadWrite, false, false), (device, null, 300, Iova, Access.Execute, false, true)],
            sink.Taken);
        Assert.Empty(machine.Responses);
        device.Respond(0xABCDE, 300, success: true);
        device.Respond(null, 300, success: false);
        Assert.Equal([new(new(Device), 0xABCDE, 300, 0), new(new(Device), null, 300, 1)], machine.Responses);
    }

    [Fact]
    public void PageRequestsThatNobodyTakesAreAnsweredOncePerGroup()
    {
        using var machine = new AmdHostMachine();
        AmdHostDevice device = machine.AddDevice(Device, new() { PageRequests = true });
        AmdPagingDomain domain = machine.NewDomain(device);
        domain.PageRequests = new Sink();
        device.Attach(null, domain);
        domain.PageRequests = null;
        machine.Iommu.Iommu.RequestPage(new(new(Device), null, Iova, Access.Read, Group: 3, Last: false));
        machine.Iommu.Iommu.RequestPage(new(new(Device), null, Iova, Access.Read, Group: 3, Last: true));
        Assert.Equal(new(new(Device), null, 3, 15), Assert.Single(machine.Responses));
    }

    [Fact]
    public void ADeviceThatMayNotAskForPagesIsReported()
    {
        using var machine = new AmdHostMachine();
        AmdHostDevice device = machine.AddDevice(Device, new() { PageRequests = true });
        device.Attach(null, machine.NewDomain(device)); // nobody takes them
        machine.Iommu.Iommu.RequestPage(new(new(Device), null, Iova, Access.Read, Group: 3, Last: true));
        Assert.Equal(EventCode.InvalidPprRequest, Assert.Single(machine.Events).Code);
    }

    [Fact]
    public void WhatTheHostsTablesRefuseToAVmsDeviceIsToldToTheVmInItsTermsIfItAsks()
    {
        using var machine = new AmdHostMachine();
        AmdHostDevice device = machine.AddDevice(Device);
        HostedGuest guest = machine.NewGuest(device).Start();
        guest.Give(device, VirtualDevice, HostedGuest.Entry(guest.NewContext(HostedGuest.MemorySize).Gcr3, 7));
        machine.Reach(Device, Iova, Access.Write);
        Assert.Equal(new DeviceId(Device), Assert.Single(machine.Events).Device); // nobody asked
        var queue = new Queue();
        guest.Viommu.Events = queue;
        machine.Reach(Device, Iova, Access.Write);
        Assert.Single(machine.Events);
        (uint type, byte[] data) = Assert.Single(queue.Reports);
        ulong word0 = BitConverter.ToUInt64(data);
        Assert.Equal((3u, 16), (type, data.Length));
        Assert.Equal((2UL << 60 | 1UL << 53 | VirtualDevice, HostedGuest.MemorySize), (word0, BitConverter.ToUInt64(data, 8)));
        queue.Takes = false;
        machine.Reach(Device, Iova, Access.Write);
        Assert.Equal(2, machine.Events.Count);
        Assert.Empty(guest.DrainEvents());
    }

    private sealed class Sink : IPageRequestSink
    {
        public List<(HostDevice, uint?, int, ulong, Access, bool, bool)> Taken { get; } = [];

        public void Take(HostDevice device, uint? pasid, int group, ulong address, Access access, bool privileged, bool last) =>
            Taken.Add((device, pasid, group, address, access, privileged, last));
    }

    private sealed class Queue : IViommuEventSink
    {
        public List<(uint, byte[])> Reports { get; } = [];

        public bool Takes { get; set; } = true;

        public bool Report(uint type, ReadOnlySpan<byte> data)
        {
            if (Takes)
            {
                Reports.Add((type, data.ToArray()));
            }

            return Takes;
        }

        public bool TryVirtualId(HostDevice device, out ulong virtualId) => throw new NotSupportedException();
    }
}
