using FastNest.Memory;

namespace FastNest.Iommufd;

/// <summary>
/// What opening /dev/iommu gives: the owner of all objects and of their ids. Calls may come from any thread.
/// </summary>
public sealed class IommufdContext : IDisposable
{
    private int _closed;

    /// <summary>Makes a context without objects.</summary>
    /// <param name="memory">The machine whose physical memory devices reach; the caller disposes it, after the context.</param>
    /// <param name="process">The process that opens the context; its pages are mapped and charged unless a call names another.</param>
    public IommufdContext(GuestPhysicalSpace memory, UserAddressSpace process)
    {
        ArgumentNullException.ThrowIfNull(memory);
        ArgumentNullException.ThrowIfNull(process);
        Memory = memory;
        Process = process;
    }

    /// <summary>The machine's physical memory.</summary>
    public GuestPhysicalSpace Memory { get; }

    /// <summary>The process that opened the context.</summary>
    public UserAddressSpace Process { get; }

    internal ObjectTable Objects { get; } = new();

    /// <summary>Destroys an object, as IOMMU_DESTROY does.</summary>
    /// <param name="id">Its id.</param>
    /// <exception cref="IommufdException">ENOENT: no object has the id. EBUSY: the object is used.</exception>
    public void Destroy(uint id) => Objects.Destroy(id);

    /// <summary>Destroys everything, leaves first. No call may be under way or follow.</summary>
    public void Dispose()
    {
        if (Interlocked.Exchange(ref _closed, 1) == 0)
        {
            Objects.Close();
        }
    }
}
