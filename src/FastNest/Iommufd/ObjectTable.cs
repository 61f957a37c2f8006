namespace FastNest.Iommufd;

/// <summary>
/// The ids of one context: one space of 31-bit numbers for all types, the lowest free one next. An id is reserved before an
/// object is made and published when nothing can fail any more. All members may be called from any thread.
/// </summary>
internal sealed class ObjectTable
{
    private const int MaximumId = int.MaxValue;
    private static readonly TimeSpan CallLimit = TimeSpan.FromSeconds(60);
    private static readonly object Reserved = new();
    private static readonly object Tombstone = new();

    private readonly Lock _gate = new();
    private readonly List<object?> _slots = [Tombstone];
    private readonly PriorityQueue<uint, uint> _free = new();
    private int _occupied;

    /// <summary>Whether no id is published, reserved or buried.</summary>
    public bool IsEmpty => Volatile.Read(ref _occupied) == 0;

    /// <summary>Takes an id that nobody finds yet.</summary>
    /// <exception cref="IommufdException">ENOMEM: every id is taken.</exception>
    public uint Reserve()
    {
        lock (_gate)
        {
            if (!_free.TryDequeue(out uint id, out _))
            {
                if (_slots.Count > MaximumId)
                {
                    throw new IommufdException(Errno.ENOMEM, "id", (ulong)_slots.Count, $"ids end at {MaximumId}");
                }

                id = (uint)_slots.Count;
                _slots.Add(null);
            }

            _slots[(int)id] = Reserved;
            _occupied++;
            return id;
        }
    }

    /// <summary>Gives a reserved id back.</summary>
    public void Abandon(uint id)
    {
        lock (_gate)
        {
            Free(id);
        }
    }

    /// <summary>Lets an object be found under a reserved id.</summary>
    public T Publish<T>(uint id, T published)
        where T : IommufdObject
    {
        lock (_gate)
        {
            published.Id = id;
            _slots[(int)id] = published;
            return published;
        }
    }

    /// <summary>Publishes an object that could not fail to be made.</summary>
    public T Add<T>(T made)
        where T : IommufdObject => Publish(Reserve(), made);

    /// <summary>The object of an id; take <see cref="IommufdObject.Use"/> or a user before relying on it.</summary>
    /// <exception cref="IommufdException">ENOENT: no such id, or another type.</exception>
    public T Find<T>(uint id, string field)
        where T : IommufdObject =>
        Slot(id) as T ?? throw new IommufdException(Errno.ENOENT, field, id, $"no {typeof(T).Name} has this id");

    /// <summary>The object of an id whatever its type, or null.</summary>
    public IommufdObject? Find(uint id) => Slot(id) as IommufdObject;

    /// <summary>Destroys the object of an id.</summary>
    /// <exception cref="IommufdException">ENOENT: no object has the id. EBUSY: it has users, or calls do not end.</exception>
    public void Destroy(uint id)
    {
        IommufdObject target = Find<IommufdObject>(id, "id");
        if (!TryDestroy(target, bury: false))
        {
            throw target.IsDestroyed
                ? new IommufdException(Errno.ENOENT, "id", id, "the object is destroyed")
                : new IommufdException(Errno.EBUSY, "id", id, $"the object has {target.Users - 1} users; it must have none");
        }
    }

    /// <summary>Destroys an object without users; false when it has some, or another thread destroys it.</summary>
    /// <param name="target">The object.</param>
    /// <param name="bury">Whether its id must not be used again.</param>
    /// <exception cref="IommufdException">EBUSY: calls on the object did not end; its id is gone all the same.</exception>
    public bool TryDestroy(IommufdObject target, bool bury)
    {
        lock (_gate)
        {
            if (!target.TryTakeLastUser())
            {
                return false;
            }

            if (bury)
            {
                _slots[(int)target.Id] = Tombstone;
            }
            else
            {
                Free(target.Id);
            }
        }

        if (!target.WaitForCalls(CallLimit))
        {
            throw new IommufdException(Errno.EBUSY, "id", target.Id, $"calls did not end within {CallLimit.TotalSeconds} s");
        }

        target.Destroyed();
        return true;
    }

    /// <summary>
    /// Destroys everything, leaves first. Nothing else may use the context any more.
    /// </summary>
    public void Close()
    {
        foreach (IommufdObject target in Published())
        {
            target.ContextClosing();
        }

        for (List<IommufdObject> left = Published(); left.Count > 0; left = Published())
        {
            bool progress = false;
            for (int i = left.Count - 1; i >= 0; i--)
            {
                progress |= TryDestroy(left[i], bury: false);
            }

            if (!progress)
            {
                throw new InvalidOperationException($"object {left[0].Id} and {left.Count - 1} others refer to each other");
            }
        }
    }

    /// <summary>All published objects by ascending id.</summary>
    public List<IommufdObject> Published()
    {
        lock (_gate)
        {
            return [.. _slots.OfType<IommufdObject>()];
        }
    }

    private object? Slot(uint id)
    {
        lock (_gate)
        {
            return id < (uint)_slots.Count ? _slots[(int)id] : null;
        }
    }

    private void Free(uint id)
    {
        _slots[(int)id] = null;
        _free.Enqueue(id, id);
        _occupied--;
    }
}
