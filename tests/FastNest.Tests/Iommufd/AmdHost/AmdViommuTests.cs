using System.Buffers.Binary;
using FastNest.Amd;
using FastNest.Iommufd;
using FastNest.Iommufd.AmdHost;
using FastNest.Iommufd.Drivers;
using FastNest.Requests;
using FastNest.Tests.Machine;
using Xunit;

namespace FastNest.Tests.Iommufd.AmdHost;

/// <summary>vIOMMUs of type 3: what a VM does on its own rings, and what it cannot do to others (digest section 8).</summary>
public sealed class AmdViommuTests
{
    private const uint Device = 0x0310;
    private const uint Other = 0x0318;
    private const ushort VirtualDevice = 0x0020;
    private const ushort GuestDomain = 7;
    private const ulong Iova = 0x9000;
    private const ulong Everything = 0x7FFF_FFFF_FFFF_F007; // S, PDE, GN

    /// <summary>Reading 112: what a completion stores into the ring itself is what is executed there.</summary>
    [Fact]
    public void ACommandThatACompletionWritesIsTheOneThatRuns()
    {
        const ulong seen = HostedGuest.Semaphore + 0x100;
        using var machine = new AmdHostMachine();
        HostedGuest guest = machine.NewGuest(machine.AddDevice(Device)).Start();
        (ulong store, _) = Bits.StoreWait(seen, 0);
        guest.Send(
            Bits.StoreWait(HostedGuest.CommandRing + 2 * 16, store),
            Bits.Command(1),
            (Bits.Command(1).Item1, 0x77UL));
        Assert.Equal(0x77UL, guest.Peek(seen));
    }

    [Fact]
    public void TheVmLearnsWhatItWasGiven()
    {
        using var machine = new AmdHostMachine();
        HostedGuest guest = machine.NewGuest(machine.AddDevice(Device));
        guest.Viommu.PageIsAt(0x1234_5000);
        Assert.Equal(AmdHostMachine.IommuDevice, BinaryPrimitives.ReadUInt32LittleEndian(guest.Data));
        Assert.Equal(guest.Viommu.TranslateEntry.Id.Value, BinaryPrimitives.ReadUInt32LittleEndian(guest.Data.AsSpan(8)));
        Assert.Equal(1u, BinaryPrimitives.ReadUInt32LittleEndian(guest.Data.AsSpan(12)));
        Assert.Equal(0x1234_5000UL, BinaryPrimitives.ReadUInt64LittleEndian(guest.Data.AsSpan(16)));
        Assert.Equal(4096UL, guest.Viommu.PageLength);
    }

    [Fact]
    public void CommandsRunOnTheVmsOwnRingAndTheirCompletionIsInItsMemory()
    {
        using var machine = new AmdHostMachine();
        HostedGuest guest = machine.NewGuest(machine.AddDevice(Device)).Start();
        long host = machine.Iommu.Iommu.CommandsExecuted;
        for (int i = 0; i < 300; i++)
        {
            guest.SendAndWait(Bits.InvalidateDevice(1));
        }

        Assert.Equal((600, host), (machine.Iommu.Iommu.Viommu!.CommandsExecuted, machine.Iommu.Iommu.CommandsExecuted));
        Assert.Empty(machine.Events);
        Assert.Empty(guest.DrainEvents());
    }

    [Fact]
    public void AVmInvalidatesWhatItsOwnDomainIdStandsForAndNothingElse()
    {
        using var machine = new AmdHostMachine();
        AmdHostDevice device = machine.AddDevice(Device);
        HostedGuest guest = machine.NewGuest(device).Start();
        (ulong gcr3, ulong leaf) = guest.NewContext(0x5000);
        guest.Give(device, VirtualDevice, HostedGuest.Entry(gcr3, GuestDomain));
        Assert.Equal(guest.Memory + 0x5000, machine.Reach(Device, Iova));
        guest.Poke(leaf, 0x6000 | 7);
        guest.SendAndWait(Bits.Command(3, (GuestDomain + 1UL) << 32, Everything)); // not in use: no effect, no error
        Assert.Equal(guest.Memory + 0x5000, machine.Reach(Device, Iova));
        guest.SendAndWait(Bits.Command(3, (ulong)GuestDomain << 32, Everything));
        Assert.Equal(guest.Memory + 0x6000, machine.Reach(Device, Iova));
        Assert.Empty(machine.Events);
    }

