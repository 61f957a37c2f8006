using FastNest.Iommufd;
using FastNest.Iommufd.Drivers;
using Xunit;

namespace FastNest.Tests.Iommufd.Ioctls;

/// <summary>The kernel's selftests through the binary form, by their names (tools/testing/selftests/iommu/iommufd.c).</summary>
[Trait("Suite", "iommufd")]
public sealed class IoctlSelftests : IDisposable
{
    private const ulong Page = IoasMachine.Page;
    private const ulong User = IoasMachine.User;

    private readonly IoasMachine _machine = new();
    private readonly MockIommu _iommu = new();
    private readonly MockDevice _host;
    private readonly Device _device;
    private readonly IoctlClient _client;

    public IoctlSelftests()
    {
        _client = new(_machine.Context, _machine.Memory);
        _host = new(_iommu, 1);
        _device = _machine.Context.Bind(_host);
    }

    public static TheoryData<uint, int, int> Commands
    {
        get
        {
            var commands = new TheoryData<uint, int, int>();
            foreach ((uint number, int full, int minimum) in IoctlClient.Commands)
            {
                commands.Add(number, full, minimum);
            }

            return commands;
        }
    }

    public void Dispose()
    {
        _machine.Dispose();
        Assert.Equal(0, _iommu.Alive);
    }

    [Fact]
    public void cmd_fail()
    {
        Assert.Equal(Errno.ENOENT, _client.Destroy(0));
        Assert.Equal(Errno.EFAULT, _client.Call(0x80, []));
        Assert.Equal(Errno.ENOTTY, _client.Call(0x7F, IoctlClient.Structure(8)));
        Assert.Equal(Errno.ENOTTY, _client.Call(0x95, IoctlClient.Structure(8)));
        Assert.Equal(-(int)Errno.ENOTTY, _machine.Context.Ioctl('<' << 8 | 0x80, IoctlClient.Structure(8)));
        Assert.Equal(-(int)Errno.ENOTTY, _machine.Context.Ioctl(1 << 30 | ';' << 8 | 0x80, IoctlClient.Structure(8)));
    }

    /// <summary>Rows 4 to 6 of every command; what is missing of a short one counts as zero.</summary>
    [Theory]
    [MemberData(nameof(Commands))]
    public void cmd_length(uint number, int full, int minimum)
    {
        byte[] shorter = IoctlClient.Structure(full);
        shorter[0] = (byte)(minimum - 1);
        Assert.Equal(Errno.EINVAL, _client.Call(number, shorter));

        byte[] longer = IoctlClient.Structure(full + 1, (full, 0xFF, 1));
        Assert.Equal(Errno.E2BIG, _client.Call(number, longer));
        longer[full] = 0;
        Errno expected = Fresh(client => client.Call(number, IoctlClient.Structure(full)));
        Assert.Equal(expected, Fresh(client => client.Call(number, longer)));
        Assert.Equal(expected, Fresh(client => client.Call(number, IoctlClient.Structure(minimum))));

        byte[] missing = IoctlClient.Structure(full);
        missing[0] = (byte)(full + 1);
        Assert.Equal(Errno.EFAULT, _client.Call(number, missing));
    }

    [Fact]
    public void cmd_ex_fail()
    {
        Assert.Equal(Errno.E2BIG, _client.Call(0x80, IoctlClient.Structure(16, (8, 1, 8))));
        Assert.Equal(Errno.ENOENT, _client.Call(0x80, IoctlClient.Structure(16)));
    }

    /// <summary>Reserved fields, and flags that nobody knows: which offsets, of which command.</summary>
    [Theory]
    [InlineData(0x81, 12, 4)]
    [InlineData(0x82, 24, 12)]
    [InlineData(0x83, 40, 4)]
    [InlineData(0x84, 32, 12)]
    [InlineData(0x85, 40, 4)]
    [InlineData(0x85, 40, 12)]
    [InlineData(0x87, 24, 4)]
    [InlineData(0x87, 24, 10)]
    [InlineData(0x88, 12, 10)]
    [InlineData(0x89, 48, 4)]
    [InlineData(0x89, 48, 20)]
    [InlineData(0x89, 48, 44)]
    [InlineData(0x8A, 40, 4)]
    [InlineData(0x8A, 40, 29)]
    [InlineData(0x8B, 16, 4)]
    [InlineData(0x8B, 16, 12)]
    [InlineData(0x8C, 48, 8)]
    [InlineData(0x8C, 48, 12)]
    [InlineData(0x8D, 32, 28)]
    [InlineData(0x8E, 16, 4)]
    [InlineData(0x8F, 40, 4)]
    [InlineData(0x90, 40, 4)]
    [InlineData(0x90, 40, 28)]
    [InlineData(0x92, 8, 4)]
    [InlineData(0x93, 32, 4)]
    [InlineData(0x93, 32, 28)]
    [InlineData(0x94, 40, 4)]
    public void WhatMustBeZeroIs(uint number, int size, int offset) =>
        Assert.Equal(Errno.EOPNOTSUPP, _client.Call(number, IoctlClient.Structure(size, (offset, 0x40, 1))));

