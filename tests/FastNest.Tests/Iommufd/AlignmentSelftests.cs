using FastNest.Iommufd;
using Xunit;
using static FastNest.Tests.Iommufd.IoasMachine;

namespace FastNest.Tests.Iommufd;

/// <summary>The kernel's selftests that go through every offset, length and alignment, by their names.</summary>
[Trait("Suite", "iommufd")]
public sealed class AlignmentSelftests : IDisposable
{
    private const ulong Iova = 1 << 20;

    private readonly IoasMachine _machine = new();
    private readonly Ioas _ioas;

    public AlignmentSelftests() => _ioas = _machine.Context.CreateIoas();

    public void Dispose() => _machine.Dispose();

    [Fact]
    public void copy_sweep_with_domain()
    {
        using PagingDomain domain = Attach(_ioas);
        _ioas.Map(Fixed, User, 3 * Page, Iova);
        for (ulong at = Iova - 2 * Page; at < Iova + 5 * Page; at += 511)
        {
            foreach (ulong from in new[] { at, at & ~(Page - 1) })
            {
                Errno expected = from < Iova || from + Page > Iova + 3 * Page ? Errno.ENOENT
                    : from % Page != 0 ? Errno.EINVAL
                    : Errno.None;
                ulong copy = 0;
                Assert.Equal(expected, Answer(() => copy = _ioas.Copy(ReadWrite, _ioas, from, Page)));
                if (expected == Errno.None)
                {
                    Assert.Equal((from - Iova, 12), Walk(domain, copy));
                    _ioas.Unmap(copy, Page);
                }
            }
        }

        Assert.Equal(3, _machine.Process.PinnedPages);
    }

    [Theory]
    [InlineData(0UL)]
    [InlineData(5 * Page)]
    public void access_domain_destory(ulong within)
    {
        PagingDomain domain = Attach(_ioas);
        _ioas.Map(Fixed, User, 2 << 20, 2 << 20);
        Assert.Equal((0UL, 21), Walk(domain, 2 << 20));
        IoasAccess access = _machine.Context.CreateAccess(true);
        access.Attach(_ioas);
        var physical = new ulong[1];
        access.Pin((2 << 20) + within, Page, physical, write: true);
        domain.Dispose();
        Assert.Equal(1, _machine.Process.PinnedPages);
        _machine.Process.Exit();
        access.Pin((2 << 20) + within, Page, physical, write: true);
        Assert.Equal(within, physical[0]);
        access.Unpin((2 << 20) + within, Page);
        access.Unpin((2 << 20) + within, Page);
        Assert.Equal(0, _machine.Process.PinnedPages);
    }

