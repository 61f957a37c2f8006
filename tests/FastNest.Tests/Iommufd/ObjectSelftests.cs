using System.Buffers.Binary;
using FastNest.Iommufd;
using Xunit;

namespace FastNest.Tests.Iommufd;

/// <summary>The kernel's selftests of HWPTs, devices and vIOMMUs, by their names (tools/testing/selftests/iommu/iommufd.c).</summary>
[Trait("Suite", "iommufd")]
public sealed class ObjectSelftests : IDisposable
{
    private static readonly byte[] s_nestedData = [1, 0, 0, 0];

    private readonly IoasMachine _machine = new();
    private readonly MockIommu _iommu = new();
    private readonly MockDevice _host;
    private readonly Device _device;
    private readonly Ioas _ioas;

    public ObjectSelftests()
    {
        _host = new(_iommu, 1);
        _device = Context.Bind(_host);
        _ioas = Context.CreateIoas();
    }

    private IommufdContext Context => _machine.Context;

    /// <summary>Whatever a test leaves behind goes with the context, and nothing stays.</summary>
    public void Dispose()
    {
        _machine.Dispose();
        Assert.Equal(0, _iommu.Alive);
        Assert.True(_host.TryClaim());
    }

    [Fact]
    public void ioas_destroy()
    {
        _device.Attach(_ioas.Id);
        Fails(Errno.EBUSY, () => Context.Destroy(_ioas.Id));
        Fails(Errno.EBUSY, () => Context.Destroy(_device.Id));
        _device.Detach();
        Context.Destroy(_ioas.Id);
    }

    [Fact]
    public void alloc_hwpt()
    {
        Fails(Errno.EOPNOTSUPP, () => Context.AllocateHwpt(_device.Id, _ioas.Id, (HwptOptions)16));
        Fails(Errno.ENOENT, () => Context.AllocateHwpt(_ioas.Id, _ioas.Id));
        Fails(Errno.EINVAL, () => Context.AllocateHwpt(_device.Id, _device.Id));
        Fails(Errno.EINVAL, () => Context.AllocateHwpt(_device.Id, 999));
        Hwpt[] hwpts = [.. Enumerable.Range(0, 3).Select(i => Context.AllocateHwpt(_device.Id, _ioas.Id, i == 2 ? HwptOptions.NestParent : HwptOptions.None))];
        _device.Attach(hwpts[0].Id);
        Fails(Errno.EBUSY, () => _device.Attach(hwpts[1].Id));
        foreach (Hwpt next in new[] { hwpts[1], hwpts[2], hwpts[2], hwpts[0] })
        {
            _device.Replace(next.Id);
            Assert.Same(next, _device.AttachedTo());
            Fails(Errno.EBUSY, () => Context.Destroy(next.Id));
        }

        _device.Detach();
        Fails(Errno.EINVAL, () => _device.Replace(hwpts[0].Id));
        Array.ForEach(hwpts, hwpt => Context.Destroy(hwpt.Id));
        Context.Destroy(_ioas.Id);
    }

    [Fact]
    public void alloc_hwpt_nested()
    {
        Hwpt plain = Context.AllocateHwpt(_device.Id, _ioas.Id);
        Hwpt parent = Context.AllocateHwpt(_device.Id, _ioas.Id, HwptOptions.NestParent);
        FaultQueue faults = Context.AllocateFaultQueue();
        Fails(Errno.EOPNOTSUPP, () => Context.AllocateHwpt(_device.Id, _ioas.Id, HwptOptions.NestParent | HwptOptions.FaultIdValid, 0, default, faults.Id));
        Fails(Errno.EINVAL, () => Context.AllocateHwpt(_device.Id, parent.Id, HwptOptions.None, 0, s_nestedData));
        Fails(Errno.EINVAL, () => Context.AllocateHwpt(_device.Id, parent.Id, HwptOptions.None, MockIommu.NestedType, default));
        Fails(Errno.EOPNOTSUPP, () => Context.AllocateHwpt(_device.Id, parent.Id, HwptOptions.None, 77, s_nestedData));
        Fails(Errno.EINVAL, () => Context.AllocateHwpt(_device.Id, parent.Id, HwptOptions.None, MockIommu.NestedType, s_nestedData.AsMemory(1)));
        Fails(Errno.EOPNOTSUPP, () => Nested(parent.Id, HwptOptions.NestParent));
        Fails(Errno.EOPNOTSUPP, () => Nested(parent.Id, HwptOptions.DirtyTracking));
        Fails(Errno.EINVAL, () => Nested(plain.Id));
        Fails(Errno.ENOENT, () => Nested(parent.Id, HwptOptions.FaultIdValid, uint.MaxValue));
        Hwpt[] nested = [Nested(parent.Id), Nested(parent.Id)];
        Fails(Errno.EINVAL, () => Nested(nested[0].Id));
        Fails(Errno.EBUSY, () => Context.Destroy(parent.Id));
        _device.Attach(nested[0].Id);
        _device.Replace(nested[1].Id);
        Fails(Errno.EBUSY, () => Context.Destroy(nested[1].Id));
        Context.Destroy(nested[0].Id);
        _device.Detach();
        Context.Destroy(nested[1].Id);
        Context.Destroy(parent.Id);
    }