    [Fact]
    public void global_options()
    {
        using var context = new IommufdContext(_machine.Memory, _machine.Process);
        var client = new IoctlClient(context, _machine.Memory);
        ulong value = 9;
        Assert.Equal((Errno.None, 0UL), (client.Option(0, true, 0, ref value), value));
        value = 1;
        Assert.Equal(Errno.EOPNOTSUPP, client.Option(0, true, 1, ref value));
        Assert.Equal(Errno.None, client.Option(0, false, 0, ref value));
        value = 2;
        Assert.Equal(Errno.EINVAL, client.Option(0, false, 0, ref value));
        Assert.Equal((Errno.None, 1UL), (client.Option(0, true, 0, ref value), value));
        Assert.Equal(Errno.ENOENT, client.Option(1, true, 0, ref value));
        Assert.Equal(Errno.EOPNOTSUPP, client.Option(2, true, 0, ref value));
        Assert.Equal(Errno.EOPNOTSUPP, client.Call(0x87, IoctlClient.Structure(24, (8, 2, 2))));
    }

    [Fact]
    public void ioas_option_huge_pages()
    {
        uint ioas = _client.AllocateIoas();
        ulong value = 9;
        Assert.Equal((Errno.None, 1UL), (_client.Option(1, true, ioas, ref value), value));
        value = 0;
        Assert.Equal(Errno.None, _client.Option(1, false, ioas, ref value));
        Assert.Equal((Errno.None, 0UL), (_client.Option(1, true, ioas, ref value), value));
        value = 2;
        Assert.Equal(Errno.EINVAL, _client.Option(1, false, ioas, ref value));
        value = 1;
        Assert.Equal(Errno.None, _client.Option(1, false, ioas, ref value));
    }

    [Fact]
    public void change_process()
    {
        uint ioas = _client.AllocateIoas();
        using var file = new MemoryFile(_machine.Memory);
        file.Append(0, 8 * Page);
        int fd = _machine.Context.OpenFile(file);
        Assert.Equal(Errno.None, _client.MapFile(ioas, fd, 0, 8 * Page, 16 * Page));
        _device.Attach(ioas);
        var child = new UserAddressSpace(_machine.Memory);
        _client.Caller = child;
        Assert.Equal(Errno.None, _client.Call(0x92, IoctlClient.Structure(8)));
        Assert.Equal((0, 8), (_machine.Process.PinnedPages, child.PinnedPages));
        _client.Caller = _machine.Process;
        Assert.Equal(Errno.None, _client.Map(ioas, User, Page, 64 * Page));
        Assert.Equal(Errno.EINVAL, _client.Call(0x92, IoctlClient.Structure(8)));
    }

    [Fact]
    public void area()
    {
        uint ioas = _client.AllocateIoas();
        Assert.Equal(Errno.ENOENT, _client.Unmap(ioas, Page, Page));
        Assert.Equal(Errno.None, _client.Map(ioas, User, 2 * Page, 16 * Page));
        Assert.Equal(Errno.ENOENT, _client.Unmap(ioas, 16 * Page, Page));
        Assert.Equal(Errno.ENOENT, _client.Unmap(ioas, 17 * Page, Page));
        foreach ((ulong iova, ulong length) in new[] { (16UL, 2UL), (15UL, 2UL), (17UL, 2UL), (15UL, 4UL), (16UL, 1UL) })
        {
            Assert.Equal(Errno.EEXIST, _client.Map(ioas, User, length * Page, iova * Page));
        }

        ulong unmapped = ulong.MaxValue;
        Assert.Equal((Errno.None, 2 * Page), (_client.Unmap(ioas, 0, ref unmapped), unmapped));
        Assert.Equal(Errno.None, _client.Unmap(ioas, 0, ulong.MaxValue));
        ulong chosen = 0;
        Assert.Equal(Errno.None, _client.Map(ioas, User, Page, ref chosen, flags: 6));
        Assert.NotEqual(0UL, chosen);
        Assert.Equal(Errno.None, _client.Unmap(ioas, chosen, Page));
        Assert.Equal(Errno.EINVAL, _client.Map(ioas, User, Page, ref chosen, flags: 1));
        Assert.Equal(Errno.EOVERFLOW, _client.Map(ioas, User, ulong.MaxValue, 0));
        Assert.Equal(Errno.ENOENT, _client.Map(ioas + 1, User, Page, 0));
    }

