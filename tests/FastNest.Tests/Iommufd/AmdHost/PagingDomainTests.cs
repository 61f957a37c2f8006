using FastNest.Amd;
using FastNest.Iommufd;
using FastNest.Iommufd.AmdHost;
using FastNest.Requests;
using Xunit;

namespace FastNest.Tests.Iommufd.AmdHost;

/// <summary>Bring-up and paging domains of the AMD host driver, seen by what devices reach.</summary>
public sealed class PagingDomainTests
{
    private const uint Device = 0x0310;
    private const uint Other = 0x0318;
    private const ulong Iova = 0x10_0000;

    [Fact]
    public void DevicesThatNobodyAttachedAreBlocked()
    {
        using var machine = new AmdHostMachine();
        machine.AddDevice(Device);
        Assert.Null(machine.Reach(Device, 0x1000));
        Assert.Null(machine.Reach(0xFFF8, 0x1000, Access.Write)); // nobody's
        Assert.Equal([3UL, 0, 0, 0], machine.Entry(Device));
        Assert.Equal(2, machine.Events.Count);
        Assert.All(machine.Events, entry => Assert.Equal((FastNest.Amd.Events.EventCode.IoPageFault, true), (entry.Code, entry.PR)));
    }

    [Fact]
    public void AnAttachedDeviceReachesWhatIsMappedAndNothingElse()
    {
        using var machine = new AmdHostMachine();
        AmdHostDevice device = machine.AddDevice(Device);
        AmdPagingDomain domain = machine.NewDomain(device);
        device.Attach(null, domain);
        Assert.Null(machine.Reach(Device, Iova));
        machine.Map(Iova, 0x5000);
        Assert.Equal(0x5123UL, machine.Reach(Device, Iova + 0x123, Access.Write));
        Assert.Null(machine.Reach(Device, Iova + 0x1000));
        Assert.Null(machine.Reach(Other, Iova));
        machine.Ioas.Unmap(Iova, 0x1000);
        Assert.Null(machine.Reach(Device, Iova));
        device.Attach(null, null);
        machine.Map(Iova, 0x5000);
        Assert.Null(machine.Reach(Device, Iova));
    }

    [Theory]
    [InlineData(0x1000UL, 0x1000UL)]
    [InlineData(0x1000UL, 0x7000UL)]
    [InlineData(0x1F_F000UL, 0x2000UL)]
    [InlineData(0x20_0000UL, 0x20_0000UL)]
    [InlineData(0x4000_0000UL - 0x20_0000, 0x80_0000UL)]
    public void WhateverIsUnmappedIsGoneFromTheCaches(ulong iova, ulong length)
    {
        using var machine = new AmdHostMachine();
        AmdHostDevice device = machine.AddDevice(Device);
        device.Attach(null, machine.NewDomain(device));
        machine.Map(iova, 0x40_0000, length);
        ulong[] places = [iova, iova + length / 2 & ~0xFFFUL, iova + length - 0x1000];
        Assert.All(places, place => Assert.Equal(0x40_0000 + place - iova, machine.Reach(Device, place)));
        machine.Ioas.Unmap(iova, length);
        Assert.All(places, place => Assert.Null(machine.Reach(Device, place)));
    }

    [Fact]
    public void AnUnmapCostsOneCommandAndOneWaitHoweverMuchItUnmapsAndHoweverManyDomainsThereAre()
    {
        using var machine = new AmdHostMachine();
        AmdHostDevice device = machine.AddDevice(Device);
        device.Attach(null, machine.NewDomain(device));
        for (uint other = 1; other <= 20; other++)
        {
            Ioas ioas = machine.Context.CreateIoas();
            AmdHostDevice stranger = machine.AddDevice(0x1000 + other);
            stranger.Attach(null, machine.NewDomain(stranger, ioas: ioas));
        }

        machine.Map(0, 0x10_0000, 0x6F_3000);
        long before = machine.Iommu.Iommu.CommandsExecuted;
        machine.Ioas.Unmap(0, 0x6F_3000);
        Assert.Equal(2, machine.Iommu.Iommu.CommandsExecuted - before);
    }

