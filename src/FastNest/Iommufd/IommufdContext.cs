using FastNest.Memory;

namespace FastNest.Iommufd;

/// <summary>
/// What opening /dev/iommu gives: the owner of all objects and of their ids. Calls may come from any thread.
/// </summary>
public sealed partial class IommufdContext : IDisposable
{
    private UserAddressSpace _process;
    private int _closed;

    /// <summary>Makes a context without objects.</summary>
    /// <param name="memory">The machine whose physical memory devices reach; the caller disposes it, after the context.</param>
    /// <param name="process">The process that opens the context; its pages are mapped and charged unless a call names another.</param>
    public IommufdContext(GuestPhysicalSpace memory, UserAddressSpace process)
    {
        ArgumentNullException.ThrowIfNull(memory);
        ArgumentNullException.ThrowIfNull(process);
        Memory = memory;
        _process = process;
        TablePages = new TablePages(memory);
    }

    /// <summary>The machine's physical memory.</summary>
    public GuestPhysicalSpace Memory { get; }

    /// <summary>The process that opened the context, or took it over with <see cref="ChangeProcess"/>.</summary>
    public UserAddressSpace Process => Volatile.Read(ref _process);

    /// <summary>Whether limits count per process (1) or per user (0); IOMMU_OPTION_RLIMIT_MODE. Each process here is its own user.</summary>
    public ulong RlimitMode { get; private set; }

    internal ObjectTable Objects { get; } = new();

    /// <summary>Where host tables stand.</summary>
    internal TablePages TablePages { get; }

    /// <summary>Makes an empty address space, as IOMMU_IOAS_ALLOC does.</summary>
    /// <param name="flags">Must be 0.</param>
    /// <exception cref="IommufdException">EOPNOTSUPP: a flag is set. ENOMEM: no id is left.</exception>
    public Ioas CreateIoas(uint flags = 0) => flags == 0
        ? Objects.Add(new Ioas(this))
        : throw new IommufdException(Errno.EOPNOTSUPP, "flags", flags, "must be 0");

    /// <summary>Makes an access: software that uses the memory of an IOAS as a device would.</summary>
    /// <param name="pinsPages">Whether it will pin pages, which asks for mappings aligned to them.</param>
    /// <param name="unmapped">
    /// Called without locks before a range goes away; must unpin all of it before it returns. It must not detach, replace or
    /// destroy the access, nor wait for a thread that does.
    /// </param>
    public IoasAccess CreateAccess(bool pinsPages, Action<IovaRange>? unmapped = null) =>
        Objects.Add(new IoasAccess(this, pinsPages, unmapped, locks: false));

    /// <summary>Sets the mode of limits; see <see cref="RlimitMode"/>.</summary>
    /// <param name="mode">0 or 1.</param>
    /// <exception cref="IommufdException">EPERM: the process may not. EBUSY: an object exists. EINVAL: another value.</exception>
    public void SetRlimitMode(ulong mode)
    {
        if (!Process.MayChangeLimits)
        {
            throw new IommufdException(Errno.EPERM, "val64", mode, "the process lacks CAP_SYS_RESOURCE");
        }

        if (!Objects.IsEmpty)
        {
            throw new IommufdException(Errno.EBUSY, "val64", mode, "objects exist; there must be none");
        }

        RlimitMode = mode <= 1 ? mode : throw new IommufdException(Errno.EINVAL, "val64", mode, "must be 0 or 1");
    }

    /// <summary>Hands the context to another process: from now on its limit counts every pinned page (IOAS_CHANGE_PROCESS).</summary>
    /// <param name="process">The process that calls.</param>
    /// <exception cref="IommufdException">EINVAL: a mapping is not of a file. ENOMEM: the limit is too low. Nothing is changed.</exception>
    public void ChangeProcess(UserAddressSpace process)
    {
        ArgumentNullException.ThrowIfNull(process);
        List<Ioas> spaces = [.. Objects.Published().OfType<Ioas>()];
        int locked = 0;
        try
        {
            // By ascending id; no other path holds two of these locks.
            for (; locked < spaces.Count; locked++)
            {
                spaces[locked].Gate.Enter();
            }

            HashSet<MappedPages> pages = [.. spaces.SelectMany(static ioas => ioas.MappedPages())];
            if (pages.Any(static mapped => !mapped.IsFile))
            {
                throw new IommufdException(Errno.EINVAL, "ioas", spaces[0].Id, "every mapping must be of a file");
            }

            Charge(pages, process);
            Volatile.Write(ref _process, process);
        }
        finally
        {
            while (locked-- > 0)
            {
                spaces[locked].Gate.Exit();
            }
        }
    }

    /// <summary>Destroys an object, as IOMMU_DESTROY does.</summary>
    /// <param name="id">Its id.</param>
    /// <exception cref="IommufdException">ENOENT: no object has the id. EBUSY: the object is used.</exception>
    public void Destroy(uint id) => Objects.Destroy(id);

    /// <summary>Destroys everything, leaves first. No call may be under way or follow.</summary>
    public void Dispose()
    {
        if (Interlocked.Exchange(ref _closed, 1) == 0)
        {
            Mappings.Close();
            Objects.Close();
            TablePages.Dispose();
        }
    }

    private static void Charge(HashSet<MappedPages> pages, UserAddressSpace process)
    {
        var done = new List<(MappedPages Pages, UserAddressSpace Before)>();
        try
        {
            foreach (MappedPages mapped in pages)
            {
                done.Add((mapped, mapped.ChargeTo(process)));
            }
        }
        catch (IommufdException)
        {
            done.ForEach(static change => change.Pages.ChargeTo(change.Before));
            throw;
        }
    }
}