    [Fact]
    public void area_allowed_and_iova_ranges()
    {
        uint ioas = _client.AllocateIoas();
        Assert.Equal(Errno.None, _client.Ranges(ioas, 4, out IovaRange[] ranges, out uint count, out ulong alignment));
        Assert.Equal([new IovaRange(0, ulong.MaxValue)], ranges);
        Assert.Equal((1u, 1UL), (count, alignment));
        Assert.Equal(Errno.EMSGSIZE, _client.Ranges(ioas, 0, out _, out count, out _));
        Assert.Equal(1u, count);
        _device.Attach(ioas);
        Assert.Equal(Errno.EMSGSIZE, _client.Ranges(ioas, 1, out ranges, out count, out alignment));
        Assert.Equal([new IovaRange(0, 0xFEDF_FFFF)], ranges);
        Assert.Equal((2u, 4096UL), (count, alignment));
        Assert.Equal(Errno.EADDRINUSE, _client.Allow(ioas, new IovaRange(0xFEE0_0000, 0xFEE0_0FFF)));
        Assert.Equal(Errno.EINVAL, _client.Allow(ioas, new IovaRange(5, 5)));
        Assert.Equal(Errno.None, _client.Allow(ioas, new IovaRange(0x5000_0000, 0x5000_FFFF), new IovaRange(0x4000_0000, 0x4000_0FFF)));
        ulong iova = 0;
        Assert.Equal((Errno.None, 0x5000_0000UL), (_client.Map(ioas, User, 0x4000, ref iova, flags: 6), iova & ~0xFFFFUL));
        Assert.Equal(Errno.None, _client.Allow(ioas));
        Assert.Equal(Errno.ENOMEM, _client.Call(0x82, IoctlClient.Structure(24, (4, ioas, 4), (8, uint.MaxValue, 4), (16, IoctlClient.Scratch, 8))));
        Assert.Equal(Errno.EFAULT, _client.Call(0x82, IoctlClient.Structure(24, (4, ioas, 4), (8, 1, 4), (16, 0x10, 8))));
        Assert.Equal(Errno.EFAULT, _client.Call(0x84, IoctlClient.Structure(32, (4, ioas, 4), (8, 4, 4), (16, 0x10, 8))));
    }

    [Fact]
    public void copy_area()
    {
        uint source = _client.AllocateIoas();
        uint destination = _client.AllocateIoas();
        Assert.Equal(Errno.None, _client.Map(source, User, 2 * Page, 16 * Page));
        ulong iova = 64 * Page;
        Assert.Equal(Errno.None, _client.Copy(source, source, Page, ref iova, 17 * Page));
        Assert.Equal(Errno.None, _client.Copy(destination, source, 2 * Page, ref iova, 16 * Page));
        iova = 128 * Page;
        Assert.Equal(Errno.ENOENT, _client.Copy(destination, source, 3 * Page, ref iova, 16 * Page));
        Assert.Equal(Errno.ENOENT, _client.Copy(destination, 99, Page, ref iova, 16 * Page));
        Assert.Equal(Errno.ENOENT, _client.Copy(99, source, Page, ref iova, 16 * Page));
    }

