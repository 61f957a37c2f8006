using FastNest.Memory;

namespace FastNest.Iommufd;

/// <summary>
/// A file of memory (memfd), for IOAS_MAP_FILE: runs of physical pages behind one descriptor. Mappings survive its closing.
/// Members may be called from any thread.
/// </summary>
public sealed class MemoryFile : IDisposable
{
    private readonly Lock _gate = new();
    private readonly OrderedMap<Run> _runs = new();
    private readonly GuestPhysicalSpace _memory;
    private ulong _length;

    /// <summary>Makes an empty file.</summary>
    /// <param name="memory">The machine whose memory the file's pages are.</param>
    public MemoryFile(GuestPhysicalSpace memory)
    {
        ArgumentNullException.ThrowIfNull(memory);
        _memory = memory;
        Source = new Pages(this);
    }

    /// <summary>The length in bytes, a multiple of 4096.</summary>
    public ulong Length
    {
        get
        {
            lock (_gate)
            {
                return _length;
            }
        }
    }

    internal bool IsClosed { get; private set; }

    internal PageSource Source { get; }

    /// <summary>Makes the file longer by a run of physical pages.</summary>
    /// <param name="physical">The first physical address, a multiple of 4096.</param>
    /// <param name="length">Bytes, a multiple of 4096, not zero.</param>
    /// <exception cref="IommufdException">EINVAL: a value is misaligned or zero, or the file would pass 2^63 bytes.</exception>
    public void Append(ulong physical, ulong length)
    {
        if (physical % PageSource.PageSize != 0)
        {
            throw new IommufdException(Errno.EINVAL, "physical", physical, $"must be a multiple of {PageSource.PageSize}");
        }

        lock (_gate)
        {
            if (length == 0 || length % PageSource.PageSize != 0 || length > long.MaxValue - _length)
            {
                throw new IommufdException(
                    Errno.EINVAL, "length", length, $"must be a multiple of {PageSource.PageSize} and not zero, files end at 2^63");
            }

            _runs.Add(_length, new Run(_length, physical));
            _length += length;
        }
    }

    /// <summary>Makes the file shorter; pages that are pinned stay so.</summary>
    /// <param name="length">The new length in bytes, a multiple of 4096, at most the present one.</param>
    /// <exception cref="IommufdException">EINVAL: the length is misaligned or longer than the file.</exception>
    public void Truncate(ulong length)
    {
        lock (_gate)
        {
            if (length % PageSource.PageSize != 0 || length > _length)
            {
                throw new IommufdException(
                    Errno.EINVAL, "length", length, $"must be a multiple of {PageSource.PageSize}, at most 0x{_length:x}");
            }

            _length = length;
            while (_runs.TryCeiling(length, out Run? run))
            {
                _runs.Remove(run.Start);
            }
        }
    }

    /// <summary>Closes the descriptor: new mappings fail with EBADF, those that exist stay.</summary>
    public void Dispose() => IsClosed = true;

    private sealed record Run(ulong Start, ulong Physical);

    private sealed class Pages(MemoryFile file) : PageSource(file._memory)
    {
        public override bool IsFile => true;

        protected override ulong Locate(ulong address, bool write, out ulong length)
        {
            lock (file._gate)
            {
                if (address >= file._length || !file._runs.TryFloor(address, out Run? run))
                {
                    throw new IommufdException(Errno.EINVAL, "start", address, $"the file ends at 0x{file._length:x}");
                }

                ulong end = file._runs.TryCeiling(address + 1, out Run? next) ? next.Start : file._length;
                length = end - address;
                return run.Physical + (address - run.Start);
            }
        }
    }
}