    [Fact]
    public void EveryIdOfAVmThatNothingStandsForIsHarmless()
    {
        using var machine = new AmdHostMachine();
        AmdHostDevice device = machine.AddDevice(Device, new() { Ats = true });
        HostedGuest guest = machine.NewGuest(device).Start();
        guest.Give(device, VirtualDevice, HostedGuest.Entry(guest.NewContext(0x5000).Gcr3, GuestDomain));
        machine.DeviceTlbs.Clear();
        foreach (ulong id in new ulong[] { 0, 1, VirtualDevice - 1, VirtualDevice + 1, Device, 0x8000, 0xFFFF })
        {
            guest.SendAndWait(Bits.Command(3, id << 32, Everything), Bits.Command(4, id, 0x1000), Bits.Command(7, id));
        }

        Assert.Empty(machine.DeviceTlbs);
        Assert.Empty(machine.Responses);
        Assert.Empty(machine.Events);
        Assert.Empty(guest.DrainEvents());
        guest.SendAndWait(Bits.Command(4, VirtualDevice, 0x1000), Bits.Command(7, VirtualDevice));
        Assert.Equal(new DeviceTlbInvalidation(new(Device), null, 0x1000, 12), Assert.Single(machine.DeviceTlbs));
        Assert.Equal(new DeviceId(Device), Assert.Single(machine.Responses).Device);
    }

    [Fact]
    public void ANumberThatIsTakenBackLeadsNowhere()
    {
        using var machine = new AmdHostMachine();
        AmdHostDevice device = machine.AddDevice(Device, new() { Ats = true });
        HostedGuest guest = machine.NewGuest(device).Start();
        IDisposable number = guest.Viommu.MapDevice(device, VirtualDevice);
        guest.SendAndWait(Bits.Command(4, VirtualDevice, 0x1000));
        Assert.Single(machine.DeviceTlbs);
        number.Dispose();
        number.Dispose();
        guest.SendAndWait(Bits.Command(4, VirtualDevice, 0x1000));
        Assert.Single(machine.DeviceTlbs);
        Assert.Empty(machine.Events);
        guest.Own(guest.Viommu.MapDevice(device, VirtualDevice + 1));
    }

    [Fact]
    public void WhatVmsShareOfTheirTablesIsNotWritten()
    {
        using var machine = new AmdHostMachine();
        AmdHostDevice device = machine.AddDevice(Device, new() { Ats = true });
        HostedGuest[] guests = [machine.NewGuest(device).Start(), machine.NewGuest(device).Start()];
        guests[0].Viommu.Control.Write(0x00, TestGuest.MapWord(VirtualDevice, (ushort)Device, valid: true)); // no page of its own there
        Assert.Equal(FastNest.Amd.Events.EventCode.ViommuHardwareError, Assert.Single(machine.Events).Code);
        guests[1].SendAndWait(Bits.Command(4, VirtualDevice, 0x1000));
        Assert.Empty(machine.DeviceTlbs);
    }

