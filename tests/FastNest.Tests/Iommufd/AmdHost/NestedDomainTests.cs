using FastNest.Amd;
using FastNest.Iommufd;
using FastNest.Iommufd.AmdHost;
using FastNest.Requests;
using Xunit;

namespace FastNest.Tests.Iommufd.AmdHost;

/// <summary>Nested HWPTs from a guest's device table entry (digest sections 2, 8.9 and 9; reading 109).</summary>
public sealed class NestedDomainTests
{
    private const uint Device = 0x0310;
    private const uint Other = 0x0318;
    private const ushort VirtualDevice = 0x0020;
    private const ushort GuestDomain = 7;
    private const ulong GV = 1UL << 55;
    private const ulong Iova = 0x9000;

    [Fact]
    public void RequestsGoThroughTheGuestsTablesAndThenTheHosts()
    {
        using var machine = new AmdHostMachine();
        AmdHostDevice device = machine.AddDevice(Device);
        HostedGuest guest = machine.NewGuest(device);
        guest.Give(device, VirtualDevice, HostedGuest.Entry(guest.NewContext(0x5000).Gcr3, GuestDomain));
        Assert.Equal(guest.Memory + 0x5678, machine.Reach(Device, Iova + 0x678, Access.Write));
        Assert.Equal(guest.Memory + 0x5678, machine.Reach(Device, Iova + 0x678, pasid: 0));
        Assert.Null(machine.Reach(Device, Iova + 0x1000));
        Assert.Null(machine.Reach(Device, 0x5000));
    }

    [Fact]
    public void TheHostsEntryIsItsOwnWithWhatTheGuestMaySay()
    {
        using var machine = new AmdHostMachine();
        AmdHostDevice device = machine.AddDevice(Device, new() { Ats = true, PageRequests = true });
        HostedGuest guest = machine.NewGuest(device);
        ulong gcr3 = 0x8_9ABC_D000;
        AmdNestedDomain nested = guest.Give(
            device, VirtualDevice,
            ulong.MaxValue & ~(7UL << 9 | 0xF_FFFF_FFFF_F000 | 3UL << 7 | 3UL << 56 | 7UL << 58) | (gcr3 >> 12 & 7) << 58 | 1UL << 56,
            (0xFFFF_FFFF_FFFF & ~(0xFFFFUL << 16 | 0x1F_FFFFUL << 43 | 0xFFFF)) | GuestDomain | (gcr3 >> 15 & 0xFFFF) << 16 | (gcr3 >> 31) << 43,
            1UL << 54 | 1UL << 60 | 1,
            ulong.MaxValue);
        ulong root = guest.Parent.Tables.Root;
        Assert.Equal(
            [
                Bits.DteLow(root, 4) | 1UL << 52 | 1UL << 54 | GV | 1UL << 56 | (gcr3 >> 12 & 7) << 58,
                nested.HostId | (gcr3 >> 15 & 0xFFFF) << 16 | 1UL << 32 | (gcr3 >> 31) << 43,
                1UL << 54,
                1UL << 15 | (ulong)VirtualDevice << 16 | (ulong)guest.Viommu.GuestId << 32,
            ],
            machine.Entry(Device));
    }

    [Theory]
    [InlineData(0UL, true, true)] // V=0 passes
    [InlineData(1UL, false, false)] // V=1, TV=0
    [InlineData(3UL, false, false)]
    [InlineData(3 | 1UL << 61, true, false)]
    [InlineData(3 | 1UL << 62, false, true)]
    [InlineData(3 | 3UL << 61, true, true)]
    public void WithoutTablesTheGuestSaysWhetherItsMemoryIsReachable(ulong word0, bool reads, bool writes)
    {
        using var machine = new AmdHostMachine();
        AmdHostDevice device = machine.AddDevice(Device);
        HostedGuest guest = machine.NewGuest(device);
        guest.Attach(device, word0); // a number is not needed for that
        Assert.Equal(reads ? guest.Memory + 0x5000 : null, machine.Reach(Device, 0x5000));
        Assert.Equal(writes ? guest.Memory + 0x5000 : null, machine.Reach(Device, 0x5000, Access.Write));
        Assert.Null(machine.Reach(Device, HostedGuest.MemorySize));
    }

