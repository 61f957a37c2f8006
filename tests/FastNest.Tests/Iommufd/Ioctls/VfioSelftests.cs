using FastNest.Iommufd;
using Xunit;

namespace FastNest.Tests.Iommufd.Ioctls;

/// <summary>The kernel's selftests of VFIO's calls, by their names, for both kinds of container (row 66), and what they leave out.</summary>
[Trait("Suite", "iommufd")]
public sealed class VfioSelftests : IDisposable
{
    private const ulong Page = IoasMachine.Page;
    private const ulong User = IoasMachine.User;
    private const ulong Start = 0x100_0000;
    private const ulong Huge = 2 << 20;
    private const uint Type1 = 1;
    private const uint Type1v2 = 3;
    private const uint All = 2;

    private readonly IoasMachine _machine = new();
    private readonly IoctlClient _client;
    private readonly Device _device;

    public VfioSelftests()
    {
        _client = new(_machine.Context, _machine.Memory);
        _device = _machine.Context.Bind(new MockDevice(new MockIommu(), 1));
    }

    public void Dispose()
    {
        if (_device.AttachedTo() is not null)
        {
            _device.Detach();
        }

        _machine.Dispose();
    }

    [Theory]
    [InlineData(Type1)]
    [InlineData(Type1v2)]
    public void map(uint type)
    {
        SetUp(type);
        Assert.Equal(0, Map(Start, 16 * Page));
        Assert.Equal((0, 16 * Page), Unmap(Start, 16 * Page));
        Assert.Equal((0, 0UL), Unmap(Start, 16 * Page)); // of nothing
        Assert.Equal(0, Map(Start, 16 * Page));
        Assert.Equal((-(int)Errno.EINVAL, 16 * Page), Unmap(Start, 16 * Page, All));
        Assert.Equal((-(int)Errno.EINVAL, 16 * Page), Unmap(0, 16 * Page, All));
        Assert.Equal((-(int)Errno.EINVAL, 0UL), Unmap(Start, 0, All));
        Assert.Equal((0, 16 * Page), Unmap(0, 0, All));
        Assert.Equal((0, 0UL), Unmap(0, 0, All));
    }

    /// <summary>A large mapping falls page by page with the old kind, and as a whole alone with the new one.</summary>
    [Theory]
    [InlineData(Type1)]
    [InlineData(Type1v2)]
    public void huge_map(uint type)
    {
        Ioas ioas = SetUp(type);
        Assert.Equal(0, Map(Start, 2 * Huge));
        PagingDomain domain = IoasMachine.Attach(ioas);
        Assert.Equal(type == Type1 ? 12 : 21, IoasMachine.Walk(domain, Start)!.Value.Shift);
        ulong pinned = (ulong)_machine.Process.PinnedPages;
        for (ulong page = 3; page < 2 * Huge / Page; page += 7)
        {
            (int errno, ulong size) = Unmap(Start + page * Page, Page);
            Assert.Equal(type == Type1 ? (0, Page) : (-(int)Errno.ENOENT, Page), (errno, size));
            if (type == Type1)
            {
                Assert.Null(IoasMachine.Walk(domain, Start + page * Page));
                Assert.Equal(Start + (page - 1) * Page - Start, IoasMachine.Walk(domain, Start + (page - 1) * Page)!.Value.Physical);
                Assert.Equal(--pinned, (ulong)_machine.Process.PinnedPages);
            }
        }

        Assert.Equal((0, pinned * Page), Unmap(0, 0, All));
        Assert.Equal(0, _machine.Process.PinnedPages);
        domain.Dispose();
    }

    [Fact]
    public void get_info()
    {
        Assert.Equal(-(int)Errno.ENODEV, Call(112, IoctlClient.Structure(24)));
        Ioas ioas = SetUp(Type1v2);
        ioas.Reserve(this, new(0x1000, 0x1FFF));
        var ranges = new IovaRange[8];
        ioas.GetIovaRanges(ranges, out int count, out _);
        Assert.Contains(new IovaRange(0, 0xFFF), ranges);
        byte[] bytes = IoctlClient.Structure(24);
        Assert.Equal(0, Call(112, bytes));
        uint needed = IoctlClient.Word(bytes, 0);
        Assert.Equal((24U + 16 + (uint)count * 16 + 16, 3U, Page, 0U), (needed, IoctlClient.Word(bytes, 4), IoctlClient.Long(bytes, 8), IoctlClient.Word(bytes, 16)));
        byte[] old = IoctlClient.Structure(16);
        Assert.Equal((0, needed, 3U, Page), (Call(112, old), IoctlClient.Word(old, 0), IoctlClient.Word(old, 4), IoctlClient.Long(old, 8)));
        byte[] full = IoctlClient.Structure((int)needed);
        Assert.Equal((0, needed, 24U), (Call(112, full), IoctlClient.Word(full, 0), IoctlClient.Word(full, 16)));
        int next = 40 + count * 16;
        Assert.Equal(
            (1U | 1 << 16, (uint)next, (uint)count, 0U),
            (IoctlClient.Word(full, 24), IoctlClient.Word(full, 28), IoctlClient.Word(full, 32), IoctlClient.Word(full, 36)));
        Assert.Equal(ranges[..count], Enumerable.Range(0, count).Select(i => new IovaRange(IoctlClient.Long(full, 40 + i * 16), IoctlClient.Long(full, 48 + i * 16))));
        Assert.Equal((3U | 1 << 16, 0U, 0xFFFFU), (IoctlClient.Word(full, next), IoctlClient.Word(full, next + 4), IoctlClient.Word(full, next + 8)));
        ioas.Unreserve(this);
    }

