using System.Buffers.Binary;
using FastNest.Engine;
using FastNest.Iommufd;
using FastNest.Iommufd.AmdHost;
using FastNest.Iommufd.Drivers;
using FastNest.Memory;
using FastNest.Requests;
using Xunit;

namespace FastNest.Tests.Iommufd.AmdHost;

/// <summary>Two VMs by nothing but the objects of iommufd: tables of their own, rings of their own, devices that reach their memory alone.</summary>
[Trait("Suite", "iommufd")]
public sealed class TwoVmsTests : IDisposable
{
    private const ulong VmMemory = 0x10_0000;
    private const ulong Ring = 0;
    private const ulong Semaphore = 0x1000;
    private const ulong Gcr3 = 0x2000;
    private const ulong FirstTable = 0x3000;
    private const ulong Data = 0x8_0000;
    private const ulong Address = 0x9000;
    private const ulong Present = 7;

    private readonly IoasMachine _machine = new();
    private readonly AmdHostDriver _driver;
    private readonly AmdHostIommu _iommu;
    private readonly Dictionary<uint, HostDevice> _devices;
    private readonly TranslationPort _port;

    public TwoVmsTests()
    {
        _driver = new(_machine.Memory);
        _iommu = _driver.AddIommu();
        _devices = new uint[] { 0x10, 0x11 }.ToDictionary(id => id, id => _driver.AddDevice(_iommu, new(id)));
        _port = _iommu.Iommu.OpenPort();
    }

    public void Dispose()
    {
        _port.Dispose();
        _machine.Context.Dispose();
        _driver.Dispose();
        _machine.Dispose();
    }

    [Fact]
    public void EachDeviceReachesItsVmAndNothingStaleAfterItsVmHasInvalidated()
    {
        Vm[] vms = [new(this, 0x10, 0x100_0000), new(this, 0x11, 0x200_0000)];
        foreach (Vm vm in vms)
        {
            vm.MapPage(Data);
            Assert.Equal(vm.Memory + Data, Reach(vm));
        }

        foreach (Vm vm in vms)
        {
            Vm other = vms[vm == vms[0] ? 1 : 0];
            vm.MapPage(Data + 0x1000);
            vm.Invalidate();
            Assert.Equal(vm.Memory + Data + 0x1000, Reach(vm));
            Assert.Equal(other.Memory + Data + (other == vms[0] ? 0x1000UL : 0), Reach(other));
        }

        // The host moves a page of the first VM elsewhere.
        vms[0].Ioas.Unmap(0, VmMemory);
        Assert.Null(Reach(vms[0]));
        Assert.NotNull(Reach(vms[1]));
    }

    [Fact]
    public void AVmThatIsTakenDownLeavesNothing()
    {
        for (int round = 0; round < 3; round++)
        {
            var vm = new Vm(this, 0x10, 0x100_0000);
            vm.MapPage(Data);
            Assert.NotNull(Reach(vm));
            vm.Destroy();
            Assert.Null(Reach(vm));
            Assert.Equal(0, _machine.Process.PinnedPages);
        }
    }

    private ulong? Reach(Vm vm) => _port.Translate(new Requester(vm.Device.Host.Id).Request(Address, Access.Write)) is { Succeeded: true } result
        ? result.Address
        : null;

    private sealed class Vm
    {
        private readonly TwoVmsTests _host;
        private readonly Viommu _viommu;
        private readonly ViommuMapping _page;
        private readonly IommufdObject[] _made;
        private ulong _tail;
        private ulong _ticket;

        public Vm(TwoVmsTests host, uint device, ulong memory)
        {
            _host = host;
            Memory = memory;
            IommufdContext context = host._machine.Context;
            Ioas = context.CreateIoas();
            Ioas.Map(IoasMachine.Fixed, IoasMachine.User + memory, VmMemory, 0);
            Device = context.Bind(host._devices[device]);
            Hwpt parent = context.AllocateHwpt(Device.Id, Ioas.Id, HwptOptions.NestParent);
            _viommu = context.AllocateViommu(3, Device.Id, parent.Id, new byte[24]);
            _page = context.Map(_viommu.MmapOffset, _viommu.MmapLength);
            HardwareQueue ring = context.AllocateHardwareQueue(_viommu.Id, 2, 0, Ring, 0x1000);
            Vdevice named = context.AllocateVdevice(_viommu.Id, Device.Id, 5);
            _viommu.Write(Mmio.Control, 8, 1 | 1 << 12);
            Hwpt nested = context.AllocateHwpt(Device.Id, _viommu.Id, HwptOptions.None, 3, Entry());
            Device.Attach(nested.Id);
            _made = [nested, named, ring, _viommu, parent];
        }

        public ulong Memory { get; }

        public Ioas Ioas { get; }

        public Device Device { get; }

        /// <summary>What the VM's driver does in its own tables.</summary>
        public void MapPage(ulong page)
        {
            ulong table = FirstTable;
            Poke(Gcr3, table | 1);
            for (int level = 4; level > 1; level--, table += 0x1000)
            {
                Poke(table + (Address >> (12 + 9 * (level - 1)) & 511) * 8, (table + 0x1000) | Present);
            }

            Poke(table + (Address >> 12 & 511) * 8, page | Present);
        }

        /// <summary>What the VM's driver does on its ring: all of its domain, then a store that it waits for.</summary>
        public void Invalidate()
        {
            Send(3UL << 60 | 1UL << 32, 0x7FFF_FFFF_FFFF_F003 | 1UL << 2);
            (ulong low, ulong high) = Bits.StoreWait(Semaphore, ++_ticket);
            Send(low, high);
            _page.Write(0x08, 4, _tail);
            Assert.Equal(_ticket, _host.Peek(Memory + Semaphore));
        }

        public void Destroy()
        {
            _page.Dispose();
            Device.Unbind();
            foreach (IommufdObject made in _made.Where(made => made is not Vdevice))
            {
                made.Context.Destroy(made.Id);
            }

            Ioas.Context.Destroy(Ioas.Id);
        }

        private void Send(ulong low, ulong high)
        {
            Poke(Ring + _tail, low);
            Poke(Ring + _tail + 8, high);
            _tail += 16;
        }

        private void Poke(ulong address, ulong value) => Assert.Equal(MemoryStatus.Ok, _host._machine.Memory.Store64(Memory + address, value));

        private static byte[] Entry()
        {
            byte[] entry = new byte[32];
            BinaryPrimitives.WriteUInt64LittleEndian(entry, Bits.V | Bits.TV | 1UL << 54 | Bits.GuestLow(Gcr3));
            BinaryPrimitives.WriteUInt64LittleEndian(entry.AsSpan(8), 1 | Bits.GuestMiddle(Gcr3));
            return entry;
        }
    }

    private ulong Peek(ulong address)
    {
        Assert.Equal(MemoryStatus.Ok, _machine.Memory.Load64(address, out ulong value));
        return value;
    }
}
