namespace FastNest.Iommufd;

/// <summary>
/// Something that an <see cref="IommufdContext"/> owns under an id. Two counts keep it: users are long-term references
/// and make DESTROY fail; waits last for one call and make DESTROY wait. Both may be taken from any thread.
/// </summary>
/// <remarks>The rules of users and wait_cnt in Linux drivers/iommu/iommufd/main.c.</remarks>
public abstract class IommufdObject
{
    // The table's own reference is the first user; 0 says that the object is on its way out.
    private int _users = 1;
    private int _waits;

    private protected IommufdObject(IommufdContext context) => Context = context;

    /// <summary>The context that owns the object.</summary>
    public IommufdContext Context { get; }

    /// <summary>The id, from 1 to 2^31 - 1; 0 until the object is published.</summary>
    public uint Id { get; internal set; }

    /// <summary>Whether the object has left its table.</summary>
    public bool IsDestroyed => Volatile.Read(ref _users) == 0;

    internal int Users => Volatile.Read(ref _users);

    /// <summary>Takes a long-term reference: until <see cref="ReleaseUser"/> DESTROY answers EBUSY.</summary>
    /// <exception cref="IommufdException">ENOENT: the object is destroyed.</exception>
    internal void AddUser()
    {
        int users = Volatile.Read(ref _users);
        while (users > 0)
        {
            int seen = Interlocked.CompareExchange(ref _users, users + 1, users);
            if (seen == users)
            {
                return;
            }

            users = seen;
        }

        throw Gone();
    }

    internal void ReleaseUser() => Interlocked.Decrement(ref _users);

    /// <summary>Keeps the object for the duration of one call; dispose the result at its end.</summary>
    /// <exception cref="IommufdException">ENOENT: the object is destroyed.</exception>
    internal ObjectUse Use()
    {
        // The count first, the look second; a destroyer does it the other way round, so that one of the two sees the other.
        Interlocked.Increment(ref _waits);
        if (Volatile.Read(ref _users) == 0)
        {
            EndUse();
            throw Gone();
        }

        return new ObjectUse(this);
    }

    internal void EndUse() => Interlocked.Decrement(ref _waits);

    /// <summary>Takes the table's reference if it is the only one.</summary>
    internal bool TryTakeLastUser() => Interlocked.CompareExchange(ref _users, 0, 1) == 1;

    /// <summary>Sleeps until no call uses the object, at most for the given time.</summary>
    internal bool WaitForCalls(TimeSpan limit) => SpinWait.SpinUntil(() => Volatile.Read(ref _waits) == 0, limit);

    /// <summary>Lets go of everything the object holds. Called once, when nothing refers to it any more.</summary>
    private protected virtual void OnDestroyed()
    {
    }

    /// <summary>
    /// At the closing of the context, before anything is destroyed: objects held by an owner outside of the table (devices,
    /// accesses) detach and give the owner's reference back.
    /// </summary>
    private protected virtual void OnContextClosing()
    {
    }

    internal void Destroyed() => OnDestroyed();

    internal void ContextClosing() => OnContextClosing();

    private IommufdException Gone() => new(Errno.ENOENT, "id", Id, "the object is destroyed");
}
