using FastNest.Iommufd;
using Xunit;
using static FastNest.Tests.Iommufd.IoasMachine;

namespace FastNest.Tests.Iommufd;

/// <summary>The kernel's selftests of mappings and accesses (tools/testing/selftests/iommu/iommufd.c), by their names.</summary>
[Trait("Suite", "iommufd")]
public sealed class IoasSelftests : IDisposable
{
    private readonly IoasMachine _machine = new();
    private readonly Ioas _ioas;

    public IoasSelftests() => _ioas = _machine.Context.CreateIoas();

    public void Dispose() => _machine.Dispose();

    [Fact]
    public void GlobalOptions()
    {
        using var context = new IommufdContext(_machine.Memory, _machine.Process);
        Assert.Equal(0UL, context.RlimitMode);
        context.SetRlimitMode(1);
        Assert.Equal(Errno.EINVAL, Fails(() => context.SetRlimitMode(2)));
        Assert.Equal(1UL, context.RlimitMode);
        context.CreateIoas();
        Assert.Equal(Errno.EBUSY, Fails(() => context.SetRlimitMode(0)));
    }

    [Fact]
    public void ChangeProcess()
    {
        using var file = new MemoryFile(_machine.Memory);
        file.Append(0, 8 * Page);
        var child = new UserAddressSpace(_machine.Memory);
        _ioas.MapFile(Fixed, file, 0, 8 * Page, 16 * Page);
        using PagingDomain domain = Attach(_ioas);
        _machine.Context.ChangeProcess(child);
        Assert.Equal((0, 8), (_machine.Process.PinnedPages, child.PinnedPages));
        _ioas.Map(Fixed, User, Page, 64 * Page, _machine.Process);
        Assert.Equal(Errno.EINVAL, Fails(() => _machine.Context.ChangeProcess(_machine.Process)));
        _ioas.Unmap(0, ulong.MaxValue);
        Assert.Equal((0, 0), (_machine.Process.PinnedPages, child.PinnedPages));
    }