    [Fact]
    public void file()
    {
        uint ioas = _client.AllocateIoas();
        using var file = new MemoryFile(_machine.Memory);
        file.Append(0, 4 * Page);
        int fd = _machine.Context.OpenFile(file);
        Assert.Equal(Errno.EBADF, _client.MapFile(ioas, fd + 1, 0, Page, Page));
        Assert.Equal(Errno.EBADF, _client.MapFile(ioas, -1, 0, Page, Page));
        Assert.Equal(Errno.EINVAL, _client.MapFile(ioas, fd, 0, 0, Page));
        Assert.Equal(Errno.EINVAL, _client.MapFile(ioas, fd, 4 * Page, Page, Page));
        Assert.Equal(Errno.EOVERFLOW, _client.MapFile(ioas, fd, ulong.MaxValue, Page, Page));
        Assert.Equal(Errno.None, _client.MapFile(ioas, fd, 0, 4 * Page, Page));
        Assert.Equal(0, _machine.Context.CloseFile(fd));
        Assert.Equal(-(int)Errno.EBADF, _machine.Context.CloseFile(fd));
        Assert.Equal(Errno.None, _client.Unmap(ioas, Page, 4 * Page));
        Assert.Equal(Errno.EBADF, _client.MapFile(ioas, fd, 0, Page, Page));
    }

    [Fact]
    public void vfio_ioas()
    {
        uint ioas = _client.AllocateIoas();
        uint found = 0;
        Assert.Equal(Errno.ENODEV, _client.VfioIoas(0, ref found));
        uint none = 99;
        Assert.Equal(Errno.ENOENT, _client.VfioIoas(1, ref none));
        uint set = ioas;
        Assert.Equal(Errno.None, _client.VfioIoas(1, ref set));
        Assert.Equal((Errno.None, ioas), (_client.VfioIoas(0, ref found), found));
        Assert.Equal(Errno.None, _client.VfioIoas(2, ref none));
        Assert.Equal(Errno.ENODEV, _client.VfioIoas(0, ref found));
        Assert.Equal(Errno.EOPNOTSUPP, _client.VfioIoas(3, ref found));
        _client.VfioIoas(1, ref set);
        Assert.Equal(Errno.None, _client.Destroy(ioas));
        Assert.Equal(Errno.ENODEV, _client.VfioIoas(0, ref found));
    }

    [Fact]
    public void alloc_hwpt_nested()
    {
        uint device = _device.Id;
        uint ioas = _client.AllocateIoas();
        Assert.Equal(Errno.ENOENT, _client.AllocateHwpt(ioas, ioas, out _));
        Assert.Equal(Errno.EINVAL, _client.AllocateHwpt(device, device, out _));
        Assert.Equal(Errno.EINVAL, _client.AllocateHwpt(device, 999, out _));
        Assert.Equal(Errno.None, _client.AllocateHwpt(device, ioas, out uint plain));
        Assert.Equal(Errno.None, _client.AllocateHwpt(device, ioas, out uint parent, flags: 1));
        Assert.Equal(Errno.None, _client.AllocateFaultQueue(out uint faults, out _));
        Assert.Equal(Errno.EOPNOTSUPP, _client.AllocateHwpt(device, ioas, out _, flags: 5, faults: faults));
        _client.Put(1, 0, 0, 0);
        Assert.Equal(Errno.EINVAL, _client.AllocateHwpt(device, parent, out _, type: 0, length: 4, data: IoctlClient.Scratch));
        Assert.Equal(Errno.EOPNOTSUPP, _client.AllocateHwpt(device, parent, out _, type: 77, length: 4, data: IoctlClient.Scratch));
        Assert.Equal(Errno.EINVAL, _client.AllocateHwpt(device, parent, out _, type: MockIommu.NestedType, length: 3, data: IoctlClient.Scratch));
        Assert.Equal(Errno.EINVAL, _client.AllocateHwpt(device, parent, out _, type: MockIommu.NestedType, length: uint.MaxValue, data: IoctlClient.Scratch));
        Assert.Equal(Errno.EFAULT, _client.AllocateHwpt(device, parent, out _, type: MockIommu.NestedType, length: 4));
        Assert.Equal(Errno.EOPNOTSUPP, _client.AllocateNested(device, parent, out _, flags: 1));
        Assert.Equal(Errno.EINVAL, _client.AllocateNested(device, plain, out _));
        Assert.Equal(Errno.ENOENT, _client.AllocateNested(device, parent, out _, flags: 4, faults: uint.MaxValue));
        Assert.Equal(Errno.None, _client.AllocateNested(device, parent, out uint nested));
        Assert.Equal(Errno.None, _client.AllocateNested(device, parent, out uint other));
        Assert.Equal(Errno.EINVAL, _client.AllocateNested(device, nested, out _));
        Assert.Equal(Errno.EBUSY, _client.Destroy(parent));
        uint[] slots = ((MockNested)_machine.Context.Objects.Find<HwptNested>(nested, "id").Domain).Slots;
        uint[] others = ((MockNested)_machine.Context.Objects.Find<HwptNested>(other, "id").Domain).Slots;
        CheckInvalidations(parent, nested, slots);
        Assert.All(others, slot => Assert.Equal(MockIommu.CacheDefault, slot));
    }