    [Fact]
    public void alloc_hwpt_nested_invalidate()
    {
        Hwpt parent = Context.AllocateHwpt(_device.Id, _ioas.Id, HwptOptions.NestParent);
        Hwpt nested = Nested(parent.Id);
        Hwpt other = Nested(parent.Id);
        uint[] slots = ((MockNested)nested.Domain).Slots;
        InvalidateFails(Errno.EINVAL, 0, parent.Id, MockIommu.InvalidationType, 8, 1, (0, 0));
        InvalidateFails(Errno.ENOENT, 0, 999, MockIommu.InvalidationType, 8, 1, (0, 0));
        InvalidateFails(Errno.EINVAL, 0, nested.Id, 55, 8, 1, (0, 0));
        uint none = 0;
        Context.Invalidate(nested.Id, MockIommu.InvalidationType, 8, default, ref none);
        Assert.Equal(0u, none);
        foreach (uint length in new uint[] { 9, 1, 0 })
        {
            InvalidateFails(Errno.EINVAL, 0, nested.Id, MockIommu.InvalidationType, length, 1, (0, 0), (0, 0));
        }

        InvalidateFails(Errno.EINVAL, 0, nested.Id, MockIommu.InvalidationType, 8, 1);
        InvalidateFails(Errno.EOPNOTSUPP, 0, nested.Id, MockIommu.InvalidationType, 8, 1, (2, 0));
        InvalidateFails(Errno.EOPNOTSUPP, 1, nested.Id, MockIommu.InvalidationType, 8, 2, (0, 0), (2, 1));
        Assert.Equal([0u, MockIommu.CacheDefault, MockIommu.CacheDefault, MockIommu.CacheDefault], slots);
        InvalidateFails(Errno.EINVAL, 1, nested.Id, MockIommu.InvalidationType, 8, 2, (0, 1), (0, 4));
        uint count = 1;
        Context.Invalidate(nested.Id, MockIommu.InvalidationType, 8, Entries((1, 0)), ref count);
        Assert.Equal((1u, 0u), (count, slots.Max()));
        Assert.All(((MockNested)other.Domain).Slots, slot => Assert.Equal(MockIommu.CacheDefault, slot));
    }

    [Fact]
    public void alloc_hwpt_nested_iopf()
    {
        FaultQueue faults = Context.AllocateFaultQueue();
        Hwpt parent = Context.AllocateHwpt(_device.Id, _ioas.Id, HwptOptions.NestParent);
        Hwpt nested = Nested(parent.Id, HwptOptions.FaultIdValid, faults.Id);
        _device.Attach(nested.Id);
        Fails(Errno.EBUSY, () => Context.Destroy(nested.Id));
        _host.Ask(7, 3, 0x5000, last: false, through: null);
        Assert.False(faults.IsReadable);
        _host.Ask(7, 3, 0x6000, last: true, through: null);
        byte[] records = new byte[80];
        Fails(Errno.ESPIPE, () => faults.Read(new byte[41]));
        Assert.Equal(0, faults.Read(new byte[40]));
        Assert.Equal(80, faults.Read(records));
        Assert.Equal([1u, _device.Id, 7, 3, 2], Enumerable.Range(0, 5).Select(i => Word(records, i)));
        Assert.Equal((0x5000UL, 3u), (BinaryPrimitives.ReadUInt64LittleEndian(records.AsSpan(24)), Word(records, 10)));
        uint cookie = Word(records, 9);
        Assert.Equal((1u, cookie), (cookie, Word(records, 19)));
        Fails(Errno.EINVAL, () => faults.Respond(cookie, 2));
        Fails(Errno.EINVAL, () => faults.Respond(cookie + 1, 0));
        Fails(Errno.ESPIPE, () => faults.Write(new byte[9]));
        Assert.Equal(8, faults.Write(Entries((cookie, 0), (cookie, 0))));
        Fails(Errno.EINVAL, () => faults.Write(Entries((cookie, 0))));
        _host.Ask(null, 4, 0x7000, last: true, through: null);
        Fails(Errno.EBUSY, () => Context.Destroy(faults.Id));
        _device.Detach();
        Assert.Equal([(7u, 3, true), (null, 4, false)], _host.Responses);
        Context.Destroy(nested.Id);
        Fails(Errno.EBUSY, () => Context.Destroy(faults.Id));
        faults.Close();
        Context.Destroy(faults.Id);
    }

