using System.Buffers.Binary;
using FastNest.Iommufd;
using FastNest.Iommufd.Drivers;
using FastNest.Memory;
using FastNest.Requests;

namespace FastNest.Tests.Iommufd;

/// <summary>An IOMMU that does nothing but remember, in the way of the kernel's selftest driver.</summary>
internal sealed class MockIommu
{
    public const uint InformationType = 0xFEED;
    public const uint NestedType = 7;
    public const uint InvalidationType = 3;
    public const uint ViommuType = 9;
    public const uint EventType = 5;
    public const uint QueueType = 6;
    public const uint CacheDefault = 0xBADBEEF;

    /// <summary>What the hardware's side of objects makes and disposes.</summary>
    public int Alive;

    /// <summary>Attaching fails that often.</summary>
    public int Failures { get; set; }

    /// <summary>Before it fails, attaching succeeds that often.</summary>
    public int Passes { get; set; }
}

internal sealed class MockDevice(MockIommu iommu, uint id, object? group = null, bool tracksDirty = true) : HostDevice(new DeviceId(id))
{
    public MockIommu Iommu { get; } = iommu;

    public Dictionary<uint, HardwareDomain> Attached { get; } = [];

    public List<(uint? Pasid, int Group, bool Success)> Responses { get; } = [];

    /// <summary>Called whenever the hardware is told of another domain.</summary>
    public Action? Changing { get; set; }

    public IReadOnlyList<IovaRange> Reserved { get; init; } = [new(0xFEE0_0000, 0xFEEF_FFFF)];

    internal override object Instance => Iommu;

    internal override object Group => group ?? this;

    internal override bool TracksDirty => tracksDirty;

    internal override bool TakesPageResponses => true;

    internal override int PasidBits => 20;

    internal override IReadOnlyList<IovaRange> ReservedRanges => Reserved;

    internal override (uint Type, byte[] Data) Information => (MockIommu.InformationType, [1, 2, 3, 4, 5, 6, 7, 8]);

    internal override bool OffersViommu(uint type) => type == MockIommu.ViommuType;

    internal override HardwarePagingDomain CreatePaging(HwptOptions options, DriverData data) =>
        (options & HwptOptions.DirtyTracking) != 0 && !TracksDirty
            ? throw new IommufdException(Errno.EOPNOTSUPP, "flags", (uint)options, "no dirty tracking")
            : new MockPaging(Iommu)
            {
                DemandsDirtyTracking = (options & HwptOptions.DirtyTracking) != 0,
                TakesPasids = (options & HwptOptions.AllocPasid) != 0,
            };

    internal override HardwareDomain CreateNested(HardwarePagingDomain parent, HwptOptions options, DriverData data) =>
        new MockNested(Iommu, null, data);

    internal override HardwareViommu CreateViommu(uint type, HardwarePagingDomain parent, Memory<byte> data) => new MockViommu(Iommu);

    internal override void Attach(uint? pasid, HardwareDomain? domain)
    {
        if (domain is not null && Iommu.Failures > 0 && Iommu.Passes-- <= 0)
        {
            Iommu.Failures--;
            throw new IommufdException(Errno.ENOMEM, "dev_id", Id.Value, "told to fail");
        }

        if (domain is MockNested { Viommu: { } viommu } && !viommu.Devices.ContainsValue(this))
        {
            throw new IommufdException(Errno.ENOENT, "dev_id", Id.Value, "no vDEVICE");
        }

        if (domain is null)
        {
            Attached.Remove(pasid ?? uint.MaxValue);
        }
        else
        {
            Attached[pasid ?? uint.MaxValue] = domain;
        }

        Changing?.Invoke();
    }

    internal override void Respond(uint? pasid, int group, bool success) => Responses.Add((pasid, group, success));

    /// <summary>The device asks for a page, and gets to whoever serves the HWPT it is attached to.</summary>
    public void Ask(uint? pasid, int group, ulong address, bool last, uint? through) =>
        Attached[through ?? uint.MaxValue].PageRequests!.Take(this, pasid, group, address, Access.Write, privileged: false, last);
}

internal sealed class MockPaging : HardwarePagingDomain
{
    private readonly MockIommu _iommu;

    public MockPaging(MockIommu iommu)
    {
        _iommu = iommu;
        Interlocked.Increment(ref iommu.Alive);
    }

    public override PagingFormat Format => PagingFormat.Default;

    public override void SetDirtyTracking(bool enable)
    {
    }

    public override void Invalidate(PagingDomain domain, IovaRange range)
    {
    }

    public override void Dispose() => Interlocked.Decrement(ref _iommu.Alive);
}

/// <summary>A guest's tables: four slots of a TLB, an entry to invalidate names one or, with flag 1, all.</summary>
internal sealed class MockNested : HardwareDomain
{
    private readonly MockIommu _iommu;