    [Fact]
    public void WhatIsNotForNestingIsRefusedAndNothingStays()
    {
        using var machine = new AmdHostMachine();
        AmdHostDevice device = machine.AddDevice(Device);
        HostedGuest guest = machine.NewGuest(device);
        int ids = machine.Driver.DomainIds.Taken;
        ulong[] good = HostedGuest.Entry(0x4_0000, GuestDomain);
        Refuses(Errno.EINVAL, good[0] | 1UL << 9, good[1]); // Mode
        Refuses(Errno.EINVAL, good[0] | 1UL << 12, good[1]); // host root
        Refuses(Errno.EINVAL, good[0] | 3UL << 56, good[1]); // GLX
        Refuses(Errno.EINVAL, 3 | GV, GuestDomain); // no GCR3 root
        Refuses(Errno.EINVAL, good[0], good[1], 2UL << 54); // GuestPagingMode
        Assert.Equal(Errno.EOPNOTSUPP, IoasMachine.Fails(() => guest.Viommu.CreateNested(HwptOptions.None, new(2, new byte[32]))));
        Assert.Equal(Errno.EINVAL, IoasMachine.Fails(() => guest.Viommu.CreateNested(HwptOptions.None, new(3, new byte[31]))));
        Assert.Equal(Errno.EINVAL, IoasMachine.Fails(() => guest.Viommu.CreateNested(HwptOptions.None, new(3, (byte[])[.. new byte[32], 1]))));
        Assert.Equal(Errno.EOPNOTSUPP, IoasMachine.Fails(() => guest.Viommu.CreateNested(HwptOptions.NestParent, new(3, new byte[32]))));
        Assert.Equal(Errno.EOPNOTSUPP, IoasMachine.Fails(() => device.CreateNested(guest.Parent, HwptOptions.None, new(3, new byte[32]))));
        Assert.Equal(ids, machine.Driver.DomainIds.Taken);

        void Refuses(Errno errno, params ulong[] entry) => Assert.Equal(errno, IoasMachine.Fails(() => guest.CreateNested(entry)));
    }

    [Fact]
    public void AHostOfFourGuestLevelsDoesNotOfferFive()
    {
        using var machine = new AmdHostMachine(features: IommuFeatures.BuiltForGuests with
        {
            ExtendedFeatures = IommuFeatures.BuiltForGuests.ExtendedFeatures & ~(3UL << 12),
        });
        HostedGuest guest = machine.NewGuest(machine.AddDevice(Device));
        ulong[] entry = HostedGuest.Entry(0x4_0000, GuestDomain);
        Assert.Equal(Errno.EOPNOTSUPP, IoasMachine.Fails(() => guest.CreateNested(entry[0], entry[1], 1UL << 54)));
    }

    [Fact]
    public void ADeviceWithoutANumberIsNotAttachedToAGuestsTables()
    {
        using var machine = new AmdHostMachine();
        AmdHostDevice device = machine.AddDevice(Device);
        HostedGuest guest = machine.NewGuest(device);
        AmdNestedDomain nested = guest.CreateNested(HostedGuest.Entry(guest.NewContext(0x5000).Gcr3, GuestDomain));
        guest.Own(nested);
        Assert.Equal(Errno.ENOENT, IoasMachine.Fails(() => device.Attach(null, nested)));
        Assert.Equal([3UL, 0, 0, 0], machine.Entry(Device));
    }

