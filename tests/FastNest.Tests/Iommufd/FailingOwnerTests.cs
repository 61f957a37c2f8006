using FastNest.Iommufd;
using Xunit;

namespace FastNest.Tests.Iommufd;

/// <summary>What an owner's mistakes leave behind.</summary>
public sealed class FailingOwnerTests : IDisposable
{
    private readonly IoasMachine _machine = new();
    private readonly Ioas _ioas;
    private bool _fails = true;

    public FailingOwnerTests()
    {
        _ioas = _machine.Context.CreateIoas();
        _ioas.Map(IoasMachine.Fixed, IoasMachine.User, 2 * IoasMachine.Page, 0);
    }

    public void Dispose() => _machine.Dispose();

    [Fact]
    public void AnAccessWhoseCallbackFailsIsDetachedAllTheSame()
    {
        IoasAccess access = NewAccess();
        access.Pin(0, IoasMachine.Page, new ulong[1], write: true);
        Assert.Throws<InvalidOperationException>(access.Detach);
        Assert.Null(access.Ioas);
        Assert.Equal(0, _machine.Process.PinnedPages);
        access.Attach(_ioas);
        access.Pin(0, IoasMachine.Page, new ulong[1], write: true);
        _fails = false;
    }

    [Fact]
    public void AMappingWhoseUnmapFailedInACallbackTakesPinsAgain()
    {
        IoasAccess access = NewAccess();
        access.Pin(0, IoasMachine.Page, new ulong[1], write: true);
        Assert.Throws<InvalidOperationException>(() => _ioas.Unmap(0, 2 * IoasMachine.Page));
        access.Pin(IoasMachine.Page, IoasMachine.Page, new ulong[1], write: true);
        _fails = false;
    }

    [Fact]
    public void ADomainIsDisposedOnce()
    {
        PagingDomain domain = IoasMachine.Attach(_ioas);
        domain.Dispose();
        long taken = _machine.Context.TablePages.Taken;
        domain.Dispose();
        Assert.Equal(taken, _machine.Context.TablePages.Taken);
        _machine.Context.Destroy(_ioas.Id);
    }

    private IoasAccess NewAccess()
    {
        IoasAccess access = _machine.Context.CreateAccess(pinsPages: true, _ =>
        {
            if (_fails)
            {
                throw new InvalidOperationException("told to fail");
            }
        });
        access.Attach(_ioas);
        return access;
    }
}