    [Fact]
    public void AVmsTablesAreInThePrivateAddressSpaceForAsLongAsItIs()
    {
        using var machine = new AmdHostMachine();
        AmdHostDevice device = machine.AddDevice(Device);
        HostedGuest[] guests = [machine.NewGuest(device), machine.NewGuest(device)];
        ulong[] devices = [.. guests.Select(guest => GuestMachine.DevIds + ((ulong)guest.Viommu.GuestId << 20))];
        ulong[] domains = [.. guests.Select(guest => GuestMachine.DomIds + ((ulong)guest.Viommu.GuestId << 19))];
        ulong?[] shared = [.. devices.Select(at => Private(at))];
        Assert.NotNull(shared[0]);
        Assert.Equal([shared[0], shared[0] + 8], [shared[1], Private(devices[1] + 0xF_F008)]);
        Assert.NotEqual(Private(domains[0]), Private(domains[1]));
        Assert.Equal(Private(domains[0]) + 8, Private(domains[0] + 0x7_F008));
        Assert.Null(Private(devices[0], Access.Write));
        guests[0].Own(guests[0].Viommu.MapDevice(device, 1));
        ulong own = Private(devices[0])!.Value; // at once, though the shared page was cached
        Assert.Equal(own, Private(devices[0], Access.Write));
        Assert.NotEqual(shared[0], own);
        Assert.Equal([1UL, 1UL | (ulong)Device << 24, 1UL], new[] { 0UL, 16UL, 32UL }.Select(at => machine.Peek(own + at)));
        Assert.Equal(shared[0], Private(devices[0] + 0x1000));
        guests[0].Dispose();
        Assert.Equal([null, null, null], [Private(devices[0]), Private(devices[0] + 0x1000), Private(domains[0])]);
        Assert.Equal(shared[1], Private(devices[1]));

        ulong? Private(ulong address, Access access = Access.Read) => machine.Reach(AmdHostMachine.IommuDevice, address, access);
    }

    [Fact]
    public void TwoVmsWithTheSameIdsDoNotReachEachOther()
    {
        using var machine = new AmdHostMachine();
        AmdHostDevice first = machine.AddDevice(Device, new() { Ats = true });
        AmdHostDevice second = machine.AddDevice(Other, new() { Ats = true });
        HostedGuest[] guests = [machine.NewGuest(first).Start(), machine.NewGuest(second).Start()];
        (ulong Gcr3, ulong Leaf)[] contexts = [guests[0].NewContext(0x5000), guests[1].NewContext(0x5000)];
        guests[0].Give(first, VirtualDevice, HostedGuest.Entry(contexts[0].Gcr3, GuestDomain));
        guests[1].Give(second, VirtualDevice, HostedGuest.Entry(contexts[1].Gcr3, GuestDomain));
        Assert.Equal(guests[0].Memory + 0x5000, machine.Reach(Device, Iova));
        Assert.Equal(guests[1].Memory + 0x5000, machine.Reach(Other, Iova));
        guests[1].Poke(contexts[1].Leaf, 0x6000 | 7);
        machine.DeviceTlbs.Clear();
        guests[0].SendAndWait(
            Bits.Command(3, (ulong)GuestDomain << 32, Everything), Bits.Command(4, VirtualDevice, Everything & ~6UL), Bits.Command(4, Other, 0x1000));
        Assert.Equal(guests[1].Memory + 0x5000, machine.Reach(Other, Iova)); // still cached
        Assert.Equal(new DeviceTlbInvalidation(new(Device), null, 0, 64), Assert.Single(machine.DeviceTlbs));
        guests[1].SendAndWait(Bits.Command(3, (ulong)GuestDomain << 32, Everything));
        Assert.Equal(guests[1].Memory + 0x6000, machine.Reach(Other, Iova));
    }

    [Fact]
    public void FaultsInTheVmsTablesAreLoggedForIt()
    {
        using var machine = new AmdHostMachine();
        AmdHostDevice device = machine.AddDevice(Device);
        HostedGuest guest = machine.NewGuest(device).Start();
        guest.Give(device, VirtualDevice, HostedGuest.Entry(guest.NewContext(0x5000).Gcr3, GuestDomain));
        Assert.Null(machine.Reach(Device, Iova + 0x1000));
        (ulong low, ulong high) = Assert.Single(guest.DrainEvents());
        Assert.Equal((2UL, (ulong)VirtualDevice, Iova + 0x1000), (low >> 60, low & 0xFFFF, high));
        Assert.Empty(machine.Events);
    }