    [Fact]
    public void get_hw_info()
    {
        HardwareInfo info = _device.GetHardwareInfo();
        Assert.Equal((MockIommu.InformationType, 8, HardwareCapabilities.DirtyTracking, 20), (info.Type, info.Data.Length, info.Capabilities, info.MaxPasidLog2));
        Assert.Equal(info, _device.GetHardwareInfo(MockIommu.InformationType) with { Data = info.Data });
        Fails(Errno.EOPNOTSUPP, () => _device.GetHardwareInfo(12));
    }

    [Fact]
    public void replace()
    {
        Ioas other = Context.CreateIoas();
        _device.Attach(_ioas.Id);
        uint auto = _device.AttachedTo()!.Id;
        _device.Replace(_ioas.Id);
        Assert.Equal(auto, _device.AttachedTo()!.Id);
        _device.Replace(other.Id);
        Fails(Errno.ENOENT, () => _device.Replace(auto));
        Fails(Errno.ENOENT, () => Context.Destroy(auto));
        Context.Destroy(_ioas.Id);
    }

    [Fact]
    public void replace_shares_what_was_made_for_others()
    {
        Device second = Context.Bind(new MockDevice(_iommu, 2));
        _device.Attach(_ioas.Id);
        second.Attach(_ioas.Id);
        Assert.Same(_device.AttachedTo(), second.AttachedTo());
        _device.Detach();
        Assert.NotNull(second.AttachedTo());
    }

    [Fact]
    public void enforce_dirty()
    {
        Device dull = Context.Bind(new MockDevice(_iommu, 2, tracksDirty: false));
        Hwpt hwpt = Context.AllocateHwpt(_device.Id, _ioas.Id, HwptOptions.DirtyTracking);
        Fails(Errno.EINVAL, () => dull.Attach(hwpt.Id));
        Fails(Errno.EOPNOTSUPP, () => Context.AllocateHwpt(dull.Id, _ioas.Id, HwptOptions.DirtyTracking));
        var plain = (HwptPaging)Context.AllocateHwpt(_device.Id, _ioas.Id);
        Fails(Errno.EOPNOTSUPP, () => plain.SetDirtyTracking(true));
        ((HwptPaging)hwpt).SetDirtyTracking(true);
    }

    [Fact]
    public void iova_ranges_with_device()
    {
        Span<IovaRange> ranges = new IovaRange[4];
        _device.Attach(_ioas.Id);
        _ioas.GetIovaRanges(ranges, out int count, out ulong alignment);
        Assert.Equal((2, 4096UL), (count, alignment));
        Assert.Equal([new(0, 0xFEDF_FFFF), new(0xFEF0_0000, (1UL << 48) - 1)], ranges[..2].ToArray());
        Fails(Errno.EINVAL, () => _ioas.Map(IoasMachine.Fixed, IoasMachine.User, 4096, 0xFEE0_0000));
        _device.Detach();
        _ioas.GetIovaRanges(ranges, out count, out alignment);
        Assert.Equal((1, 1UL), (count, alignment));
        _ioas.Map(IoasMachine.Fixed, IoasMachine.User, 4096, 0xFEE0_0000);
        Fails(Errno.EADDRINUSE, () => _device.Attach(_ioas.Id));
        Assert.Null(_device.AttachedTo());
    }