    [Fact]
    public void alloc_hwpt_nested_iopf()
    {
        uint ioas = _client.AllocateIoas();
        Assert.Equal(Errno.None, _client.AllocateFaultQueue(out uint faults, out int fd));
        Assert.Equal(Errno.None, _client.AllocateHwpt(_device.Id, ioas, out uint parent, flags: 1));
        Assert.Equal(Errno.None, _client.AllocateNested(_device.Id, parent, out uint nested, flags: 4, faults: faults));
        _device.Attach(nested);
        Assert.Equal(Errno.EBUSY, _client.Destroy(nested));
        IommufdContext context = _machine.Context;
        Assert.Equal(0, context.PollFile(fd));
        _host.Ask(7, 3, 0x5000, last: true, through: null);
        Assert.Equal(1, context.PollFile(fd));
        Assert.Equal(-(int)Errno.ESPIPE, context.ReadFile(fd, new byte[41]));
        byte[] record = new byte[40];
        Assert.Equal(40, context.ReadFile(fd, record));
        Assert.Equal((3u, _device.Id, 7u, 0x5000UL), (IoctlClient.Word(record, 0), IoctlClient.Word(record, 4), IoctlClient.Word(record, 8), IoctlClient.Long(record, 24)));
        byte[] answer = new byte[8];
        record.AsSpan(36, 4).CopyTo(answer);
        Assert.Equal(-(int)Errno.ESPIPE, context.WriteFile(fd, new byte[9]));
        Assert.Equal(8, context.WriteFile(fd, answer));
        Assert.Equal(-(int)Errno.EINVAL, context.WriteFile(fd, answer));
        Assert.Equal([((uint?)7, 3, true)], _host.Responses);
        _device.Detach();
        Assert.Equal(Errno.None, _client.Destroy(nested));
        Assert.Equal(Errno.EBUSY, _client.Destroy(faults));
        Assert.Equal(0, context.CloseFile(fd));
        Assert.Equal(Errno.None, _client.Destroy(faults));
        Assert.Equal(-(int)Errno.EBADF, context.ReadFile(fd, record));
    }

    [Fact]
    public void get_hw_info()
    {
        byte[] Ask(uint room, ulong at = IoctlClient.Scratch) => IoctlClient.Structure(40, (8, _device.Id, 4), (12, room, 4), (16, at, 8));
        foreach ((uint room, int told) in new[] { (0u, 0), (8u, 8), (16u, 8), (3u, 3) })
        {
            _client.Put([.. Enumerable.Repeat((byte)0xEE, 20)]);
            byte[] call = Ask(room);
            Assert.Equal(Errno.None, _client.Call(0x8A, call));
            Assert.Equal((8u, MockIommu.InformationType, 20, 1UL), (IoctlClient.Word(call, 12), IoctlClient.Word(call, 24), call[28], IoctlClient.Long(call, 32)));
            byte[] expected = [.. Enumerable.Range(1, told).Select(i => (byte)i), .. new byte[(int)room - told], .. Enumerable.Repeat((byte)0xEE, 20 - (int)room)];
            Assert.Equal(expected, _client.Get(20));
        }

        Assert.Equal(Errno.EFAULT, _client.Call(0x8A, Ask(8, at: 0)));
        Assert.Equal(Errno.None, _client.Call(0x8A, Ask(0, at: 0)));
        Assert.Equal(Errno.EFAULT, _client.Call(0x8A, Ask(uint.MaxValue)));
        byte[] typed = Ask(8);
        (typed[4], typed[24]) = (1, 12);
        Assert.Equal(Errno.EOPNOTSUPP, _client.Call(0x8A, typed));
        Assert.Equal(Errno.ENOENT, _client.Call(0x8A, IoctlClient.Structure(40, (8, 99, 4))));
    }

