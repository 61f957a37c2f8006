using FastNest.Iommufd;
using FastNest.Memory;
using Xunit;

namespace FastNest.Tests.Iommufd;

/// <summary>A machine of 64 MiB, a process that has all of it from <see cref="User"/> on, and a context.</summary>
public sealed class IoasMachine : IDisposable
{
    public const ulong Ram = 64 << 20;
    public const ulong User = 0x7000_0000_0000;
    public const ulong Page = 4096;
    public const IoasMapOptions ReadWrite = IoasMapOptions.Readable | IoasMapOptions.Writeable;
    public const IoasMapOptions Fixed = ReadWrite | IoasMapOptions.FixedIova;

    public IoasMachine(long pinLimit = long.MaxValue)
    {
        Memory.AddOwned(0, Ram);
        Process = new UserAddressSpace(Memory, pinLimit);
        Process.Map(User, 0, Ram);
        Context = new IommufdContext(Memory, Process);
    }

    public GuestPhysicalSpace Memory { get; } = new();

    public UserAddressSpace Process { get; }

    public IommufdContext Context { get; }

    public void Dispose()
    {
        Context.Dispose();
        Assert.Equal(0, Process.PinnedPages);
        Assert.Equal(0, Context.TablePages.Taken);
        Memory.Dispose();
    }

    public static Errno Fails(Action call) => Assert.Throws<IommufdException>(call).Errno;

    internal static PagingDomain Attach(Ioas ioas, PagingFormat? format = null, IDomainInvalidation? invalidation = null)
    {
        var domain = new PagingDomain(ioas, format ?? PagingFormat.Default, invalidation);
        try
        {
            domain.Attach();
        }
        catch
        {
            domain.Dispose();
            throw;
        }

        return domain;
    }

    /// <summary>Where an address of a domain leads, and log2 of the page's size; null where nothing is mapped.</summary>
    internal static (ulong Physical, int Shift)? Walk(PagingDomain domain, ulong iova) =>
        HostTables.Find(domain, iova) is { } leaf ? (leaf.Physical + (iova - leaf.Iova), leaf.Shift) : null;
}
