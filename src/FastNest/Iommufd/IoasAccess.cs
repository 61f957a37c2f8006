using FastNest.Requests;

namespace FastNest.Iommufd;

/// <summary>
/// Software that uses the memory of an IOAS as a device would. Its owner holds a reference: DESTROY answers EBUSY, only
/// <see cref="Destroy"/> ends it. Calls may come from any thread.
/// </summary>
public sealed class IoasAccess : IommufdObject
{
    private readonly object _gate = new();
    private readonly Dictionary<(ulong Iova, ulong Length), int> _pins = [];
    private readonly Action<IovaRange>? _unmapped;
    private Ioas? _ioas;
    private bool _leaving;
    private bool _ended;
    private int _callbacks;

    /// <param name="context">The owner of the object.</param>
    /// <param name="pinsPages">Whether it will pin pages.</param>
    /// <param name="unmapped">Called before a range goes away.</param>
    /// <param name="locks">Whether pins make UNMAP fail instead, as those of hardware queues do.</param>
    internal IoasAccess(IommufdContext context, bool pinsPages, Action<IovaRange>? unmapped, bool locks)
        : base(context)
    {
        PinsPages = pinsPages;
        LocksAreas = locks;
        _unmapped = unmapped;
        AddUser();
    }

    /// <summary>Whether the access may pin pages.</summary>
    public bool PinsPages { get; }

    /// <summary>The IOAS that the access is attached to, or null.</summary>
    public Ioas? Ioas
    {
        get
        {
            lock (_gate)
            {
                return _leaving ? null : _ioas;
            }
        }
    }

    internal bool LocksAreas { get; }

    /// <summary>Attaches the access.</summary>
    /// <exception cref="IommufdException">EINVAL: it is attached. EADDRINUSE: a mapping is misaligned. ENOENT: the IOAS is destroyed.</exception>
    public void Attach(Ioas ioas)
    {
        ArgumentNullException.ThrowIfNull(ioas);
        lock (_gate)
        {
            RequireOpen();
            if (_ioas is not null)
            {
                throw new IommufdException(Errno.EINVAL, "ioas_id", ioas.Id, $"the access is attached to {_ioas.Id}");
            }

            Join(ioas);
            _ioas = ioas;
        }
    }

    /// <summary>Moves the access to another IOAS, with <see cref="Detach"/>'s rules for the old one.</summary>
    /// <exception cref="IommufdException">ENOENT: it is not attached, or the IOAS is destroyed. EADDRINUSE: a mapping is misaligned. It stays where it was.</exception>
    public void Replace(Ioas ioas)
    {
        ArgumentNullException.ThrowIfNull(ioas);
        lock (_gate)
        {
            RequireOpen();
            if (_ioas is null || _leaving)
            {
                throw new IommufdException(Errno.ENOENT, "ioas_id", ioas.Id, "the access is not attached");
            }

            if (_ioas == ioas)
            {
                return;
            }

            Join(ioas);
            _leaving = true;
        }

        Leave(ioas);
    }

    /// <summary>
    /// Detaches the access: its callback is told of the whole space and must unpin everything; no callback runs afterwards.
    /// </summary>
    public void Detach()
    {
        lock (_gate)
        {
            if (_ioas is null || _leaving)
            {
                return;
            }

            _leaving = true;
        }

        Leave(null);
    }

    /// <summary>Detaches the access and ends it.</summary>
    /// <exception cref="IommufdException">ENOENT: it was destroyed before.</exception>
    public void Destroy()
    {
        lock (_gate)
        {
            RequireOpen();
            _ended = true;
        }

        Detach();
        ReleaseUser();
        Context.Objects.TryDestroy(this, bury: false);
    }

    /// <summary>Pins the pages of a range. Pins are counted: each is taken back with <see cref="Unpin"/>.</summary>
    /// <param name="iova">The first IOVA.</param>
    /// <param name="length">Bytes, not zero.</param>
    /// <param name="physical">Gets the physical address of each page that the range touches.</param>
    /// <param name="write">Whether the memory will be written, else read.</param>
    /// <exception cref="IommufdException">
    /// EINVAL, EOVERFLOW: a value is wrong, or the access may not pin. ENOENT: not attached, or not mapped. EPERM: the mapping forbids it. EFAULT, ENOMEM:
    /// pages cannot be pinned. Nothing is pinned.
    /// </exception>
    public void Pin(ulong iova, ulong length, Span<ulong> physical, bool write)
    {
        if (length != 0 && (iova % PageSource.PageSize + length - 1) / PageSource.PageSize >= (ulong)physical.Length)
        {
            throw new IommufdException(Errno.EINVAL, "length", length, $"the result has room for {physical.Length} pages");
        }

        if (!PinsPages)
        {
            throw new IommufdException(Errno.EINVAL, "access_id", Id, "was not made to pin pages: mappings need not be aligned to them");
        }

        lock (_pins)
        {
            Attached(iova).Pin(this, iova, length, physical, write ? Access.Write : Access.Read);
            _pins[(iova, length)] = _pins.GetValueOrDefault((iova, length)) + 1;
        }
    }