    [Fact]
    public void get_dirty_bitmap()
    {
        uint ioas = _client.AllocateIoas();
        Assert.Equal(Errno.None, _client.Map(ioas, User, 64 * Page, 0x10_0000));
        ulong zero = 0;
        Assert.Equal(Errno.None, _client.Option(1, false, ioas, ref zero));
        Assert.Equal(Errno.None, _client.AllocateHwpt(_device.Id, ioas, out uint plain));
        Assert.Equal(Errno.None, _client.AllocateHwpt(_device.Id, ioas, out uint hwpt, flags: 2));
        Assert.Equal(Errno.EOPNOTSUPP, _client.Call(0x8B, IoctlClient.Structure(16, (4, 1, 4), (8, plain, 4))));
        Assert.Equal(Errno.ENOENT, _client.Call(0x8B, IoctlClient.Structure(16, (4, 1, 4), (8, ioas, 4))));
        Assert.Equal(Errno.None, _client.Call(0x8B, IoctlClient.Structure(16, (4, 1, 4), (8, hwpt, 4))));
        byte[] Read(uint flags = 0, ulong iova = 0x10_0000, ulong length = 64 * Page, ulong page = Page, ulong at = IoctlClient.Scratch) =>
            IoctlClient.Structure(48, (4, hwpt, 4), (8, flags, 4), (16, iova, 8), (24, length, 8), (32, page, 8), (40, at, 8));
        Mark(hwpt, 0x10_0000);
        Mark(hwpt, 0x10_0000 + 63 * Page);
        byte[] expected = [0x81, 0, 0, 0, 0, 0, 0, 0x80];
        _client.Put(0x80, 0, 0, 0, 0, 0, 0, 0);
        Assert.Equal(Errno.EFAULT, _client.Call(0x8C, Read(at: 0x10)));
        _machine.Process.Map(0x1_0000, 0x300_0000, Page, writable: false);
        Assert.Equal(Errno.EFAULT, _client.Call(0x8C, Read(at: 0x1_0000)));
        Assert.Equal(Errno.None, _client.Call(0x8C, Read(flags: 1)));
        Assert.Equal(expected, _client.Get(8));
        Assert.Equal(Errno.None, _client.Call(0x8C, Read()));
        Assert.Equal(expected, _client.Get(8));
        _client.Put(new byte[8]);
        Assert.Equal(Errno.None, _client.Call(0x8C, Read()));
        Assert.Equal(new byte[8], _client.Get(8));
        Assert.Equal(Errno.EOVERFLOW, _client.Call(0x8C, Read(length: ulong.MaxValue)));
        Assert.Equal(Errno.EINVAL, _client.Call(0x8C, Read(length: Page + 1)));
        Assert.Equal(Errno.EINVAL, _client.Call(0x8C, Read(iova: 1)));
        Assert.Equal(Errno.EINVAL, _client.Call(0x8C, Read(page: 0)));
        Assert.Equal(Errno.EINVAL, _client.Call(0x8C, Read(length: 0)));
        Assert.Equal(Errno.EFAULT, _client.Call(0x8C, Read(length: 1UL << 63, iova: 0)));
    }

    /// <summary>More bits than are read at once.</summary>
    [Fact]
    public void get_dirty_bitmap_of_160_mebibytes()
    {
        const ulong first = 0x1000_0000;
        const ulong pages = 40960;
        uint ioas = _client.AllocateIoas();
        ulong zero = 0;
        Assert.Equal(Errno.None, _client.Option(1, false, ioas, ref zero));
        for (ulong part = 0; part < 5; part++)
        {
            Assert.Equal(Errno.None, _client.Map(ioas, User, pages / 5 * Page, first + part * (pages / 5) * Page));
        }

        Assert.Equal(Errno.None, _client.AllocateHwpt(_device.Id, ioas, out uint hwpt, flags: 2));
        Mark(hwpt, first + 3 * Page);
        Mark(hwpt, first + 32770 * Page);
        Mark(hwpt, first + (pages - 1) * Page);
        _client.Put(new byte[pages / 8 + 1]);
        Assert.Equal(Errno.None, _client.Call(
            0x8C, IoctlClient.Structure(48, (4, hwpt, 4), (16, first, 8), (24, pages * Page, 8), (32, Page, 8), (40, IoctlClient.Scratch, 8))));
        byte[] expected = new byte[pages / 8 + 1];
        (expected[0], expected[4096], expected[pages / 8 - 1]) = (1 << 3, 1 << 2, 1 << 7);
        Assert.Equal(expected, _client.Get(expected.Length));
    }

