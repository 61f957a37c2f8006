using FastNest.Amd;
using FastNest.Memory;
using FastNest.Requests;
using FastNest.Traces;
using Xunit;

namespace FastNest.Tests.Traces;

/// <summary>A recorded machine of 8 MiB with one device whose window of 64 pages is mapped one to one from 4 MiB on.</summary>
internal sealed class TraceMachine : IDisposable
{
    public const uint Device = 5;
    public const ulong DeviceTable = 0x1000;
    public const ulong CommandRing = 0x2000;
    public const ulong EventRing = 0x3000;
    public const ulong Semaphore = 0x4000;
    public const ulong LeafTable = 0x1_2000;
    public const ulong Data = 4 << 20;
    public const int Pages = 64;

    private readonly MemoryStream _stream = new();
    private readonly GuestPhysicalSpace _memory = new();
    private ulong _tail;
    private ulong _ticket;

    public TraceMachine(AmdIommuOptions? options = null)
    {
        _memory.AddOwned(0, 8 << 20);
        Machine = new(_stream, _memory, options);
        Store(0x1_0000, Bits.Pde(0x1_1000, 2));
        Store(0x1_1000, Bits.Pde(LeafTable, 1));
        for (int page = 0; page < Pages; page++)
        {
            Map(page, Data + ((ulong)page << 12));
        }

        Store(DeviceTable + Device * 32 + 8, 1);
        Store(DeviceTable + Device * 32, Bits.DteLow(0x1_0000, 3));
        Machine.Iommu.Write(Mmio.DeviceTableBase, 8, DeviceTable);
        Machine.Iommu.Write(Mmio.CommandBase, 8, CommandRing | 8UL << 56);
        Machine.Iommu.Write(Mmio.EventBase, 8, EventRing | 8UL << 56);
        Machine.Iommu.Write(
            Mmio.Control, 8, Mmio.IommuEn | Mmio.EventLogEn | Mmio.EventIntEn | Mmio.ComWaitIntEn | Mmio.CmdBufEn);
    }

    public RecordedMachine Machine { get; }

    public static ulong Iova(int page) => (ulong)page << 12;

    public static TranslationRequest Request(int page, Access access = Access.Read) => new(new DeviceId(Device), Iova(page), access);

    public void Dispose()
    {
        Machine.Dispose();
        _memory.Dispose();
    }

    /// <summary>Ends the trace.</summary>
    public byte[] Trace()
    {
        Machine.Dispose();
        return _stream.ToArray();
    }

    public void Store(ulong address, ulong value) => Assert.Equal(MemoryStatus.Ok, Machine.Memory.Store64(address, value));

    public void Map(int page, ulong to) => Store(LeafTable + (ulong)page * 8, Bits.Pte(to));

    public void Send(params (ulong Low, ulong High)[] commands)
    {
        foreach ((ulong low, ulong high) in commands)
        {
            Store(CommandRing + _tail, low);
            Store(CommandRing + _tail + 8, high);
            _tail = (_tail + 16) & 0xFFF;
        }

        Machine.Iommu.Write(Mmio.CommandTail, 4, _tail);
    }

    public void SendAndWait(params (ulong Low, ulong High)[] commands)
    {
        Send([.. commands, Bits.StoreWait(Semaphore, ++_ticket)]);
        Assert.Equal(_ticket, Peek(Semaphore));
    }

    public ulong Peek(ulong address)
    {
        Assert.Equal(MemoryStatus.Ok, _memory.Load64(address, out ulong value));
        return value;
    }
}