    [Fact]
    public void ABatchMayHaveMoreCommandsThanTheRing()
    {
        using var machine = new AmdHostMachine();
        long before = machine.Iommu.Iommu.CommandsExecuted;
        using (CommandBatch batch = machine.Iommu.Commands.Begin())
        {
            for (int i = 0; i < 2000; i++)
            {
                batch.Add(HostCommand.InvalidateEntry(new(Device)));
            }

            batch.Complete();
        }

        Assert.Equal(2001, machine.Iommu.Iommu.CommandsExecuted - before);
    }

    [Fact]
    public void TwoIommusOverOneDomainAreBothInvalidated()
    {
        using var machine = new AmdHostMachine(iommus: 2);
        AmdHostDevice first = machine.AddDevice(Device);
        AmdHostDevice second = machine.AddDevice(Device, iommu: 1);
        AmdPagingDomain domain = machine.NewDomain(first);
        first.Attach(null, domain);
        second.Attach(null, domain);
        machine.Map(Iova, 0x5000);
        Assert.Equal(0x5000UL, machine.Reach(Device, Iova));
        Assert.Equal(0x5000UL, machine.Reach(Device, Iova, iommu: 1));
        machine.Ioas.Unmap(Iova, 0x1000);
        Assert.Null(machine.Reach(Device, Iova));
        Assert.Null(machine.Reach(Device, Iova, iommu: 1));
    }

    [Fact]
    public void WhatChangedWhileADomainHadNoDeviceIsSeenByTheNext()
    {
        using var machine = new AmdHostMachine();
        AmdHostDevice device = machine.AddDevice(Device);
        AmdHostDevice other = machine.AddDevice(Other);
        AmdPagingDomain domain = machine.NewDomain(device);
        machine.Map(Iova, 0x5000);
        device.Attach(null, domain);
        Assert.Equal(0x5000UL, machine.Reach(Device, Iova));
        device.Attach(null, null);
        machine.Ioas.Unmap(Iova, 0x1000);
        other.Attach(null, domain);
        Assert.Null(machine.Reach(Other, Iova));
    }

    [Fact]
    public void ReplacingADomainMovesTheDeviceAtOnce()
    {
        using var machine = new AmdHostMachine();
        Ioas second = machine.Context.CreateIoas();
        AmdHostDevice device = machine.AddDevice(Device);
        AmdPagingDomain first = machine.NewDomain(device);
        AmdPagingDomain next = machine.NewDomain(device, ioas: second);
        machine.Map(Iova, 0x5000);
        machine.Map(Iova, 0x6000, ioas: second);
        device.Attach(null, first);
        Assert.Equal(0x5000UL, machine.Reach(Device, Iova));
        device.Attach(null, next);
        Assert.Equal(0x6000UL, machine.Reach(Device, Iova));
    }

    [Fact]
    public void ADeviceWithATranslationCacheIsToldOfWhatGoesAway()
    {
        using var machine = new AmdHostMachine();
        AmdHostDevice device = machine.AddDevice(Device, new() { Ats = true });
        device.Attach(null, machine.NewDomain(device));
        machine.Map(Iova, 0x5000, 0x2000);
        machine.DeviceTlbs.Clear();
        machine.Ioas.Unmap(Iova, 0x2000);
        Assert.Equal(new DeviceTlbInvalidation(new(Device), null, Iova, 13), Assert.Single(machine.DeviceTlbs));
        machine.DeviceTlbs.Clear();
        device.Attach(null, null);
        Assert.Contains(new DeviceTlbInvalidation(new(Device), null, 0, 64), machine.DeviceTlbs);
    }