    /// <summary>A pointer near the end of addresses does not wrap to their begin.</summary>
    [Fact]
    public void APointerDoesNotWrap()
    {
        _machine.Process.Map(0, 0x300_0000, Page);
        _machine.Process.Map(ulong.MaxValue - 0xFFF, 0x300_0000, Page);
        uint ioas = _client.AllocateIoas();
        Assert.Equal(Errno.EFAULT, _client.Call(0x82, IoctlClient.Structure(24, (4, ioas, 4), (8, 1, 4), (16, ulong.MaxValue - 7, 8))));
    }

    [Fact]
    public void viommu()
    {
        uint device = _device.Id;
        uint ioas = _client.AllocateIoas();
        Assert.Equal(Errno.None, _client.AllocateHwpt(device, ioas, out uint plain));
        Assert.Equal(Errno.None, _client.AllocateHwpt(device, ioas, out uint parent, flags: 1));
        Assert.Equal(Errno.ENOENT, _client.AllocateViommu(MockIommu.ViommuType, device, 0, out _));
        Assert.Equal(Errno.EINVAL, _client.AllocateViommu(MockIommu.ViommuType, device, plain, out _));
        Assert.Equal(Errno.EOPNOTSUPP, _client.AllocateViommu(0xDEAD, device, parent, out _));
        Assert.Equal(Errno.EOPNOTSUPP, _client.AllocateViommu(0, device, parent, out _));
        Assert.Equal(Errno.None, _client.AllocateViommu(MockIommu.ViommuType, device, parent, out uint viommu));
        Assert.Equal(Errno.EBUSY, _client.Destroy(parent));
        Assert.Equal(Errno.None, _client.AllocateNested(device, viommu, out uint nested));
        Assert.Equal(Errno.EBUSY, _client.Destroy(viommu));
        Assert.Equal(Errno.ENOENT, _client.AllocateVdevice(0, device, 0x99, out _));
        Assert.Equal(Errno.ENOENT, _client.AllocateVdevice(viommu, 0, 0x99, out _));
        Assert.Equal(Errno.None, _client.AllocateVdevice(viommu, device, 0x99, out uint vdevice));
        Assert.Equal(Errno.EEXIST, _client.AllocateVdevice(viommu, device, 0x98, out _));
        Assert.Equal(Errno.EINVAL, _client.AllocateEventQueue(viommu, MockIommu.EventType, 0, out _, out _));
        Assert.Equal(Errno.EOPNOTSUPP, _client.AllocateEventQueue(viommu, 0, 2, out _, out _));
        Assert.Equal(Errno.None, _client.AllocateEventQueue(viommu, MockIommu.EventType, 2, out uint events, out int fd));
        Assert.Equal(Errno.EEXIST, _client.AllocateEventQueue(viommu, MockIommu.EventType, 2, out _, out _));
        var hardware = (MockViommu)_machine.Context.Objects.Find<Viommu>(viommu, "id").Hardware;
        for (int i = 0; i < 3; i++)
        {
            hardware.Trigger(_host);
        }

        byte[] records = new byte[64];
        Assert.Equal(1, _machine.Context.PollFile(fd));
        Assert.Equal(40, _machine.Context.ReadFile(fd, records));
        Assert.Equal((0u, 0u, 0x99UL), (IoctlClient.Word(records, 0), IoctlClient.Word(records, 4), IoctlClient.Long(records, 8)));
        Assert.Equal((EventQueue.LostEvents, 2u), (IoctlClient.Word(records, 32), IoctlClient.Word(records, 36)));
        Assert.Equal(-(int)Errno.EINVAL, _machine.Context.WriteFile(fd, records));
        Assert.Equal(Errno.EBUSY, _client.Destroy(events));
        Assert.Equal(0, _machine.Context.CloseFile(fd));
        Assert.Equal(Errno.None, _client.Destroy(events));
        CheckInvalidations(parent, viommu, hardware.Cache);
        Assert.Equal(Errno.None, _client.Destroy(vdevice));
        Assert.Equal(Errno.None, _client.Destroy(nested));
        Assert.Equal(Errno.None, _client.Destroy(viommu));
    }

