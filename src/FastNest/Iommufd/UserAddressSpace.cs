using FastNest.Memory;

namespace FastNest.Iommufd;

/// <summary>
/// The address space of the process that calls the API (the VMM): which physical memory its addresses stand for, and how
/// many of its pages are pinned. Members may be called from any thread.
/// </summary>
public sealed class UserAddressSpace
{
    private readonly Lock _gate = new();
    private readonly OrderedMap<Part> _parts = new();
    private long _pinned;

    /// <summary>Makes an empty address space.</summary>
    /// <param name="memory">The machine whose memory the process has.</param>
    /// <param name="pinLimit">How many pages may be pinned at once, as RLIMIT_MEMLOCK says; at most 2^63 - 1.</param>
    public UserAddressSpace(GuestPhysicalSpace memory, long pinLimit = long.MaxValue)
    {
        ArgumentNullException.ThrowIfNull(memory);
        ArgumentOutOfRangeException.ThrowIfNegative(pinLimit);
        Memory = memory;
        PinLimit = pinLimit;
        Source = new Pages(this);
    }

    /// <summary>The machine whose memory the process has.</summary>
    public GuestPhysicalSpace Memory { get; }

    /// <summary>How many pages of 4 KiB may be pinned at once.</summary>
    public long PinLimit { get; }

    /// <summary>How many pages of 4 KiB are pinned now, each counted once however many mappings share it.</summary>
    public long PinnedPages => Volatile.Read(ref _pinned);

    /// <summary>Whether the process may change the limit mode (CAP_SYS_RESOURCE).</summary>
    public bool MayChangeLimits { get; init; } = true;

    internal PageSource Source { get; }

    /// <summary>Lets a range of user addresses stand for physical memory. Memory of the embedder comes by its physical address too: see <see cref="GuestPhysicalSpace.AddBorrowed"/>.</summary>
    /// <param name="address">The first user address, a multiple of 4096.</param>
    /// <param name="physical">The first physical address, a multiple of 4096.</param>
    /// <param name="length">Bytes, a multiple of 4096, not zero.</param>
    /// <param name="writable">Whether the process may write there.</param>
    /// <exception cref="IommufdException">EINVAL: a value is misaligned or the range wraps. EEXIST: something is mapped there.</exception>
    public void Map(ulong address, ulong physical, ulong length, bool writable = true)
    {
        CheckAligned("address", address);
        CheckAligned("physical", physical);
        CheckLength(address, length);
        lock (_gate)
        {
            if (_parts.TryFloor(address + (length - 1), out Part? below) && below.Last >= address)
            {
                throw new IommufdException(Errno.EEXIST, "address", address, $"0x{below.First:x} to 0x{below.Last:x} is mapped");
            }

            _parts.Add(address, new Part(address, address + (length - 1), physical, writable));
        }
    }

    /// <summary>Takes a range out; pages that are pinned stay so, and mappings may be cut.</summary>
    /// <param name="address">The first user address, a multiple of 4096.</param>
    /// <param name="length">Bytes, a multiple of 4096, not zero.</param>
    /// <exception cref="IommufdException">EINVAL: a value is misaligned or the range wraps.</exception>
    public void Unmap(ulong address, ulong length)
    {
        CheckAligned("address", address);
        CheckLength(address, length);
        ulong last = address + (length - 1);
        lock (_gate)
        {
            while (_parts.TryFloor(last, out Part? part) && part.Last >= address)
            {
                _parts.Remove(part.First);
                if (part.First < address)
                {
                    _parts.Add(part.First, part with { Last = address - 1 });
                }

                if (part.Last > last)
                {
                    _parts.Add(last + 1, new Part(last + 1, part.Last, part.Physical + (last + 1 - part.First), part.Writable));
                }
            }
        }
    }

    /// <summary>The process ends: nothing is mapped any more; pages that are pinned stay so.</summary>
    public void Exit()
    {
        lock (_gate)
        {
            while (_parts.TryFloor(ulong.MaxValue, out Part? part))
            {
                _parts.Remove(part.First);
            }
        }
    }

    /// <summary>Counts pages as pinned.</summary>
    /// <exception cref="IommufdException">ENOMEM: more than the limit.</exception>
    internal void Charge(ulong pages)
    {
        long pinned = Volatile.Read(ref _pinned);
        while (pages <= (ulong)(PinLimit - pinned))
        {
            long seen = Interlocked.CompareExchange(ref _pinned, pinned + (long)pages, pinned);
            if (seen == pinned)
            {
                return;
            }

            pinned = seen;
        }

        throw new IommufdException(Errno.ENOMEM, "length", pages * PageSource.PageSize, $"{pinned} of {PinLimit} pages are pinned");
    }

    internal void Uncharge(ulong pages) => Interlocked.Add(ref _pinned, -(long)pages);

    private static void CheckAligned(string field, ulong value)
    {
        if (value % PageSource.PageSize != 0)
        {
            throw new IommufdException(Errno.EINVAL, field, value, $"must be a multiple of {PageSource.PageSize}");
        }
    }

    private static void CheckLength(ulong address, ulong length)
    {
        CheckAligned("length", length);
        if (length == 0 || length - 1 > ulong.MaxValue - address)
        {
            throw new IommufdException(Errno.EINVAL, "length", length, $"must not be zero, nor end beyond 2^64 from 0x{address:x}");
        }
    }

    private sealed record Part(ulong First, ulong Last, ulong Physical, bool Writable);

    private sealed class Pages(UserAddressSpace space) : PageSource(space.Memory)
    {
        public override bool IsFile => false;

        protected override ulong Locate(ulong address, bool write, out ulong length)
        {
            lock (space._gate)
            {
                if (!space._parts.TryFloor(address, out Part? part) || part.Last < address)
                {
                    throw new IommufdException(Errno.EFAULT, "user_va", address, "no memory of the process is there");
                }

                if (write && !part.Writable)
                {
                    throw new IommufdException(Errno.EFAULT, "user_va", address, "the process may not write there");
                }

                length = part.Last - address + 1;
                return part.Physical + (address - part.First);
            }
        }
    }
}
