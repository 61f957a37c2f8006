using FastNest.Iommufd;
using FastNest.Memory;
using Xunit;
using static FastNest.Tests.Iommufd.IoasMachine;

namespace FastNest.Tests.Iommufd;

/// <summary>What others meet while a mapping is being made, and what is left of one that is not.</summary>
[Trait("Suite", "iommufd")]
public sealed class InsertionTests : IDisposable
{
    private const ulong Iova = 16 * Page;

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    private readonly IoasMachine _machine = new();
    private readonly Ioas _ioas;

    public InsertionTests() => _ioas = _machine.Context.CreateIoas();

    public void Dispose() => _machine.Dispose();

    [Fact]
    public async Task PagesArePinnedWithoutTheLockBehindAPlaceholder()
    {
        using PagingDomain domain = Attach(_ioas);
        using var source = new SlowSource(_machine.Memory);
        IoasAccess access = _machine.Context.CreateAccess(false);
        access.Attach(_ioas);
        Task<ulong> map = Task.Run(() => _ioas.MapSource(Fixed, source, 0, 2 * Page, Iova, _machine.Process));
        Assert.True(source.Asked.Wait(Patience));
        Task others = Task.Run(() =>
        {
            Assert.Equal(Errno.EBUSY, Fails(() => _ioas.Unmap(Iova, 2 * Page)));
            Assert.Equal(Errno.EBUSY, Fails(() => _ioas.Unmap(0, ulong.MaxValue)));
            Assert.Equal(Errno.EEXIST, Fails(() => _ioas.Map(Fixed, User, Page, Iova + Page)));
            Assert.Equal(Errno.ENOENT, Fails(() => access.Read(Iova, new byte[1])));
            Assert.Equal(Errno.ENOENT, Fails(() => _ioas.Copy(ReadWrite, _ioas, Iova, Page)));
            Assert.Equal(Page, _ioas.Map(ReadWrite, User, Page));
            Assert.Null(Walk(domain, Iova));
        });
        Task first = await Task.WhenAny(others, Task.Delay(Patience));
        Assert.Same(others, first);
        await others;
        using PagingDomain second = Attach(_ioas);
        source.Answer.Set();
        Assert.Equal(Iova, await map);
        Assert.Equal((Page, 12), Walk(domain, Iova + Page));
        Assert.Equal((Page, 12), Walk(second, Iova + Page));
        Assert.Equal(3, _machine.Process.PinnedPages);
        Assert.Equal(2 * Page, _ioas.Unmap(Iova, 2 * Page));
        Assert.Equal(1, _machine.Process.PinnedPages);
    }

    [Fact]
    public async Task AMapWhoseDomainLeavesMeanwhilePinsNothing()
    {
        PagingDomain domain = Attach(_ioas);
        using var source = new SlowSource(_machine.Memory);
        Task<ulong> map = Task.Run(() => _ioas.MapSource(Fixed, source, 0, 2 * Page, Iova, _machine.Process));
        Assert.True(source.Asked.Wait(Patience));
        domain.Dispose();
        source.Answer.Set();
        await map;
        Assert.Equal(0, _machine.Process.PinnedPages);
    }

    [Fact]
    public void AMapThatCannotPinGivesItsAddressesBack()
    {
        using PagingDomain domain = Attach(_ioas);
        _ioas.Map(ReadWrite, User, Page, 0);
        Assert.Equal(Errno.EFAULT, Fails(() => _ioas.Map(ReadWrite, User + Ram - Page, 2 * Page)));
        Assert.Equal(1, _machine.Process.PinnedPages);
        Assert.Equal(2 * Page, _ioas.Map(ReadWrite, User + Page, Page));
        Assert.Equal(2 * Page, _ioas.Unmap(0, ulong.MaxValue));
    }

    /// <summary>The copy waits for the lock of its target, with the source's already let go of.</summary>
    [Fact]
    public void ACopyHasThePagesThatWereMappedWhenItLooked()
    {
        Ioas target = _machine.Context.CreateIoas();
        using PagingDomain domain = Attach(_ioas);
        using PagingDomain second = Attach(target);
        _ioas.Map(Fixed, User, Page, Iova);
        Exception? error = null;
        var copy = new Thread(() => error = Record.Exception(() => target.Copy(Fixed, _ioas, Iova, Page, Iova)));
        lock (target.Gate)
        {
            copy.Start();
            Assert.True(SpinWait.SpinUntil(() => copy.ThreadState.HasFlag(ThreadState.WaitSleepJoin), Patience));
            _ioas.Unmap(Iova, Page);
            _machine.Process.Exit();
        }

        Assert.True(copy.Join(Patience));
        Assert.Null(error);
        Assert.Equal((0UL, 12), Walk(second, Iova));
    }

    [Fact]
    public void DirtyPagesAreReadUpToTheFirstHole()
    {
        using PagingDomain domain = Attach(_ioas);
        foreach (ulong page in new ulong[] { 0, 1, 3 })
        {
            _ioas.Map(Fixed, User, Page, Iova + page * Page);
            HostTables.MarkDirty(domain, Iova + page * Page);
        }

        var bitmap = new byte[1];
        domain.ReadDirty(Iova, 4 * Page, Page, bitmap, clear: true);
        Assert.Equal(0b0011, bitmap[0]);
        domain.ReadDirty(Iova + 3 * Page, Page, Page, bitmap, clear: true);
        Assert.Equal(0b0011 | 0b0001, bitmap[0]);
        HostTables.MarkDirty(domain, Iova);
        HostTables.MarkDirty(domain, Iova + 3 * Page);
        domain.BeginDirtyTracking(false);
        bitmap[0] = 0;
        domain.ReadDirty(Iova + 3 * Page, Page, Page, bitmap, clear: true);
        domain.ReadDirty(Iova, 4 * Page, Page, bitmap, clear: true);
        Assert.Equal(0, bitmap[0]);
    }

    /// <summary>Memory that is found only when the test says so.</summary>
    private sealed class SlowSource(GuestPhysicalSpace memory) : PageSource(memory), IDisposable
    {
        public ManualResetEventSlim Asked { get; } = new();

        public ManualResetEventSlim Answer { get; } = new();

        public override bool IsFile => true;

        public void Dispose()
        {
            Asked.Dispose();
            Answer.Dispose();
        }

        protected override ulong Locate(ulong address, bool write, out ulong length)
        {
            Asked.Set();
            Assert.True(Answer.Wait(Patience * 3));
            length = Ram - address;
            return address;
        }
    }
}
