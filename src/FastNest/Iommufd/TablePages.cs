using System.Runtime.InteropServices;
using FastNest.Memory;

namespace FastNest.Iommufd;

/// <summary>
/// Pages for host tables, in physical memory that the context adds at the upper end of the address space and takes out again.
/// Members may be called from any thread, but for <see cref="Dispose"/>.
/// </summary>
internal sealed class TablePages(GuestPhysicalSpace memory) : IDisposable
{
    private const ulong PageSize = GuestPhysicalSpace.PageSize;
    private const ulong ChunkSize = 64UL << 20;

    private readonly Lock _gate = new();
    private readonly List<MemoryRegion> _chunks = [];
    private readonly Stack<ulong> _free = new();
    private ulong _next;
    private ulong _end;

    /// <summary>How many pages are taken now.</summary>
    public long Taken { get; private set; }

    /// <summary>A zeroed page.</summary>
    /// <exception cref="IommufdException">ENOMEM: no room for another chunk.</exception>
    public ulong Take()
    {
        ulong page;
        lock (_gate)
        {
            if (!_free.TryPop(out page))
            {
                if (_next == _end)
                {
                    MemoryRegion chunk = HostMemory.Add(memory, ChunkSize);
                    _chunks.Add(chunk);
                    (_next, _end) = (chunk.Start, chunk.Start + ChunkSize);
                }

                page = _next;
                _next += PageSize;
                Taken++;
                return page;
            }

            Taken++;
        }

        Entries(page).Clear();
        return page;
    }

    /// <summary>Takes pages back that nothing walks any more; their content does not matter.</summary>
    public void Give(List<ulong> pages)
    {
        lock (_gate)
        {
            Taken -= pages.Count;
            foreach (ulong page in pages)
            {
                _free.Push(page);
            }
        }

        pages.Clear();
    }

    /// <summary>The 512 entries of a taken page.</summary>
    public Span<ulong> Entries(ulong page) => MemoryMarshal.Cast<byte, ulong>(memory.PageAt(page));

    public void Dispose()
    {
        foreach (MemoryRegion chunk in _chunks)
        {
            if (chunk.IsMapped)
            {
                memory.Remove(chunk);
            }
        }

        _chunks.Clear();
    }
}