    public MockNested(MockIommu iommu, MockViommu? viommu, DriverData data)
    {
        Span<byte> full = stackalloc byte[4];
        data.CopyTo(MockIommu.NestedType, 4, full);
        _iommu = iommu;
        Viommu = viommu;
        Array.Fill(Slots, MockIommu.CacheDefault);
        Interlocked.Increment(ref iommu.Alive);
    }

    public MockViommu? Viommu { get; }

    public uint[] Slots { get; } = new uint[4];

    public override void Invalidate(uint type, int entryLength, ReadOnlySpan<byte> entries, int count, out int handled) =>
        Invalidate(Slots, type, entryLength, entries, count, out handled);

    public static void Invalidate(uint[] slots, uint type, int entryLength, ReadOnlySpan<byte> entries, int count, out int handled)
    {
        handled = 0;
        if (type != MockIommu.InvalidationType || (count != 0 && entryLength != 8))
        {
            throw new IommufdException(Errno.EINVAL, "data_type", type, "type 3, 8 bytes each");
        }

        for (; handled < count; handled++)
        {
            uint flags = BinaryPrimitives.ReadUInt32LittleEndian(entries[(handled * 8)..]);
            uint slot = BinaryPrimitives.ReadUInt32LittleEndian(entries[(handled * 8 + 4)..]);
            if (flags > 1)
            {
                throw new IommufdException(Errno.EOPNOTSUPP, "flags", flags, "must be 0 or 1");
            }

            if (flags == 1)
            {
                Array.Clear(slots);
            }
            else
            {
                slots[slot < slots.Length ? slot : throw new IommufdException(Errno.EINVAL, "slot", slot, "must be below 4")] = 0;
            }
        }
    }

    public override void Dispose() => Interlocked.Decrement(ref _iommu.Alive);
}

internal sealed class MockViommu : HardwareViommu
{
    private readonly MockIommu _iommu;
    private readonly MockPage _page = new();

    public MockViommu(MockIommu iommu)
    {
        _iommu = iommu;
        Array.Fill(Cache, MockIommu.CacheDefault);
        Interlocked.Increment(ref iommu.Alive);
    }

    public Dictionary<ulong, HostDevice> Devices { get; } = [];

    public HashSet<uint> Queues { get; } = [];

    public uint[] Cache { get; } = new uint[4];

    public override IMmioWindow Page => _page;

    public override ulong PageLength => 0x2000;

    public override IMmioWindow Mmio => _page;

    public override HardwareDomain CreateNested(HwptOptions options, DriverData data) => new MockNested(_iommu, this, data);

    public override void Invalidate(uint type, int entryLength, ReadOnlySpan<byte> entries, int count, out int handled) =>
        MockNested.Invalidate(Cache, type, entryLength, entries, count, out handled);

    public override IDisposable MapDevice(HostDevice device, ulong virtualId)
    {
        if (virtualId > uint.MaxValue)
        {
            throw new IommufdException(Errno.EINVAL, "virt_id", virtualId, "must fit 32 bits");
        }

        Devices.Add(virtualId, device);
        Interlocked.Increment(ref _iommu.Alive);
        return new Undo(() =>
        {
            Devices.Remove(virtualId);
            Interlocked.Decrement(ref _iommu.Alive);
        });
    }

    public override QueueMemory QueueMemoryOf(uint type) => type == MockIommu.QueueType ? QueueMemory.Physical : base.QueueMemoryOf(type);

    public override bool OrdersQueues(uint type) => true;

    public override IDisposable CreateQueue(uint type, uint index, ulong address, ulong length)
    {
        Errno errno = index > 1 ? Errno.EINVAL : Queues.Contains(index) ? Errno.EEXIST : index == 1 && !Queues.Contains(0) ? Errno.EIO : Errno.None;
        if (errno != Errno.None)
        {
            throw new IommufdException(errno, "index", index, "0, then 1");
        }

        Queues.Add(index);
        Interlocked.Increment(ref _iommu.Alive);
        return new Undo(() =>
        {
            Queues.Remove(index);
            Interlocked.Decrement(ref _iommu.Alive);
        });
    }

    public void Trigger(HostDevice device)
    {
        Events!.TryVirtualId(device, out ulong virtualId);
        byte[] data = new byte[8];
        BinaryPrimitives.WriteUInt64LittleEndian(data, virtualId);
        Events.Report(MockIommu.EventType, data);
    }

    public override void Dispose() => Interlocked.Decrement(ref _iommu.Alive);

    private sealed class Undo(Action action) : IDisposable
    {
        public void Dispose() => action();
    }

    private sealed class MockPage : IMmioWindow
    {
        private ulong _value = 0xCAFE;

        public ulong Read(ulong offset, int size) => _value;

        public void Write(ulong offset, int size, ulong value) => _value = value;
    }
}
