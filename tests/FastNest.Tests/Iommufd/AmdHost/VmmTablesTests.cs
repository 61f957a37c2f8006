using System.Buffers.Binary;
using FastNest.Iommufd;
using FastNest.Iommufd.AmdHost;
using FastNest.Requests;
using Xunit;

namespace FastNest.Tests.Iommufd.AmdHost;

/// <summary>Id tables in memory of the VMM: mapped into an IOAS, pinned page by page while the hardware has them.</summary>
public sealed class VmmTablesTests
{
    private const uint Device = 0x0310;
    private const ushort VirtualDevice = 0x0120; // in the second page of its table
    private const ushort GuestDomain = 7;
    private const ulong Physical = 0x200_0000;
    private const ulong Devices = 0x10_0000;
    private const ulong Domains = 0x20_0000;
    private const ulong Length = Domains - Devices + 0x8_0000;

    [Fact]
    public void EntriesAreWrittenToTheVmmsMemoryAndTheVmGoesByThem()
    {
        using var machine = new AmdHostMachine();
        AmdHostDevice device = machine.AddDevice(Device, new() { Ats = true });
        machine.Map(Devices, Physical, Length);
        long taken = 0;
        using (HostedGuest guest = machine.NewGuest(device, data: Data(machine.Ioas.Id)))
        {
            taken = machine.Driver.Pages.Taken;
            guest.Start();
            guest.SendAndWait(Bits.Command(4, VirtualDevice, 0x1000)); // not there yet
            AmdNestedDomain nested = guest.Give(device, VirtualDevice, HostedGuest.Entry(guest.NewContext(0x5000).Gcr3, GuestDomain));
            Assert.Equal(taken, machine.Driver.Pages.Taken);
            Assert.Equal(1UL | (ulong)Device << 24, machine.Peek(Physical + VirtualDevice * 16));
            Assert.Equal(1UL, machine.Peek(Physical + VirtualDevice * 16 + 16)); // leads nowhere
            Assert.Equal(1UL | (ulong)nested.HostId << 24, machine.Peek(Physical + (Domains - Devices) + GuestDomain * 8));
            Assert.Equal(0UL, machine.Peek(Physical)); // no entry in this page: the VMM's still
            machine.DeviceTlbs.Clear();
            guest.SendAndWait(Bits.Command(4, VirtualDevice, 0x1000));
            Assert.Equal(new DeviceId(Device), Assert.Single(machine.DeviceTlbs).Device);
            Assert.Equal(Errno.EBUSY, IoasMachine.Fails(() => machine.Ioas.Unmap(Devices, Length)));
            device.Attach(null, null);
        }

        machine.Ioas.Unmap(Devices, Length);
        machine.Context.Destroy(machine.Ioas.Id);
        Assert.Empty(machine.Events);
    }

    [Fact]
    public void MemoryThatIsNotThereIsRefusedWithNothingChanged()
    {
        using var machine = new AmdHostMachine();
        AmdHostDevice device = machine.AddDevice(Device);
        HostedGuest guest = machine.NewGuest(device, data: Data(machine.Ioas.Id));
        Assert.Equal(Errno.ENOENT, IoasMachine.Fails(() => guest.Viommu.MapDevice(device, VirtualDevice)));
        Assert.Equal(Errno.ENOENT, IoasMachine.Fails(() => guest.CreateNested(0)));
        machine.Ioas.Map(IoasMapOptions.Readable | IoasMapOptions.FixedIova, IoasMachine.User + Physical, Length, Devices);
        Assert.Equal(Errno.EPERM, IoasMachine.Fails(() => guest.Viommu.MapDevice(device, VirtualDevice)));
        machine.Ioas.Unmap(Devices, Length);
        machine.Map(Devices, Physical, Length);
        guest.Own(guest.Viommu.MapDevice(device, VirtualDevice));
        guest.Own(guest.CreateNested(0));
    }

    [Fact]
    public void BadDataAreRefused()
    {
        using var machine = new AmdHostMachine();
        AmdHostDevice device = machine.AddDevice(Device);
        AmdPagingDomain parent = machine.NewDomain(device, HwptOptions.NestParent);
        long taken = machine.Driver.Pages.Taken;
        Assert.Equal(Errno.ENOENT, Fails(Data(0x1234)));
        Assert.Equal(Errno.EINVAL, Fails(Data(machine.Ioas.Id, devices: 0x800)));
        Assert.Equal(Errno.EINVAL, Fails(Data(machine.Ioas.Id, domains: 0x800)));
        Assert.Equal(Errno.EOPNOTSUPP, Fails(Data(machine.Ioas.Id, flags: 2)));
        Assert.Equal((0, taken), (machine.Iommu.GuestIds.Taken, machine.Driver.Pages.Taken));

        Errno Fails(byte[] data) => IoasMachine.Fails(() => device.CreateViommu(AmdViommu.Type, parent, data));
    }

    private static byte[] Data(uint ioas, ulong devices = Devices, ulong domains = Domains, uint flags = 1)
    {
        byte[] data = new byte[ViommuData.FullLength];
        BinaryPrimitives.WriteUInt32LittleEndian(data.AsSpan(24), flags);
        BinaryPrimitives.WriteUInt32LittleEndian(data.AsSpan(28), ioas);
        BinaryPrimitives.WriteUInt64LittleEndian(data.AsSpan(32), devices);
        BinaryPrimitives.WriteUInt64LittleEndian(data.AsSpan(40), domains);
        return data;
    }
}