    [Fact]
    public void viommu_negative_tests()
    {
        Hwpt plain = Context.AllocateHwpt(_device.Id, _ioas.Id);
        Hwpt parent = Context.AllocateHwpt(_device.Id, _ioas.Id, HwptOptions.NestParent);
        Fails(Errno.ENOENT, () => Context.AllocateViommu(MockIommu.ViommuType, _device.Id, 0));
        Fails(Errno.ENOENT, () => Context.AllocateViommu(MockIommu.ViommuType, 0, parent.Id));
        Fails(Errno.EINVAL, () => Context.AllocateViommu(MockIommu.ViommuType, _device.Id, plain.Id));
        Fails(Errno.EOPNOTSUPP, () => Context.AllocateViommu(0xDEAD, _device.Id, parent.Id));
        Fails(Errno.EOPNOTSUPP, () => Context.AllocateViommu(0, _device.Id, parent.Id));
        Fails(Errno.EOPNOTSUPP, () => Context.AllocateViommu(MockIommu.ViommuType, _device.Id, parent.Id, flags: 1));
        Viommu viommu = Context.AllocateViommu(MockIommu.ViommuType, _device.Id, parent.Id);
        Fails(Errno.EBUSY, () => Context.Destroy(parent.Id));
        Hwpt nested = Nested(viommu.Id);
        Fails(Errno.EBUSY, () => Context.Destroy(viommu.Id));
        Device elsewhere = Context.Bind(new MockDevice(new MockIommu(), 2));
        Fails(Errno.EINVAL, () => Context.AllocateHwpt(elsewhere.Id, viommu.Id, HwptOptions.None, MockIommu.NestedType, s_nestedData));
        Fails(Errno.EINVAL, () => Context.AllocateVdevice(viommu.Id, elsewhere.Id, 1));
        Context.Destroy(nested.Id);
        Context.Destroy(viommu.Id);
        Context.Destroy(parent.Id);
    }

    [Fact]
    public void viommu_alloc_with_data()
    {
        Viommu viommu = NewViommu();
        ulong at = viommu.MmapOffset;
        ulong length = viommu.MmapLength;
        Assert.NotEqual(0UL, at);
        foreach ((ulong offset, ulong size) in new[] { (at + 0x1000, length), (at + 0x2000, length), (at, length / 2), (at, 2 * length) })
        {
            Fails(Errno.ENXIO, () => Context.Map(offset, size));
        }

        Fails(Errno.EINVAL, () => Context.Map(at, length, shared: false));
        Fails(Errno.EINVAL, () => Context.Map(at, 100));
        Fails(Errno.EPERM, () => Context.Map(at, length, executable: true));
        ViommuMapping page = Context.Map(at, length);
        Assert.Equal(0xCAFEUL, page.Read(0, 8));
        page.Write(0, 8, 5);
        Assert.Equal(5UL, viommu.Read(0, 8));
        Fails(Errno.EBUSY, () => Context.Destroy(viommu.Id));
        page.Dispose();
        page.Dispose();
        Assert.Throws<ObjectDisposedException>(() => page.Read(0, 8));
        Context.Destroy(viommu.Id);
        Fails(Errno.ENXIO, () => Context.Map(at, length));
        Assert.Equal(at, NewViommu().MmapOffset);
    }

    [Fact]
    public void vdevice_alloc()
    {
        Viommu viommu = NewViommu();
        Hwpt nested = Nested(viommu.Id);
        Fails(Errno.ENOENT, () => _device.Attach(nested.Id));
        Fails(Errno.ENOENT, () => Context.AllocateVdevice(0, _device.Id, 0x99));
        Fails(Errno.ENOENT, () => Context.AllocateVdevice(viommu.Id, 0, 0x99));
        Fails(Errno.EINVAL, () => Context.AllocateVdevice(viommu.Id, _device.Id, 1UL << 32));
        Vdevice vdevice = Context.AllocateVdevice(viommu.Id, _device.Id, 0x99);
        Fails(Errno.EEXIST, () => Context.AllocateVdevice(viommu.Id, _device.Id, 0x98));
        Device second = Context.Bind(new MockDevice(_iommu, 2));
        Fails(Errno.EEXIST, () => Context.AllocateVdevice(viommu.Id, second.Id, 0x99));
        _device.Attach(nested.Id);

        Fails(Errno.EINVAL, () => Context.AllocateEventQueue(viommu.Id, MockIommu.EventType, 0));
        Fails(Errno.EOPNOTSUPP, () => Context.AllocateEventQueue(viommu.Id, 0, 2));
        EventQueue events = Context.AllocateEventQueue(viommu.Id, MockIommu.EventType, 2);
        Fails(Errno.EEXIST, () => Context.AllocateEventQueue(viommu.Id, MockIommu.EventType, 2));
        var hardware = (MockViommu)viommu.Hardware;
        hardware.Trigger(_host);
        Assert.Equal([(0u, 0u, 0x99UL)], ReadEvents(events));
        for (int i = 0; i < 3; i++)
        {
            hardware.Trigger(_host);
        }

        Assert.Equal([(0u, 1u, 0x99UL), (0, 2, 0x99), (EventQueue.LostEvents, 3, 0)], ReadEvents(events));
        hardware.Trigger(_host);
        Assert.Equal([(0u, 4u, 0x99UL)], ReadEvents(events));
        Fails(Errno.EBUSY, () => Context.Destroy(events.Id));
        events.Close();
        Context.Destroy(events.Id);
        _device.Detach();
        Context.Destroy(vdevice.Id);
        Context.AllocateVdevice(viommu.Id, _device.Id, 0x98);
    }