    [Fact]
    public void PageRequestsOfAVmsDeviceAreLoggedForItAndItAnswersThem()
    {
        using var machine = new AmdHostMachine();
        AmdHostDevice device = machine.AddDevice(Device, new() { PageRequests = true });
        HostedGuest guest = machine.NewGuest(device).Start();
        guest.Give(device, VirtualDevice, HostedGuest.Entry(guest.NewContext(0x5000).Gcr3, GuestDomain, flags: 1UL << 52));
        machine.Iommu.Iommu.RequestPage(new(new(Device), 3, Iova, Access.Read, Group: 9, Last: true));
        Assert.Equal(VirtualDevice, Assert.Single(guest.DrainPprs()).Low & 0xFFFF);
        guest.SendAndWait(Bits.Command(7, VirtualDevice | 3UL << 32, 4 | 9UL << 32));
        Assert.Equal(new(new(Device), 3, 9, 0), Assert.Single(machine.Responses));
    }

    [Theory]
    [InlineData(2u, 1u, 0UL, 4096UL, Errno.EINVAL)]
    [InlineData(2u, 0u, 0x800UL, 4096UL, Errno.EINVAL)]
    [InlineData(3u, 0u, 1UL << 52, 4096UL, Errno.EINVAL)]
    [InlineData(3u, 0u, 0UL, 2048UL, Errno.EINVAL)]
    [InlineData(4u, 0u, 0UL, 4096UL + 16, Errno.EINVAL)]
    [InlineData(4u, 0u, 0UL, 1UL << 20, Errno.EINVAL)]
    [InlineData(4u, 0u, 0UL, 0UL, Errno.EINVAL)]
    [InlineData(1u, 0u, 0UL, 4096UL, Errno.EOPNOTSUPP)]
    [InlineData(5u, 0u, 0UL, 4096UL, Errno.EOPNOTSUPP)]
    public void QueuesThatTheHardwareDoesNotHaveAreRefused(uint type, uint index, ulong address, ulong length, Errno errno)
    {
        using var machine = new AmdHostMachine();
        HostedGuest guest = machine.NewGuest(machine.AddDevice(Device));
        Assert.Equal(errno, IoasMachine.Fails(() => guest.Viommu.CreateQueue(type, index, address, length)));
    }

    [Fact]
    public void AQueueIsOneOfItsKindAndStopsWhenItIsGivenBack()
    {
        using var machine = new AmdHostMachine();
        HostedGuest guest = machine.NewGuest(machine.AddDevice(Device));
        guest.Viommu.Mmio.Write(Mmio.Control, 8, 1 | 1 << 12);
        IDisposable queue = guest.Viommu.CreateQueue(2, 0, HostedGuest.CommandRing, 4096);
        Assert.Equal(QueueMemory.Guest, guest.Viommu.QueueMemoryOf(2));
        Assert.Equal(Errno.EEXIST, IoasMachine.Fails(() => guest.Viommu.CreateQueue(2, 0, 0x1000, 4096)));
        guest.SendAndWait(); // the enable was there before the queue
        queue.Dispose();
        queue.Dispose();
        guest.Send(Bits.StoreWait(HostedGuest.Semaphore, 0x55));
        Assert.Equal(1UL, guest.Peek(HostedGuest.Semaphore));
        guest.Own(guest.Viommu.CreateQueue(2, 0, HostedGuest.CommandRing, 4096));
    }

    [Fact]
    public void AVmWhoseMemoryIsTakenAwayIsStoppedAndTheOthersRunOn()
    {
        using var machine = new AmdHostMachine();
        AmdHostDevice device = machine.AddDevice(Device);
        HostedGuest[] guests = [machine.NewGuest(device).Start(), machine.NewGuest(device).Start()];
        guests[0].SendAndWait();
        guests[0].Ioas.Unmap(0, HostedGuest.MemorySize);
        guests[0].Send(Bits.StoreWait(HostedGuest.Semaphore, 0x55));
        Assert.Equal(1UL, guests[0].Peek(HostedGuest.Semaphore));
        guests[1].SendAndWait();
    }

