using System.Buffers.Binary;
using FastNest.Iommufd;
using FastNest.Iommufd.AmdHost;
using FastNest.Memory;
using Xunit;

namespace FastNest.Tests.Iommufd.AmdHost;

/// <summary>A VM on an <see cref="AmdHostMachine"/>: memory of its own, a vIOMMU, and its driver's side of tables and rings.</summary>
internal sealed class HostedGuest : IDisposable
{
    public const ulong MemorySize = 0x8_0000;

    // Guest physical addresses.
    public const ulong CommandRing = 0x0_0000;
    public const ulong EventRing = 0x1_0000;
    public const ulong PprRing = 0x2_0000;
    public const ulong Semaphore = 0x3_0000;
    private const ulong FirstTable = 0x4_0000;

    // VF page.
    private const ulong CommandTail = 0x08;
    private const ulong EventHead = 0x10;
    private const ulong PprHead = 0x30;

    private const ulong RingLength = 4096;
    private const ulong Present = 7; // P, R/W, U/S

    private readonly AmdHostMachine _machine;
    private readonly List<IDisposable> _owned = [];
    private ulong _nextTable = FirstTable;
    private ulong _ticket;
    private bool _disposed;

    public HostedGuest(AmdHostMachine machine, AmdHostDevice device, AmdPagingDomain parent, Ioas ioas, ulong memory, byte[]? data = null)
    {
        _machine = machine;
        Parent = parent;
        Ioas = ioas;
        Memory = memory;
        Data = data ?? new byte[ViommuData.Length];
        Viommu = (AmdViommu)device.CreateViommu(AmdViommu.Type, parent, Data);
    }

    /// <summary>VIOMMU_ALLOC's data.</summary>
    public byte[] Data { get; }

    public AmdPagingDomain Parent { get; }

    public Ioas Ioas { get; }

    public AmdViommu Viommu { get; }

    /// <summary>Where its address 0 stands in the host's memory.</summary>
    public ulong Memory { get; }

    public void Dispose()
    {
        if (!_disposed)
        {
            _disposed = true;
            for (int i = _owned.Count - 1; i >= 0; i--)
            {
                _owned[i].Dispose();
            }

            Viommu.Dispose();
        }
    }

    /// <summary>Gives the VM three queues and lets its driver turn them on.</summary>
    public HostedGuest Start()
    {
        Own(Viommu.CreateQueue(2, 0, CommandRing, RingLength));
        Own(Viommu.CreateQueue(3, 0, EventRing, RingLength));
        Own(Viommu.CreateQueue(4, 0, PprRing, RingLength));
        Viommu.Mmio.Write(Mmio.Control, 8, 1 | 1 << 2 | 1 << 3 | 1 << 4 | 1 << 12 | 7 << 13);
        return this;
    }

    /// <summary>Gives a device to the VM: a number, and a nested HWPT from an entry of its own.</summary>
    public AmdNestedDomain Give(AmdHostDevice device, ushort virtualId, params ulong[] entry)
    {
        Own(Viommu.MapDevice(device, virtualId));
        return Attach(device, entry);
    }

    public AmdNestedDomain Attach(AmdHostDevice device, params ulong[] entry)
    {
        AmdNestedDomain nested = CreateNested(entry);
        Own(nested);
        device.Attach(null, nested);
        return nested;
    }

    public AmdNestedDomain CreateNested(params ulong[] entry)
    {
        byte[] bytes = new byte[32];
        for (int i = 0; i < entry.Length; i++)
        {
            BinaryPrimitives.WriteUInt64LittleEndian(bytes.AsSpan(i * 8), entry[i]);
        }

        return (AmdNestedDomain)Viommu.CreateNested(HwptOptions.None, new(3, bytes));
    }

    /// <summary>An entry of the VM's own device table that goes through a table of contexts; also for requests without a PASID.</summary>
    public static ulong[] Entry(ulong gcr3, ushort domain, ulong flags = 0) =>
        [Bits.V | Bits.TV | 1UL << 54 | Bits.GuestLow(gcr3) | flags, domain | Bits.GuestMiddle(gcr3), 0, 0];

    /// <summary>A table of contexts with one: four levels that lead a page at 9000h to a page of the VM.</summary>
    /// <returns>The table, and the address of the page's entry.</returns>
    public (ulong Gcr3, ulong Leaf) NewContext(ulong page, ulong address = 0x9000)
    {
        ulong gcr3 = NewTable();
        ulong table = NewTable();
        Poke(gcr3, table | 1);
        for (int level = 4; level > 1; level--)
        {
            ulong next = NewTable();
            Poke(table + (address >> (12 + 9 * (level - 1)) & 511) * 8, next | Present);
            table = next;
        }

        ulong leaf = table + (address >> 12 & 511) * 8;
        Poke(leaf, page | Present);
        return (gcr3, leaf);
    }

    public ulong NewTable()
    {
        _nextTable += 0x1000;
        return _nextTable - 0x1000;
    }

    public ulong Peek(ulong address) => _machine.Peek(Memory + address);

    public void Poke(ulong address, ulong value) => _machine.Poke(Memory + address, value);

    /// <summary>Puts commands in the ring and rings the bell on its page, as the VM's driver does.</summary>
    public void Send(params (ulong Low, ulong High)[] commands)
    {
        ulong tail = Viommu.Page.Read(CommandTail, 4);
        foreach ((ulong low, ulong high) in commands)
        {
            Poke(CommandRing + tail, low);
            Poke(CommandRing + tail + 8, high);
            tail = (tail + 16) % RingLength;
        }

        Viommu.Page.Write(CommandTail, 4, tail);
    }

    public void SendAndWait(params (ulong Low, ulong High)[] commands)
    {
        Send([.. commands, Bits.StoreWait(Semaphore, ++_ticket)]);
        Assert.Equal(_ticket, Peek(Semaphore));
    }

    public List<(ulong Low, ulong High)> DrainEvents() => Drain(EventRing, EventHead);

    public List<(ulong Low, ulong High)> DrainPprs() => Drain(PprRing, PprHead);

    public void Own(IDisposable made) => _owned.Add(made);

    private List<(ulong Low, ulong High)> Drain(ulong ring, ulong headRegister)
    {
        IMmioWindow page = Viommu.Page;
        var entries = new List<(ulong, ulong)>();
        ulong head = page.Read(headRegister, 4);
        for (; head != page.Read(headRegister + 8, 4); head = (head + 16) % RingLength)
        {
            entries.Add((Peek(ring + head), Peek(ring + head + 8)));
        }

        page.Write(headRegister, 4, head);
        return entries;
    }
}