    [Fact]
    public void ACallSaysWhatItIsAskedWithANumber()
    {
        Assert.Equal(0, Call(100, []));
        Assert.Equal(-(int)Errno.EFAULT, Call(101, []));
        Assert.Equal((1, 1, 1, 0, 0), (Number(101, Type1), Number(101, Type1v2), Number(101, 9), Number(101, 8), Number(101, 10)));
        Assert.Equal(-(int)Errno.ENODEV, Number(101, 4));
        Assert.Equal(-(int)Errno.ENODEV, Number(102, Type1));
        Assert.Equal(-(int)Errno.EINVAL, Number(102, 2));
        SetUp(Type1v2);
        Assert.Equal((1, 0), (Number(101, 4), Number(102, Type1v2)));
        Assert.Equal(0, Map(Start, Page));
        Assert.Equal(-(int)Errno.EINVAL, Number(102, Type1)); // a domain has a mapping
        Assert.Equal(-(int)Errno.ENOTTY, Call(117, IoctlClient.Structure(16)));
        Assert.Equal(-(int)Errno.ENOTTY, _machine.Context.Ioctl(1 << 30 | ';' << 8 | 113, IoctlClient.Structure(32)));
    }

    [Fact]
    public void WhatIsWrongChangesNothing()
    {
        Assert.Equal(-(int)Errno.ENODEV, Map(Start, Page));
        Assert.Equal(-(int)Errno.ENODEV, Unmap(Start, Page).Errno);
        SetUp(Type1v2);
        Assert.Equal(-(int)Errno.EINVAL, Map(Start, Page, flags: 4)); // VFIO_DMA_MAP_FLAG_VADDR
        Assert.Equal(-(int)Errno.EINVAL, Map(Start, Page, flags: 0));
        Assert.Equal(-(int)Errno.EINVAL, Unmap(Start, Page, flags: 1).Errno); // GET_DIRTY_BITMAP
        Assert.Equal(-(int)Errno.EINVAL, Unmap(Start, 0).Errno);
        Assert.Equal(-(int)Errno.EOVERFLOW, Unmap(ulong.MaxValue - 1, Page).Errno);
        foreach ((uint number, int size) in new[] { (112U, 16), (113U, 32), (114U, 24) })
        {
            byte[] bytes = IoctlClient.Structure(size);
            bytes[0]--;
            Assert.Equal(-(int)Errno.EINVAL, Call(number, bytes));
            Assert.Equal(-(int)Errno.EFAULT, Call(number, bytes[..^1]));
        }

        Assert.Equal((0, 0UL), Unmap(0, 0, All));
        byte[] promised = IoctlClient.Structure(24);
        promised[0] = 200; // more than there is
        Assert.Equal(-(int)Errno.EFAULT, Call(112, promised));
        Assert.Equal(200U, IoctlClient.Word(promised, 0));
    }

    /// <summary>What an access has pinned cannot be cut, nor what a call is about to unmap; the mapping stays whole.</summary>
    [Fact]
    public void AMappingWithPinsIsNotCut()
    {
        Ioas ioas = SetUp(Type1);
        Assert.Equal(0, Map(Start, 4 * Page));
        IoasAccess access = _machine.Context.CreateAccess(pinsPages: true);
        access.Attach(ioas);
        access.Pin(Start, Page, new ulong[1], write: false);
        Assert.Equal((-(int)Errno.EINVAL, Page), Unmap(Start + Page, Page));
        Assert.Equal(-(int)Errno.EINVAL, Unmap(Start + 1, Page).Errno);
        access.Unpin(Start, Page);
        Assert.Equal(-(int)Errno.EINVAL, Unmap(Start + 1, Page).Errno); // between pages
        Assert.Equal((0, 2 * Page), Unmap(Start + Page, 2 * Page));
        access.Pin(Start + 3 * Page, Page, new ulong[1], write: true);
        access.Unpin(Start + 3 * Page, Page);
        access.Destroy();
        Assert.Equal((0, 2 * Page), Unmap(0, 0, All));
    }

    private Ioas SetUp(uint type)
    {
        Ioas ioas = _machine.Context.CreateIoas();
        uint id = ioas.Id;
        Assert.Equal(Errno.None, _client.VfioIoas(1, ref id));
        Assert.Equal((0, 1, 0), (Call(100, []), Number(101, type), Number(102, type)));
        _device.Attach(ioas.Id);
        return ioas;
    }

    private int Call(uint number, byte[] bytes) => _machine.Context.Ioctl(';' << 8 | number, bytes);

    private int Number(uint call, uint number) => Call(call, BitConverter.GetBytes(number));

    private int Map(ulong iova, ulong length, uint flags = 3) =>
        Call(113, IoctlClient.Structure(32, (4, flags, 4), (8, User, 8), (16, iova, 8), (24, length, 8)));

    private (int Errno, ulong Size) Unmap(ulong iova, ulong length, uint flags = 0)
    {
        byte[] bytes = IoctlClient.Structure(24, (4, flags, 4), (8, iova, 8), (16, length, 8));
        return (Call(114, bytes), IoctlClient.Long(bytes, 16));
    }
}