    [Fact]
    public void vdevice_cache()
    {
        Viommu viommu = NewViommu();
        uint[] cache = ((MockViommu)viommu.Hardware).Cache;
        InvalidateFails(Errno.EINVAL, 0, viommu.Id, 55, 8, 1, (0, 0));
        InvalidateFails(Errno.EINVAL, 1, viommu.Id, MockIommu.InvalidationType, 8, 2, (0, 2), (0, 9));
        Assert.Equal([MockIommu.CacheDefault, MockIommu.CacheDefault, 0u, MockIommu.CacheDefault], cache);
    }

    [Fact]
    public void hw_queue()
    {
        const uint type = MockIommu.QueueType;
        Viommu viommu = NewViommu();
        _ioas.Map(IoasMachine.Fixed, IoasMachine.User, 0x2000, 0x10_0000);
        _ioas.Map(IoasMachine.Fixed, IoasMachine.User + 0x8000, 0x1000, 0x20_0000);
        Fails(Errno.EOPNOTSUPP, () => Queue(0));
        Fails(Errno.EOPNOTSUPP, () => Queue(type + 1));
        Fails(Errno.EINVAL, () => Queue(type, length: 0));
        Fails(Errno.EOVERFLOW, () => Queue(type, iova: ulong.MaxValue));
        Fails(Errno.ERANGE, () => Queue(type, iova: ulong.MaxValue - 0xFFF, length: 0x1000));
        Fails(Errno.ENOENT, () => Queue(type, iova: 0x50_0000));
        Fails(Errno.EIO, () => Queue(type, index: 1));
        Fails(Errno.EINVAL, () => Queue(type, index: 2));
        HardwareQueue first = Queue(type);
        Fails(Errno.EEXIST, () => Queue(type));
        HardwareQueue second = Queue(type, index: 1, iova: 0x10_1000);
        Fails(Errno.EBUSY, () => _ioas.Unmap(0x10_0000, 0x2000));
        _ioas.Unmap(0x20_0000, 0x1000);
        Fails(Errno.EBUSY, () => Context.Destroy(first.Id));
        Fails(Errno.EBUSY, () => Context.Destroy(viommu.Id));
        Context.Destroy(second.Id);
        Context.Destroy(first.Id);
        _ioas.Unmap(0x10_0000, 0x2000);

        HardwareQueue Queue(uint kind, uint index = 0, ulong iova = 0x10_0000, ulong length = 0x1000) =>
            Context.AllocateHardwareQueue(viommu.Id, kind, index, iova, length);
    }

    [Fact]
    public void vdevice_tombstone()
    {
        Viommu viommu = NewViommu();
        var host = new MockDevice(_iommu, 3);
        Device device = Context.Bind(host);
        uint id = Context.AllocateVdevice(viommu.Id, device.Id, 5).Id;
        device.Unbind();
        Fails(Errno.ENOENT, () => Context.Destroy(id));
        Fails(Errno.ENOENT, device.Unbind);
        Assert.DoesNotContain(Enumerable.Range(0, 9).Select(_ => Context.CreateIoas().Id), other => other == id);
        Context.Bind(host);
    }