    [Fact]
    public void OneGuestDomainIsOneHostDomainUntilItsLastHwptIsGone()
    {
        using var machine = new AmdHostMachine();
        AmdHostDevice device = machine.AddDevice(Device);
        HostedGuest guest = machine.NewGuest(device);
        HostedGuest stranger = machine.NewGuest(device);
        int ids = machine.Driver.DomainIds.Taken;
        AmdNestedDomain first = guest.CreateNested(3, GuestDomain);
        AmdNestedDomain second = guest.CreateNested(0, GuestDomain);
        AmdNestedDomain other = guest.CreateNested(3, GuestDomain + 1);
        AmdNestedDomain foreign = stranger.CreateNested(3, GuestDomain);
        Assert.Equal(first.HostId, second.HostId);
        Assert.Equal(3, new HashSet<ushort> { first.HostId, other.HostId, foreign.HostId }.Count);
        Assert.Equal(ids + 3, machine.Driver.DomainIds.Taken);
        first.Dispose();
        Assert.Equal(ids + 3, machine.Driver.DomainIds.Taken);
        second.Dispose();
        other.Dispose();
        foreign.Dispose();
        Assert.Equal(ids, machine.Driver.DomainIds.Taken);
    }

    [Fact]
    public void WhatTheHostTakesAwayIsGoneForEveryDomainOfTheGuest()
    {
        using var machine = new AmdHostMachine();
        AmdHostDevice device = machine.AddDevice(Device);
        AmdHostDevice other = machine.AddDevice(Other, new() { Ats = true });
        HostedGuest guest = machine.NewGuest(device);
        guest.Give(device, VirtualDevice, HostedGuest.Entry(guest.NewContext(0x5000).Gcr3, GuestDomain));
        guest.Give(other, VirtualDevice + 1, HostedGuest.Entry(guest.NewContext(0x6000).Gcr3, GuestDomain + 1));
        Assert.NotNull(machine.Reach(Device, Iova));
        Assert.NotNull(machine.Reach(Other, Iova));
        machine.DeviceTlbs.Clear();
        guest.Ioas.Unmap(0, HostedGuest.MemorySize);
        Assert.Null(machine.Reach(Device, Iova));
        Assert.Null(machine.Reach(Other, Iova));
        Assert.Equal(new DeviceTlbInvalidation(new(Other), null, 0, 64), Assert.Single(machine.DeviceTlbs));
    }

    [Fact]
    public void AVmWithASliceOfEachIommuSharesOneParent()
    {
        using var machine = new AmdHostMachine(iommus: 2);
        AmdHostDevice first = machine.AddDevice(Device);
        AmdHostDevice second = machine.AddDevice(Device, iommu: 1);
        HostedGuest guest = machine.NewGuest(first);
        using var slice = new HostedGuest(machine, second, guest.Parent, guest.Ioas, guest.Memory);
        ulong[] entry = HostedGuest.Entry(guest.NewContext(0x5000).Gcr3, GuestDomain);
        guest.Give(first, VirtualDevice, entry);
        slice.Give(second, VirtualDevice, entry);
        Assert.Equal(guest.Memory + 0x5000, machine.Reach(Device, Iova));
        Assert.Equal(guest.Memory + 0x5000, machine.Reach(Device, Iova, iommu: 1));
        guest.Ioas.Unmap(0, HostedGuest.MemorySize);
        Assert.Null(machine.Reach(Device, Iova));
        Assert.Null(machine.Reach(Device, Iova, iommu: 1));
        second.Attach(null, null);
    }

    [Fact]
    public void WhatADeviceOfAGuestWritesIsMarkedInTheHostsTable()
    {
        using var machine = new AmdHostMachine();
        AmdHostDevice device = machine.AddDevice(Device);
        HostedGuest guest = machine.NewGuest(device, HwptOptions.DirtyTracking);
        guest.Give(device, VirtualDevice, HostedGuest.Entry(guest.NewContext(0x5000).Gcr3, GuestDomain));
        guest.Parent.Tables.BeginDirtyTracking(false);
        guest.Parent.SetDirtyTracking(true);
        machine.Reach(Device, Iova, Access.Write);
        byte[] bits = new byte[1];
        guest.Parent.Tables.ReadDirty(0, 0x8000, 0x1000, bits, clear: true);
        Assert.Equal(1 << 5, bits[0]);
    }

