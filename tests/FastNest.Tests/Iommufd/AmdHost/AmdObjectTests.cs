using System.Buffers.Binary;
using FastNest.Amd;
using FastNest.Amd.Pprs;
using FastNest.Amd.Viommu;
using FastNest.Engine;
using FastNest.Iommufd;
using FastNest.Iommufd.AmdHost;
using FastNest.Iommufd.Drivers;
using FastNest.Requests;
using Xunit;

namespace FastNest.Tests.Iommufd.AmdHost;

/// <summary>A VMM's way through the public objects, with AMD's driver under them.</summary>
public sealed class AmdObjectTests
{
    private const uint Id = 0x0310;
    private const ushort VirtualDevice = 0x0020;
    private const ulong GuestMemory = 0x100_0000; // where the VM's address 0 stands
    private const ulong GuestLength = 0x10_0000;
    private const ulong Ring = 0x0;
    private const ulong Semaphore = 0x3_0000;
    private const ulong Gcr3 = 0x4_0000;
    private const ulong VfPage = 0x5_0000;

    [Fact]
    public void AVmIsMadeUsedAndTakenDownThroughTheObjects()
    {
        using var machine = new IoasMachine();
        using var driver = new AmdHostDriver(machine.Memory);
        AmdHostIommu iommu = driver.AddIommu();
        HostDevice host = driver.AddDevice(iommu, new(Id));
        using IommufdContext context = machine.Context; // before the driver
        using TranslationPort port = iommu.Iommu.OpenPort();
        var request = new TranslationRequest(new(Id), 0x9678, Access.Write);

        Device device = context.Bind(host);
        HardwareInfo information = device.GetHardwareInfo();
        Assert.Equal((4u, 16), (information.Type, information.Data.Length));
        Assert.Equal(0UL, BinaryPrimitives.ReadUInt64LittleEndian(information.Data.Span) & 1UL << 6); // no INVALIDATE_IOMMU_ALL
        Ioas ioas = context.CreateIoas();
        ioas.Map(IoasMachine.Fixed, IoasMachine.User + GuestMemory, GuestLength, 0);
        Hwpt parent = context.AllocateHwpt(device.Id, ioas.Id, HwptOptions.NestParent);
        byte[] data = new byte[24];
        Viommu viommu = context.AllocateViommu(3, device.Id, parent.Id, data);
        Assert.Equal(viommu.MmapOffset, BinaryPrimitives.ReadUInt64LittleEndian(data.AsSpan(16)));
        Vdevice vdevice = context.AllocateVdevice(viommu.Id, device.Id, VirtualDevice);
        EventQueue events = context.AllocateEventQueue(viommu.Id, 3, 4);
        byte[] entry = new byte[32];
        Buffer.BlockCopy(HostedGuest.Entry(Gcr3, 7), 0, entry, 0, 32);
        Hwpt nested = context.AllocateHwpt(device.Id, viommu.Id, HwptOptions.None, 3, entry);
        device.Attach(nested.Id);

        ulong table = Gcr3 + 0x1000;
        Poke(Gcr3, table | 1);
        for (int level = 4; level > 1; level--, table += 0x1000)
        {
            Poke(table, (table + 0x1000) | 7);
        }

        Poke(table + 9 * 8, 0x5000 | 7);
        Assert.Equal(GuestMemory + 0x5678, port.Translate(in request).Address);
        Poke(table + 9 * 8, GuestLength | 7);
        HardwareQueue commands = context.AllocateHardwareQueue(viommu.Id, 2, 0, Ring, 4096);
        viommu.Write(Mmio.Control, 8, 1 | 1 << 12);
        using (ViommuMapping page = context.Map(viommu.MmapOffset, viommu.MmapLength))
        {
            (ulong low, ulong high)[] guestCommands = [Bits.Command(3, 7UL << 32, 0x7FFF_FFFF_FFFF_F007), Bits.StoreWait(Semaphore, 0x55)];
            for (int i = 0; i < 2; i++)
            {
                Poke(Ring + (ulong)i * 16, guestCommands[i].low);
                Poke(Ring + (ulong)i * 16 + 8, guestCommands[i].high);
            }

            var shared = new SharedVfPage(page, machine.Memory, GuestMemory + VfPage);
            Poke(VfPage + 8, 32);
            Assert.True(shared.Poll());
        }

        Assert.Equal((FastNest.Memory.MemoryStatus.Ok, 0x55UL), (machine.Memory.Load64(GuestMemory + Semaphore, out ulong stored), stored));
        Assert.False(port.Translate(in request).Succeeded); // the invalidation was seen, and the host has nothing there
        byte[] record = new byte[EventQueue.HeaderLength + 16];
        Assert.Equal(record.Length, events.Read(record));
        Assert.Equal(VirtualDevice, BinaryPrimitives.ReadUInt16LittleEndian(record.AsSpan(EventQueue.HeaderLength)));

        device.Detach();
        events.Close();
        foreach (IommufdObject made in new IommufdObject[] { commands, nested, vdevice, events, viommu, parent, ioas })
        {
            context.Destroy(made.Id);
        }

        device.Unbind();
        Assert.Equal((0, 1), (iommu.GuestIds.Taken, driver.DomainIds.Taken));

        void Poke(ulong address, ulong value) => machine.Memory.Store64(GuestMemory + address, value);
    }

    [Fact]
    public void PageRequestsGoThroughTheFaultQueueAndBack()
    {
        using var machine = new IoasMachine();
        using var driver = new AmdHostDriver(machine.Memory);
        var responses = new List<PageResponse>();
        AmdHostIommu iommu = driver.AddIommu(new() { Features = IommuFeatures.BuiltForGuests, PageResponse = responses.Add });
        using IommufdContext context = machine.Context; // before the driver
        Device device = context.Bind(driver.AddDevice(iommu, new(Id), new() { PageRequests = true }));
        Ioas ioas = context.CreateIoas();
        FaultQueue faults = context.AllocateFaultQueue();
        Hwpt hwpt = context.AllocateHwpt(device.Id, ioas.Id, HwptOptions.FaultIdValid, faultId: faults.Id);
        device.Attach(hwpt.Id);
        iommu.Iommu.RequestPage(new(new(Id), null, 0x9000, Access.Read, Group: 5, Last: true));
        byte[] asked = new byte[FaultQueue.RequestLength];
        Assert.Equal(asked.Length, faults.Read(asked));
        Assert.Empty(responses);
        byte[] answer = new byte[FaultQueue.ResponseLength];
        asked.AsSpan(FaultQueue.RequestLength - 4).CopyTo(answer); // the cookie; code 0
        Assert.Equal(answer.Length, faults.Write(answer));
        Assert.Equal(new(new(Id), null, 5, 0), Assert.Single(responses));
        device.Detach();
        device.Unbind();
    }
}
