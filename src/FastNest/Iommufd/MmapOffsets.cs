namespace FastNest.Iommufd;

/// <summary>Where in a context's file the pages of vIOMMUs stand that VMs use without traps. Any thread.</summary>
internal sealed class MmapOffsets
{
    private readonly Lock _gate = new();
    private readonly Dictionary<ulong, Viommu> _owners = [];
    private readonly Dictionary<ulong, Stack<ulong>> _free = [];
    private readonly HashSet<ViommuMapping> _mappings = [];

    // The first page is never given out.
    private ulong _next = PageSource.PageSize;

    /// <summary>Finds a place for a vIOMMU's page.</summary>
    public ulong Register(Viommu viommu)
    {
        lock (_gate)
        {
            if (!_free.TryGetValue(viommu.MmapLength, out Stack<ulong>? free) || !free.TryPop(out ulong offset))
            {
                offset = _next;
                _next += viommu.MmapLength;
            }

            _owners.Add(offset, viommu);
            return offset;
        }
    }

    public void Unregister(Viommu viommu)
    {
        lock (_gate)
        {
            _owners.Remove(viommu.MmapOffset);
            if (!_free.TryGetValue(viommu.MmapLength, out Stack<ulong>? free))
            {
                free = new();
                _free.Add(viommu.MmapLength, free);
            }

            free.Push(viommu.MmapOffset);
        }
    }

    /// <summary>Maps a page; its vIOMMU is busy for as long.</summary>
    /// <exception cref="IommufdException">ENXIO: no page has this offset and this length.</exception>
    public ViommuMapping Map(ulong offset, ulong length)
    {
        lock (_gate)
        {
            if (!_owners.TryGetValue(offset, out Viommu? viommu) || viommu.MmapLength != length)
            {
                throw new IommufdException(Errno.ENXIO, "offset", offset, $"no page of 0x{length:x} bytes is there");
            }

            var mapping = new ViommuMapping(viommu);
            _mappings.Add(mapping);
            return mapping;
        }
    }

    public void Forget(ViommuMapping mapping)
    {
        lock (_gate)
        {
            _mappings.Remove(mapping);
        }
    }

    /// <summary>Unmaps everything, as the context closes.</summary>
    public void Close()
    {
        foreach (ViommuMapping mapping in _mappings.ToArray())
        {
            mapping.Dispose();
        }
    }
}
