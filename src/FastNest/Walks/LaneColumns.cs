namespace FastNest.Walks;

/// <summary>The columns of requests that walks need; each holds <see cref="Count"/> values and room for a group of lanes more.</summary>
internal readonly ref struct LaneColumns(
    ref ulong iovas, ref ulong tags, ref ulong roots, ref ulong hostTags, ref ulong hostRoots, int count)
{
    public readonly ref ulong Iovas = ref iovas;
    public readonly ref ulong Tags = ref tags;
    public readonly ref ulong Roots = ref roots;
    public readonly ref ulong HostTags = ref hostTags;
    public readonly ref ulong HostRoots = ref hostRoots;
    public readonly int Count = count;
}