    [Fact]
    public void hw_queue()
    {
        const uint type = MockIommu.QueueType;
        uint ioas = _client.AllocateIoas();
        Assert.Equal(Errno.None, _client.AllocateHwpt(_device.Id, ioas, out uint parent, flags: 1));
        Assert.Equal(Errno.None, _client.AllocateViommu(MockIommu.ViommuType, _device.Id, parent, out uint viommu));
        Assert.Equal(Errno.None, _client.Map(ioas, User, 2 * Page, 0x10_0000));
        Assert.Equal(Errno.EOPNOTSUPP, _client.AllocateHardwareQueue(viommu, 0, 0, 0x10_0000, Page, out _));
        Assert.Equal(Errno.EINVAL, _client.AllocateHardwareQueue(viommu, type, 0, 0x10_0000, 0, out _));
        Assert.Equal(Errno.EOVERFLOW, _client.AllocateHardwareQueue(viommu, type, 0, ulong.MaxValue, Page, out _));
        Assert.Equal(Errno.ENOENT, _client.AllocateHardwareQueue(viommu, type, 0, 0x50_0000, Page, out _));
        Assert.Equal(Errno.EIO, _client.AllocateHardwareQueue(viommu, type, 1, 0x10_0000, Page, out _));
        Assert.Equal(Errno.None, _client.AllocateHardwareQueue(viommu, type, 0, 0x10_0000, Page, out uint first));
        Assert.Equal(Errno.None, _client.AllocateHardwareQueue(viommu, type, 1, 0x10_1000, Page, out uint second));
        Assert.Equal(Errno.EBUSY, _client.Unmap(ioas, 0x10_0000, 2 * Page));
        Assert.Equal(Errno.EBUSY, _client.Destroy(first));
        Assert.Equal(Errno.None, _client.Destroy(second));
        Assert.Equal(Errno.None, _client.Destroy(first));
        Assert.Equal(Errno.None, _client.Unmap(ioas, 0x10_0000, 2 * Page));
    }

    /// <summary>Rows 23 to 28 and 71.</summary>
    private void CheckInvalidations(uint parent, uint target, uint[] slots)
    {
        const uint type = MockIommu.InvalidationType;
        void Expect(Errno errno, uint done, uint id, uint form, uint length, uint count, ulong data = IoctlClient.Scratch) =>
            Assert.Equal((errno, done), (_client.Invalidate(id, form, length, ref count, data), count));

        _client.Put(new byte[64]);
        Expect(Errno.EINVAL, 0, parent, type, 8, 1);
        Expect(Errno.ENOENT, 0, 999, type, 8, 1);
        Expect(Errno.None, 0, target, type, 8, 0);
        Expect(Errno.EINVAL, 0, target, 55, 8, 1);
        foreach (uint length in new uint[] { 9, 1, 0, uint.MaxValue })
        {
            Expect(Errno.EINVAL, 0, target, type, length, 1);
        }

        Expect(Errno.EINVAL, 0, target, type, 8, 1, data: 0);
        Expect(Errno.EFAULT, 0, target, type, 8, 1, data: 0x10);
        _client.Put(2);
        Expect(Errno.EOPNOTSUPP, 0, target, type, 8, 1);
        _client.Put(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9);
        Expect(Errno.EINVAL, 1, target, type, 8, 2);
        Assert.Equal([0u, MockIommu.CacheDefault, MockIommu.CacheDefault, MockIommu.CacheDefault], slots);
        _client.Put(new byte[16]);
        Expect(Errno.EFAULT, (uint)((IoasMachine.User + IoasMachine.Ram - IoctlClient.Scratch) / 4096 * 512), target, type, 8, uint.MaxValue);
        _client.Put(1);
        Expect(Errno.None, 1, target, type, 8, 1);
        Assert.Equal(new uint[4], slots);
    }

    /// <summary>A device writes through an HWPT: the mark that hardware sets, set by hand.</summary>
    private void Mark(uint hwpt, ulong iova)
    {
        HardwarePagingDomain domain = _machine.Context.Objects.Find<HwptPaging>(hwpt, "id").Hardware;
        ulong table = domain.Tables.Root;
        for (int level = domain.Tables.Format.Levels; level > 1; level--)
        {
            _machine.Memory.Load64(table + ((iova >> (3 + 9 * level)) & 511) * 8, out ulong entry);
            table = entry & 0xF_FFFF_FFFF_F000;
        }

        ulong slot = table + ((iova >> 12) & 511) * 8;
        _machine.Memory.Load64(slot, out ulong leaf);
        _machine.Memory.Store64(slot, leaf | 1UL << 6);
    }

    /// <summary>What a command answers in a context of its own.</summary>
    private Errno Fresh(Func<IoctlClient, Errno> call)
    {
        using var context = new IommufdContext(_machine.Memory, _machine.Process);
        return call(new(context, _machine.Memory));
    }
}