    /// <summary>Takes a pin back, also while the access is being detached.</summary>
    /// <param name="iova">As it was pinned.</param>
    /// <param name="length">As it was pinned.</param>
    /// <exception cref="InvalidOperationException">The access has no such pin.</exception>
    public void Unpin(ulong iova, ulong length)
    {
        lock (_pins)
        {
            int count = _pins.GetValueOrDefault((iova, length));
            if (count == 0)
            {
                throw new InvalidOperationException($"iova 0x{iova:x}, length 0x{length:x}: not a pin of this access");
            }

            if (count == 1)
            {
                _pins.Remove((iova, length));
            }
            else
            {
                _pins[(iova, length)] = count - 1;
            }

            // While the access has a pin, Leave has not passed yet: this is the IOAS that it was made in.
            _ioas!.Unpin(this, iova, length);
        }
    }

    /// <summary>Reads bytes without pinning; some may have been read before an error.</summary>
    /// <exception cref="IommufdException">ENOENT: not attached, or not mapped. EPERM: not readable. EFAULT: no memory. EOVERFLOW: the range wraps.</exception>
    public void Read(ulong iova, Span<byte> destination)
    {
        CheckRange(iova, destination.Length);
        Attached(iova).Read(this, iova, destination);
    }

    /// <summary>Writes bytes without pinning; some may have been written before an error.</summary>
    /// <exception cref="IommufdException">ENOENT: not attached, or not mapped. EPERM: not writable. EFAULT: no memory. EOVERFLOW: the range wraps.</exception>
    public void Write(ulong iova, ReadOnlySpan<byte> source)
    {
        CheckRange(iova, source.Length);
        Attached(iova).Write(this, iova, source);
    }

    /// <summary>Tells the owner that a range of an IOAS goes away, unless the access has left it.</summary>
    internal void Notify(Ioas ioas, IovaRange range)
    {
        lock (_gate)
        {
            if (_ioas != ioas || _unmapped is null)
            {
                return;
            }

            _callbacks++;
        }

        try
        {
            _unmapped(range);
        }
        finally
        {
            lock (_gate)
            {
                _callbacks--;
                Monitor.PulseAll(_gate);
            }
        }
    }

    /// <summary>Pins of a hardware queue stay until the queue is destroyed, which ends its access.</summary>
    private protected override void OnContextClosing()
    {
        lock (_gate)
        {
            if (_ended || LocksAreas)
            {
                return;
            }

            _ended = true;
        }

        Detach();
        ReleaseUser();
    }

    private static void CheckRange(ulong iova, int length)
    {
        if (length == 0)
        {
            throw new IommufdException(Errno.EINVAL, "length", 0, "must not be zero");
        }

        if ((ulong)length - 1 > ulong.MaxValue - iova)
        {
            throw new IommufdException(Errno.EOVERFLOW, "length", (ulong)length, $"from 0x{iova:x} on must end within 64 bits");
        }
    }

    /// <summary>Once its owner ends it, nothing is attached any more.</summary>
    private void RequireOpen()
    {
        if (_ended)
        {
            throw new IommufdException(Errno.ENOENT, "access_id", Id, "the access is destroyed");
        }
    }

    private Ioas Attached(ulong iova) => Ioas ?? throw new IommufdException(Errno.ENOENT, "iova", iova, "the access is not attached");

    private void Join(Ioas ioas)
    {
        ioas.AddUser();
        try
        {
            ioas.AddAccess(this);
        }
        catch
        {
            ioas.ReleaseUser();
            throw;
        }
    }

    /// <summary>Leaves the IOAS for the next, whatever the owner's callback does. New pins fail by now; those it left are taken back.</summary>
    private void Leave(Ioas? next)
    {
        Ioas left = _ioas!;
        try
        {
            Notify(left, IovaRange.All);
        }
        finally
        {
            left.RemoveAccess(this);
            UnpinAll(left);
            lock (_gate)
            {
                _ioas = next;
                _leaving = false;
                while (_callbacks > 0)
                {
                    Monitor.Wait(_gate);
                }
            }

            left.ReleaseUser();
        }
    }

    private void UnpinAll(Ioas left)
    {
        lock (_pins)
        {
            foreach (((ulong iova, ulong length), int count) in _pins)
            {
                for (int i = 0; i < count; i++)
                {
                    left.Unpin(this, iova, length);
                }
            }

            _pins.Clear();
        }
    }
}