    [Fact]
    public void ADeviceGoesFromOneGuestToAnotherWithoutAMixtureOfBoth()
    {
        using var machine = new AmdHostMachine();
        AmdHostDevice device = machine.AddDevice(Device);
        HostedGuest first = machine.NewGuest(device);
        HostedGuest second = machine.NewGuest(device);
        IDisposable number = first.Viommu.MapDevice(device, VirtualDevice);
        first.Attach(device, HostedGuest.Entry(first.NewContext(0x5000).Gcr3, GuestDomain));
        Assert.Equal(first.Memory + 0x5000, machine.Reach(Device, Iova));
        Assert.Equal(Errno.EEXIST, IoasMachine.Fails(() => second.Viommu.MapDevice(device, VirtualDevice)));
        number.Dispose();
        Assert.Equal(0UL, machine.Entry(Device)[3]); // events are the host's from now on
        second.Give(device, VirtualDevice, HostedGuest.Entry(second.NewContext(0x6000).Gcr3, GuestDomain));
        Assert.Equal(second.Memory + 0x6000, machine.Reach(Device, Iova));
        Assert.Equal((ulong)second.Viommu.GuestId, machine.Entry(Device)[3] >> 32);
    }

    [Fact]
    public void BetweenTwoGuestsTablesTheDeviceIsBlockedWhileTheUpperHalfChanges()
    {
        using var machine = new AmdHostMachine();
        AmdHostDevice device = machine.AddDevice(Device, new() { Ats = true });
        HostedGuest guest = machine.NewGuest(device);
        ulong gcr3 = guest.NewContext(0x5000).Gcr3;
        ulong[] entry = HostedGuest.Entry(gcr3, GuestDomain);
        guest.Give(device, VirtualDevice, entry);
        ulong[] before = machine.Entry(Device);
        var seen = new List<ulong[]>();
        machine.DeviceTlbInvalidated = () => seen.Add(machine.Entry(Device));
        guest.Attach(device, entry[0], entry[1], 1UL << 54); // five levels instead of four
        Assert.Equal([[3, 0, before[2], before[3]], [before[0], before[1], 1UL << 54, before[3]]], seen);
        seen.Clear();
        guest.Attach(device, HostedGuest.Entry(gcr3 + 0x1000, GuestDomain, 1UL << 56)); // back to four
        Assert.Equal(2, seen.Count);
        seen.Clear();
        guest.Attach(device, entry); // the lower half alone: at once
        Assert.Equal(before, Assert.Single(seen));
    }

    [Fact]
    public void AnIdThatIsUsedAgainBringsNothingOldWithIt()
    {
        using var machine = new AmdHostMachine();
        AmdHostDevice device = machine.AddDevice(Device);
        HostedGuest guest = machine.NewGuest(device);
        guest.Own(guest.Viommu.MapDevice(device, VirtualDevice));
        (ulong gcr3, ulong leaf) = guest.NewContext(0x5000);
        AmdNestedDomain first = guest.CreateNested(HostedGuest.Entry(gcr3, GuestDomain));
        device.Attach(null, first);
        Assert.Equal(guest.Memory + 0x5000, machine.Reach(Device, Iova));
        device.Attach(null, null);
        first.Dispose();
        ushort mapped = (ushort)(guest.Viommu.Control.Read(0x08) >> 14);
        Assert.Equal(guest.Parent.Id, mapped); // the VM's flushes do not follow the id to whoever has it next
        guest.Poke(leaf, 0x6000 | 7);
        ushort free = machine.Driver.DomainIds.Take();
        while (free != first.HostId)
        {
            machine.Driver.DomainIds.Give(free);
            free = machine.Driver.DomainIds.Take();
        }

        machine.Driver.DomainIds.Give(free);
        AmdNestedDomain second;
        while ((second = guest.CreateNested(HostedGuest.Entry(gcr3, GuestDomain))).HostId != free)
        {
            second.Dispose();
        }

        guest.Own(second);
        device.Attach(null, second);
        Assert.Equal(guest.Memory + 0x6000, machine.Reach(Device, Iova));
    }
}