    [Fact]
    public void ADeadVmsWindowsReachNobody()
    {
        using var machine = new AmdHostMachine();
        AmdHostDevice device = machine.AddDevice(Device);
        HostedGuest guest = machine.NewGuest(device).Start();
        guest.SendAndWait();
        guest.Dispose();
        Assert.Equal(0UL, guest.Viommu.Page.Read(0x08, 8));
        guest.Viommu.Page.Write(0x08, 8, 0x40);
        guest.Viommu.Mmio.Write(0x08, 8, 0x1000 | 8UL << 56);
        Assert.Equal(0UL, machine.Iommu.Iommu.Viommu!.VfMmio.Read((ulong)guest.Viommu.GuestId * 4096 + 8, 8));
        Assert.Equal((0UL, 0UL), (guest.Viommu.Control.Read(0x10), guest.Viommu.Control.Read(0x20)));
        Assert.Equal(3UL, machine.Entry(guest.Viommu.TranslateEntry.Id.Value)[0]);
    }

    [Fact]
    public void AThousandVmsComeAndGoWithoutATrace()
    {
        using var machine = new AmdHostMachine();
        AmdHostDevice[] devices = [.. Enumerable.Range(0, 16).Select(i => machine.AddDevice(0x300 + (uint)i))];
        Ioas ioas = machine.Context.CreateIoas();
        machine.Map(0, 0x100_0000, HostedGuest.MemorySize, ioas);
        AmdPagingDomain parent = machine.NewDomain(devices[0], HwptOptions.NestParent, ioas);
        long pages = machine.Driver.Pages.Taken;
        int domains = machine.Driver.DomainIds.Taken;
        for (int i = 0; i < 1000; i++)
        {
            using var guest = new HostedGuest(machine, devices[0], parent, ioas, 0x100_0000);
            guest.Start().SendAndWait();
            (ulong gcr3, _) = guest.NewContext(0x5000);
            for (int d = 0; d < (i % 50 == 0 ? 16 : 1); d++)
            {
                guest.Give(devices[d], (ushort)(d << 3), HostedGuest.Entry(gcr3, (ushort)d));
                Assert.Equal(0x100_5000UL, machine.Reach(0x300 + (uint)d, Iova));
            }

            Array.ForEach(devices, device => device.Attach(null, null));
            Assert.Null(machine.Reach(0x300, Iova));
        }

        Assert.Equal((pages, domains, 0), (machine.Driver.Pages.Taken, machine.Driver.DomainIds.Taken, machine.Iommu.GuestIds.Taken));
        Assert.DoesNotContain(machine.Events, entry => entry.Code != FastNest.Amd.Events.EventCode.IoPageFault);
    }

    [Fact]
    public void WhatIsNotThereIsRefused()
    {
        using var machine = new AmdHostMachine(iommus: 2);
        using var plain = new AmdHostMachine(features: IommuFeatures.Built);
        AmdHostDevice device = machine.AddDevice(Device);
        AmdHostDevice elsewhere = machine.AddDevice(Device, iommu: 1);
        HostedGuest guest = machine.NewGuest(device);
        AmdHostDevice unserved = plain.AddDevice(Device);
        AmdPagingDomain unservedParent = plain.NewDomain(unserved, HwptOptions.NestParent);
        Assert.Equal(Errno.EOPNOTSUPP, IoasMachine.Fails(() => unserved.CreateViommu(3, unservedParent, default)));
        Assert.Equal(Errno.EOPNOTSUPP, IoasMachine.Fails(() => device.CreateViommu(1, guest.Parent, default)));
        Assert.Equal(Errno.EINVAL, IoasMachine.Fails(() => device.CreateViommu(3, guest.Parent, new byte[23])));
        Assert.Equal(Errno.EINVAL, IoasMachine.Fails(() => guest.Viommu.MapDevice(device, 0x1_0000)));
        Assert.Equal(Errno.EINVAL, IoasMachine.Fails(() => guest.Viommu.MapDevice(elsewhere, 1)));
        Assert.Equal(Errno.EOPNOTSUPP, IoasMachine.Fails(() => guest.Viommu.Invalidate(1, 16, new byte[16], 1, out _)));
        AmdNestedDomain nested = guest.CreateNested(0);
        guest.Own(nested);
        Assert.Equal(Errno.EINVAL, IoasMachine.Fails(() => elsewhere.Attach(null, nested)));
        Assert.Equal(1, machine.Iommu.GuestIds.Taken);
    }
}