    [Fact]
    public void WhatIsWrittenIsKnownWhileDirtyTrackingIsOn()
    {
        using var machine = new AmdHostMachine();
        AmdHostDevice device = machine.AddDevice(Device);
        AmdHostDevice late = machine.AddDevice(Other);
        AmdPagingDomain domain = machine.NewDomain(device, HwptOptions.DirtyTracking);
        device.Attach(null, domain);
        machine.Map(Iova, 0x5000, 0x4000);
        machine.Reach(Device, Iova, Access.Write);
        Assert.Equal(0, Dirty(domain)); // nobody asked
        domain.Tables.BeginDirtyTracking(false);
        domain.SetDirtyTracking(true);
        late.Attach(null, domain);
        machine.Reach(Device, Iova + 0x1000, Access.Write);
        machine.Reach(Device, Iova + 0x2000);
        machine.Reach(Other, Iova + 0x3000, Access.Write);
        Assert.Equal(0b1010, Dirty(domain));
        Assert.Equal(0, Dirty(domain));
        machine.Reach(Device, Iova + 0x1000, Access.Write); // again, though it was cached
        Assert.Equal(0b0010, Dirty(domain));
        domain.SetDirtyTracking(false);
        machine.Reach(Device, Iova, Access.Write);
        Assert.Equal(0, Dirty(domain));
    }

    [Fact]
    public void DomainIdsAreReusedOnceAllWereUsed()
    {
        using var machine = new AmdHostMachine();
        AmdHostDevice device = machine.AddDevice(Device);
        var seen = new HashSet<ushort>();
        for (int i = 0; i < 70_000; i++)
        {
            using var use = new DomainUse(device);
            seen.Add(use.Id);
        }

        Assert.DoesNotContain((ushort)0, seen);
        Assert.Equal(65535 - machine.Driver.DomainIds.Taken, seen.Count);
    }

    [Fact]
    public void WhatTheDriverCannotDoIsRefused()
    {
        using var machine = new AmdHostMachine(features: IommuFeatures.Built with { ExtendedFeatures = IommuFeatures.Built.ExtendedFeatures & ~(1UL << 52) });
        AmdHostDevice device = machine.AddDevice(Device);
        AmdPagingDomain domain = machine.NewDomain(device);
        Assert.Equal(Errno.EOPNOTSUPP, IoasMachine.Fails(() => device.CreatePaging(HwptOptions.AllocPasid, default)));
        Assert.Equal(Errno.EOPNOTSUPP, IoasMachine.Fails(() => device.CreatePaging(HwptOptions.DirtyTracking, default)));
        Assert.Equal(Errno.EOPNOTSUPP, IoasMachine.Fails(() => device.CreatePaging(HwptOptions.None, new(3, new byte[32]))));
        Assert.Equal(Errno.EINVAL, IoasMachine.Fails(() => device.Attach(1, domain)));
        Assert.Equal(Errno.EBUSY, IoasMachine.Fails(() => machine.AddDevice(Device)));
        Assert.Throws<ArgumentOutOfRangeException>(() => machine.AddDevice(0));
        Assert.Throws<ArgumentOutOfRangeException>(() => machine.AddDevice(0x1_0000));
        Assert.Throws<ArgumentOutOfRangeException>(() => machine.AddDevice(8, new() { PasidBits = 21 }));
        Assert.Null(device.Entry.Attachment);
    }

    [Fact]
    public void WhatADisposedDriverLeavesRefusesEverything()
    {
        using var machine = new AmdHostMachine();
        machine.Driver.Dispose();
        Assert.Null(machine.Reach(Device, 0x1000));
        Assert.Null(machine.Reach(1, 0x1000));
    }

    private static int Dirty(AmdPagingDomain domain)
    {
        byte[] bits = new byte[1];
        domain.Tables.ReadDirty(Iova, 0x4000, 0x1000, bits, clear: true);
        return bits[0];
    }

    private readonly struct DomainUse(AmdHostDevice device) : IDisposable
    {
        private readonly AmdPagingDomain _domain = (AmdPagingDomain)device.CreatePaging(HwptOptions.None, default);

        public ushort Id => _domain.Id;

        public void Dispose() => _domain.Dispose();
    }
}