    [Theory]
    [InlineData(0UL)]
    [InlineData(2048UL)]
    public void access_rw_and_access_rw_unaligned(ulong shift)
    {
        IoasAccess access = _machine.Context.CreateAccess(false);
        access.Attach(_ioas);

        // The second page lies elsewhere: what crosses the border must be cut there.
        _ioas.Map(Fixed, User + Page, Page, Iova + shift);
        _ioas.Map(Fixed, User + 8 * Page, Page, Iova + shift + Page);
        ulong border = Iova + shift + Page;
        var random = new Random(1);
        Span<byte> written = stackalloc byte[63];
        Span<byte> read = stackalloc byte[63];
        for (int offset = -50; offset <= 50; offset++)
        {
            for (int length = 1; length <= 63; length++)
            {
                random.NextBytes(written);
                ulong at = border + (ulong)(long)offset;
                access.Write(at, written[..length]);
                Memory(at, read[..length], store: false);
                Assert.Equal(written[..length], read[..length]);
                random.NextBytes(written);
                Memory(at, written[..length], store: true);
                access.Read(at, read[..length]);
                Assert.Equal(written[..length], read[..length]);
            }
        }

        Assert.Equal(0, _machine.Process.PinnedPages);

        void Memory(ulong iova, Span<byte> bytes, bool store)
        {
            for (int i = 0; i < bytes.Length; i++)
            {
                ulong at = iova + (ulong)i - (Iova + shift);
                ulong physical = at < Page ? Page + at : 8 * Page + (at - Page);
                Span<byte> one = bytes.Slice(i, 1);
                Assert.Equal(FastNest.Memory.MemoryStatus.Ok, store ? _machine.Memory.Write(physical, one, out _) : _machine.Memory.Read(physical, one, out _));
            }
        }
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void ioas_iova_alloc(bool attached)
    {
        using PagingDomain? domain = attached ? Attach(_ioas) : null;
        for (ulong length = 1; length <= 2 * Page; length += attached ? 61U : 1U)
        {
            Assert.Equal(attached && length % Page != 0 ? Errno.EINVAL : Errno.None, Answer(() =>
            {
                ulong iova = _ioas.Map(ReadWrite, User, length);
                Assert.Equal(length, _ioas.Unmap(iova, length));
            }));
        }

        ulong whole = _ioas.Map(ReadWrite, User, 2 * Page);
        Assert.Equal(2 * Page, _ioas.Unmap(whole, 2 * Page));
    }

    [Fact]
    public void ioas_align_change()
    {
        foreach ((ulong user, ulong length, ulong iova) in new[] { (512UL, Page, 0UL), (0UL, 512UL, 0UL), (0UL, Page, 512UL) })
        {
            _ioas.HugePages = false;
            Assert.Equal(Errno.EINVAL, Fails(() => _ioas.Map(Fixed, User + user, length, Iova + iova)));
            _ioas.HugePages = true;
            _ioas.Map(Fixed, User + user, length, Iova + iova);
            Assert.Equal(Errno.EADDRINUSE, Fails(() => _ioas.HugePages = false));
            Assert.True(_ioas.HugePages);
            _ioas.Unmap(Iova + iova, length);
        }

        using PagingDomain domain = Attach(_ioas);
        _ioas.Map(Fixed, User, Page, Iova);
        Assert.Equal(Errno.EINVAL, Fails(() => _ioas.HugePages = false));
        _ioas.Unmap(Iova, Page);
        _ioas.HugePages = false;
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void all_aligns_and_all_aligns_copy(bool copies)
    {
        const ulong Pages = 10;
        using PagingDomain domain = Attach(_ioas);
        Ioas other = _machine.Context.CreateIoas();
        IoasAccess access = _machine.Context.CreateAccess(true);
        access.Attach(_ioas);
        for (ulong start = 0; start < Pages; start++)
        {
            for (ulong end = start + 1; end <= Pages; end++)
            {
                ulong length = (end - start) * Page;
                ulong iova = _ioas.Map(ReadWrite, User + start * Page, length);
                Same(domain, iova, start, end);
                Ioas space = copies ? other : _ioas;
                ulong seen = copies ? other.Copy(ReadWrite, _ioas, iova, length) : iova;
                access.Pin(iova, length, new ulong[Pages], write: true);
                using (PagingDomain second = Attach(space))
                {
                    Same(second, seen, start, end);
                }

                Same(domain, iova, start, end);
                access.Unpin(iova, length);
                if (copies)
                {
                    _ioas.Unmap(iova, length);
                    Assert.Equal(0, _machine.Process.PinnedPages);
                    using PagingDomain third = Attach(other);
                    Same(third, seen, start, end);
                    Assert.Equal(length, other.Unmap(seen, length));
                }
                else
                {
                    Assert.Equal(length, _ioas.Unmap(iova, length));
                }

                Assert.Equal(0, _machine.Process.PinnedPages);
            }
        }
    }

    private static Errno Answer(Action call) => (Record.Exception(call) as IommufdException)?.Errno ?? Errno.None;

    private void Same(PagingDomain domain, ulong iova, ulong start, ulong end)
    {
        for (ulong page = start; page < end; page++)
        {
            Assert.Equal((page * Page, 12), Walk(domain, iova + (page - start) * Page));
        }

        Assert.Null(Walk(domain, iova + (end - start) * Page));
        Assert.Equal((long)(end - start), _machine.Process.PinnedPages);
    }
}