    [Fact]
    public void IoasDestroy()
    {
        PagingDomain domain = Attach(_ioas);
        Assert.Equal(Errno.EBUSY, Fails(() => _machine.Context.Destroy(_ioas.Id)));
        domain.Dispose();
        _ioas.Map(ReadWrite, User, Page);
        _machine.Context.Destroy(_ioas.Id);
        Assert.Equal(Errno.ENOENT, Fails(() => _machine.Context.Destroy(_ioas.Id)));
        Assert.Equal(Errno.ENOENT, Fails(() => _ioas.Map(ReadWrite, User, Page)));
        Assert.Equal(Errno.ENOENT, Fails(() => _machine.Context.Destroy(0)));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Area(bool attached)
    {
        using PagingDomain? domain = attached ? Attach(_ioas) : null;
        Assert.Equal(Errno.ENOENT, Fails(() => _ioas.Unmap(Page, Page)));
        _ioas.Map(Fixed, User, 2 * Page, 8 * Page);
        Assert.Equal(Errno.ENOENT, Fails(() => _ioas.Unmap(8 * Page, Page)));
        Assert.Equal(Errno.ENOENT, Fails(() => _ioas.Unmap(9 * Page, Page)));
        foreach ((ulong iova, ulong pages) in new (ulong, ulong)[] { (8, 2), (7, 2), (9, 2), (7, 4), (8, 1) })
        {
            Assert.Equal(Errno.EEXIST, Fails(() => _ioas.Map(Fixed, User, pages * Page, iova * Page)));
        }

        Assert.Equal(attached ? 2 : 0, _machine.Process.PinnedPages);
        Assert.Equal(2 * Page, _ioas.Unmap(0, ulong.MaxValue));
        Assert.Equal(0UL, _ioas.Unmap(0, ulong.MaxValue));
        Assert.Equal(0, _machine.Process.PinnedPages);
    }

    [Fact]
    public void UnmapFullyContainedAreas()
    {
        for (ulong i = 0; i < 4; i++)
        {
            _ioas.Map(Fixed, User, 8 * Page, (16 + 16 * i) * Page);
        }

        Assert.Equal(Errno.ENOENT, Fails(() => _ioas.Unmap(17 * Page, 60 * Page)));
        Assert.Equal(Errno.ENOENT, Fails(() => _ioas.Unmap(64 * Page, 4 * Page)));
        Assert.Equal(32 * Page, _ioas.Unmap(8 * Page, 72 * Page));
    }

    [Fact]
    public void AreaAutoIova()
    {
        _ioas.Reserve(this, new(4 * Page, 16 * Page - 1));
        for (ulong i = 1; i <= 10; i++)
        {
            ulong iova = _ioas.Map(ReadWrite, User, i * Page);
            Assert.Equal(0UL, iova % Math.Min(i * Page & (~(i * Page) + 1), 2 << 20));
            Assert.True(iova + i * Page <= 4 * Page || iova >= 16 * Page);
            Assert.NotEqual(0UL, iova);
        }

        Assert.Equal(Errno.EADDRINUSE, Fails(() => _ioas.AllowIovas([new(8 * Page, 20 * Page)])));
        _ioas.AllowIovas([new(1UL << 40, (1UL << 40) + 8 * Page - 1)]);
        Assert.Equal(1UL << 40, _ioas.Map(ReadWrite, User, 8 * Page));
        Assert.Equal(Errno.ENOSPC, Fails(() => _ioas.Map(ReadWrite, User, Page)));
        Assert.Equal(Errno.EADDRINUSE, Fails(() => _ioas.Reserve(_ioas, new((1UL << 40) - 1, 1UL << 40))));
        _ioas.AllowIovas([]);
        _ioas.Map(ReadWrite, User, Page);
        Assert.Equal(Errno.EINVAL, Fails(() => _ioas.AllowIovas([new(1 << 30, 1 << 30)])));
        _ioas.Unreserve(this);
    }

    [Fact]
    public void ReservedOverflow()
    {
        _ioas.Reserve(this, new(Page, ulong.MaxValue - Page));
        Assert.Equal(Errno.ENOSPC, Fails(() => _ioas.Map(ReadWrite, User, 2 * Page)));
    }

    [Fact]
    public void CopyArea()
    {
        using PagingDomain domain = Attach(_ioas);
        Ioas other = _machine.Context.CreateIoas();
        _ioas.Map(Fixed, User, 4 * Page, 16 * Page);
        ulong inside = _ioas.Copy(ReadWrite, _ioas, 17 * Page, 2 * Page);
        other.Copy(Fixed, _ioas, 16 * Page, 4 * Page, 64 * Page);
        using PagingDomain second = Attach(other);
        Assert.Equal(4, _machine.Process.PinnedPages);
        Assert.Equal((Page, 12), Walk(domain, inside));
        Assert.Equal((Page, 12), Walk(second, 65 * Page));
        Assert.Equal(Errno.ENOENT, Fails(() => other.Copy(ReadWrite, _ioas, 18 * Page, 4 * Page)));
        _ioas.Map(Fixed & ~IoasMapOptions.Writeable, User, Page, 128 * Page);
        Assert.Equal(Errno.EPERM, Fails(() => other.Copy(ReadWrite, _ioas, 128 * Page, Page)));
    }

    [Fact]
    public void CopySweep()
    {
        _ioas.Map(Fixed, User, 2 * Page, 16 * Page);
        for (ulong at = 14 * Page; at < 20 * Page; at += 511)
        {
            bool inside = at >= 16 * Page && at + 2048 <= 18 * Page;
            Exception? error = Record.Exception(() => _ioas.Unmap(_ioas.Copy(ReadWrite, _ioas, at, 2048), 2048));
            Assert.Equal(inside ? null : Errno.ENOENT, (error as IommufdException)?.Errno);
        }
    }

    [Fact]
    public void IovaRanges()
    {
        var ranges = new IovaRange[2];
        Assert.Equal(Errno.None, _ioas.GetIovaRanges(ranges, out int count, out ulong alignment));
        Assert.Equal((1, 1UL, new IovaRange(0, ulong.MaxValue)), (count, alignment, ranges[0]));
        using PagingDomain domain = Attach(_ioas);
        _ioas.Reserve(this, new(0x1000, 0x1FFF));
        Assert.Equal(Errno.EMSGSIZE, _ioas.GetIovaRanges(ranges.AsSpan(0, 1), out count, out alignment));
        Assert.Equal((2, Page, new IovaRange(0, 0xFFF)), (count, alignment, ranges[0]));
        Assert.Equal(Errno.None, _ioas.GetIovaRanges(ranges, out _, out _));
        Assert.Equal(new IovaRange(0x2000, (1UL << 48) - 1), ranges[1]);
    }

    [Fact]
    public void IoasOptionHugePages()
    {
        Assert.True(_ioas.HugePages);
        _ioas.HugePages = false;
        Assert.Equal(Errno.EINVAL, Fails(() => _ioas.Map(Fixed, User, Page, 512)));
        _ioas.HugePages = true;
        _ioas.Map(Fixed, User, Page, 512);
        Assert.Equal(Errno.EADDRINUSE, Fails(() => _ioas.HugePages = false));
        Assert.Equal(Errno.EADDRINUSE, Fails(() => Attach(_ioas)));
        Assert.True(_ioas.HugePages);
    }

    [Fact]
    public void BasicUnbackedMemory()
    {
        using PagingDomain domain = Attach(_ioas);
        Assert.Equal(Errno.EFAULT, Fails(() => _ioas.Map(Fixed, User + Ram - Page, 2 * Page, 16 * Page)));
        Assert.Equal((0, null), (_machine.Process.PinnedPages, Walk(domain, 16 * Page)));
        using var file = new MemoryFile(_machine.Memory);
        file.Append(0, 2 * Page);
        Assert.Equal(Errno.EINVAL, Fails(() => _ioas.MapFile(ReadWrite, file, Page, 2 * Page)));
        file.Truncate(0);
        Assert.Equal(Errno.EINVAL, Fails(() => _ioas.MapFile(ReadWrite, file, 0, Page)));
    }

    [Fact]
    public void ForkGone()
    {
        var child = new UserAddressSpace(_machine.Memory);
        child.Map(User, 0, 4 * Page);
        _ioas.Map(Fixed, User, 4 * Page, 16 * Page, child);
        child.Exit();
        Assert.Equal(Errno.EFAULT, Fails(() => Attach(_ioas)));
        Assert.Equal(0, child.PinnedPages);
    }

    [Fact]
    public void AccessPinUnmap()
    {
        int pinned = 1;
        IoasAccess? access = null;
        access = _machine.Context.CreateAccess(true, range =>
        {
            if (Interlocked.Exchange(ref pinned, 0) == 1)
            {
                Assert.Equal(new IovaRange(16 * Page, 20 * Page - 1), range);
                access!.Unpin(16 * Page, 2 * Page);
            }
        });
        access.Attach(_ioas);
        _ioas.Map(Fixed, User + Page, 4 * Page, 16 * Page);
        var pages = new ulong[2];
        access.Pin(16 * Page, 2 * Page, pages, write: true);
        Assert.Equal([Page, 2 * Page], pages);
        Assert.Equal(2, _machine.Process.PinnedPages);
        using (PagingDomain domain = Attach(_ioas))
        {
            Assert.Equal(4, _machine.Process.PinnedPages);
        }

        Assert.Equal(2, _machine.Process.PinnedPages);
        Assert.Equal(4 * Page, _ioas.Unmap(16 * Page, 4 * Page));
        Assert.Equal(Errno.EBUSY, Fails(() => _machine.Context.Destroy(access.Id)));
        Assert.Equal(Errno.ENOENT, Fails(() => access.Pin(16 * Page, Page, pages, write: false)));
    }

    [Fact]
    public void AnAccessThatKeepsItsPinsStopsTheUnmap()
    {
        int rounds = 0;
        IoasAccess access = _machine.Context.CreateAccess(true, _ => rounds++);
        access.Attach(_ioas);
        _ioas.Map(Fixed, User, Page, 16 * Page);
        access.Pin(16 * Page, Page, new ulong[1], write: false);
        Assert.Equal(Errno.EDEADLOCK, Fails(() => _ioas.Unmap(16 * Page, Page)));
        Assert.Equal(100, rounds);
        access.Pin(16 * Page, Page, new ulong[1], write: false);
        var queue = new IoasAccess(_machine.Context, true, null, locks: true);
        _machine.Context.Objects.Add(queue);
        queue.Attach(_ioas);
        queue.Pin(16 * Page, Page, new ulong[1], write: false);
        Assert.Equal(Errno.EBUSY, Fails(() => _ioas.Unmap(16 * Page, Page)));
        queue.Destroy();
        Assert.Equal(Errno.ENOENT, Fails(queue.Destroy));
        Assert.Equal(Errno.ENOENT, Fails(() => queue.Attach(_ioas)));
    }

    [Fact]
    public void AccessRw()
    {
        IoasAccess access = _machine.Context.CreateAccess(false);
        access.Attach(_ioas);
        _ioas.Map(Fixed, User + 512, 3 * Page, 16 * Page + 2048);
        for (int shift = -50; shift <= 50; shift++)
        {
            byte[] written = [.. Enumerable.Range(1, 63).Select(i => (byte)(i + shift))];
            var read = new byte[63];
            ulong iova = (ulong)((long)(17 * Page + 1536) + shift);
            access.Write(iova, written);
            access.Read(iova, read);
            Assert.Equal(written, read);
            _machine.Memory.Read(512 + (iova - (16 * Page + 2048)), read, out _);
            Assert.Equal(written, read);
        }

        Assert.Equal(Errno.ENOENT, Fails(() => access.Read(16 * Page + 2047, new byte[2])));
        Assert.Equal(0, _machine.Process.PinnedPages);
    }

    [Fact]
    public void UserCopy()
    {
        Ioas copy = _machine.Context.CreateIoas();
        Ioas next = _machine.Context.CreateIoas();
        int pinned = 1;
        IoasAccess? access = null;
        access = _machine.Context.CreateAccess(true, _ =>
        {
            if (Interlocked.Exchange(ref pinned, 0) == 1)
            {
                access!.Unpin(16 * Page, Page);
            }
        });
        access.Attach(_ioas);
        _ioas.Map(Fixed, User, 2 * Page, 16 * Page);
        access.Pin(16 * Page, Page, new ulong[1], write: true);
        using PagingDomain domain = Attach(copy);
        copy.Copy(Fixed, _ioas, 16 * Page, 2 * Page, 16 * Page);
        Assert.Equal(Errno.EBUSY, Fails(() => _machine.Context.Destroy(_ioas.Id)));
        access.Replace(next);
        _machine.Context.Destroy(_ioas.Id);
        Assert.Equal(2, _machine.Process.PinnedPages);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void GetDirtyBitmap(bool clear)
    {
        _ioas.HugePages = false;
        using PagingDomain domain = Attach(_ioas);
        _ioas.Map(Fixed, User, 600 * Page, 16 * Page);
        domain.BeginDirtyTracking(false);
        ulong table = Leaf(domain, 16 * Page);
        for (ulong page = 0; page < 100; page += 2)
        {
            _machine.Memory.Load64(table + (16 + page) * 8, out ulong entry);
            _machine.Memory.Store64(table + (16 + page) * 8, entry | 1 << 6);
        }

        var bitmap = new byte[75];
        domain.ReadDirty(16 * Page, 600 * Page, Page, bitmap, clear);
        Assert.Equal(Enumerable.Range(0, 600).Select(i => i < 100 && i % 2 == 0), Enumerable.Range(0, 600).Select(i => (bitmap[i / 8] >> (i % 8) & 1) != 0));
        var again = new byte[75];
        domain.ReadDirty(16 * Page, 600 * Page, Page, again, clear);
        Assert.Equal(clear ? new byte[75] : bitmap, again);
        Assert.Equal(Errno.EINVAL, Fails(() => domain.ReadDirty(16 * Page + 1, Page, Page, bitmap, clear)));
    }

    private ulong Leaf(PagingDomain domain, ulong iova)
    {
        ulong table = domain.Root;
        for (int level = domain.Format.Levels; level > 1; level--)
        {
            _machine.Memory.Load64(table + ((iova >> (3 + 9 * level)) & 511) * 8, out ulong entry);
            table = entry & 0x000F_FFFF_FFFF_F000;
        }

        return table;
    }
}