    [Fact]
    public void pasid_attach()
    {
        Hwpt plain = Context.AllocateHwpt(_device.Id, _ioas.Id);
        Hwpt[] able = [.. Enumerable.Range(0, 2).Select(_ => Context.AllocateHwpt(_device.Id, _ioas.Id, HwptOptions.AllocPasid))];
        Fails(Errno.EINVAL, () => _device.Attach(plain.Id, 10));
        Fails(Errno.EINVAL, () => _device.Attach(_ioas.Id, 10));
        _device.Attach(plain.Id);
        Fails(Errno.EINVAL, () => _device.Attach(able[0].Id, 10));
        _device.Replace(able[0].Id);
        Fails(Errno.EINVAL, () => _device.Replace(able[0].Id, 10));
        _device.Attach(able[0].Id, 10);
        Fails(Errno.EBUSY, () => _device.Attach(able[1].Id, 10));
        Fails(Errno.EINVAL, () => _device.Replace(plain.Id));
        _iommu.Failures = 1;
        Fails(Errno.ENOMEM, () => _device.Replace(able[1].Id, 10));
        Assert.Same(able[0], _device.AttachedTo(10));
        _device.Replace(able[1].Id, 10);
        Assert.Same(able[1], _device.AttachedTo(10));
        Assert.Same(able[1].Domain, _host.Attached[10]);
        _device.Detach(10);
        _device.Detach(10);
        _device.Replace(plain.Id);
        Context.Destroy(able[1].Id);
    }

    [Fact]
    public void devices_of_a_group_share_what_they_translate_through()
    {
        object group = new();
        MockDevice[] hosts = [new(_iommu, 4, group), new(_iommu, 5, group)];
        Device[] devices = [.. hosts.Select(Context.Bind)];
        Hwpt[] hwpts = [.. Enumerable.Range(0, 2).Select(_ => Context.AllocateHwpt(devices[0].Id, _ioas.Id))];
        devices[0].Attach(hwpts[0].Id);
        Fails(Errno.EINVAL, () => devices[1].Attach(hwpts[1].Id));
        devices[1].Attach(hwpts[0].Id);
        devices[1].Replace(hwpts[1].Id);
        Assert.All(hosts, host => Assert.Same(hwpts[1].Domain, host.Attached[uint.MaxValue]));
        _iommu.Failures = 1;
        _iommu.Passes = 1;
        Fails(Errno.ENOMEM, () => devices[0].Replace(hwpts[0].Id));
        Assert.All(hosts, host => Assert.Same(hwpts[1].Domain, host.Attached[uint.MaxValue]));
        Context.Destroy(hwpts[0].Id);
        Fails(Errno.EBUSY, () => Context.Bind(hosts[0]));
    }

    private static void Fails(Errno errno, Action call) => Assert.Equal(errno, IoasMachine.Fails(call));

    private static uint Word(byte[] bytes, int index) => BinaryPrimitives.ReadUInt32LittleEndian(bytes.AsSpan(index * 4));

    private static byte[] Entries(params (uint First, uint Second)[] entries)
    {
        byte[] bytes = new byte[entries.Length * 8];
        for (int i = 0; i < entries.Length; i++)
        {
            BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(i * 8), entries[i].First);
            BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(i * 8 + 4), entries[i].Second);
        }

        return bytes;
    }

    private static List<(uint Flags, uint Sequence, ulong VirtualId)> ReadEvents(EventQueue queue)
    {
        byte[] bytes = new byte[256];
        int length = queue.Read(bytes);
        Assert.False(queue.IsReadable);
        var events = new List<(uint, uint, ulong)>();
        for (int at = 0; at < length;)
        {
            uint flags = Word(bytes[at..], 0);
            bool lost = flags == EventQueue.LostEvents;
            events.Add((flags, Word(bytes[at..], 1), lost ? 0 : BinaryPrimitives.ReadUInt64LittleEndian(bytes.AsSpan(at + 8))));
            at += lost ? 8 : 16;
        }

        return events;
    }

    private Hwpt Nested(uint ptId, HwptOptions options = HwptOptions.None, uint faultId = 0) =>
        Context.AllocateHwpt(_device.Id, ptId, options, MockIommu.NestedType, s_nestedData, faultId);

    private Viommu NewViommu()
    {
        Hwpt parent = Context.AllocateHwpt(_device.Id, _ioas.Id, HwptOptions.NestParent);
        return Context.AllocateViommu(MockIommu.ViommuType, _device.Id, parent.Id);
    }

    private void InvalidateFails(Errno errno, uint done, uint id, uint type, uint length, uint count, params (uint, uint)[] entries)
    {
        uint asked = count;
        Fails(errno, () => Context.Invalidate(id, type, length, Entries(entries), ref asked));
        Assert.Equal(done, asked);
    }
}
