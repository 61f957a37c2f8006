using FastNest.Iommufd.Drivers;

namespace FastNest.Iommufd;

/// <summary>
/// A device bound to a context. Its owner holds a reference: DESTROY answers EBUSY, only <see cref="Unbind"/> ends it.
/// </summary>
public sealed class Device : IommufdObject
{
    internal Device(IommufdContext context, HostDevice host)
        : base(context)
    {
        Host = host;
        AddUser();
    }

    /// <summary>The device.</summary>
    public HostDevice Host { get; }

    /// <summary>Detaches the device and takes it out of the context.</summary>
    /// <exception cref="IommufdException">ENOENT: it was unbound before.</exception>
    public void Unbind()
    {
        ReleaseUser();
        Context.Objects.TryDestroy(this, bury: false);
    }
}
