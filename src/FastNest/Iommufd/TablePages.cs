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
            Taken++;
            if (!_free.TryPop(out page))
            {
                if (_next == _end)
                {
                    AddChunk();
                }

                page = _next;
                _next += PageSize;
                return page;
            }
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

    /// <summary>Adds memory in the highest hole that is large enough. Another context may be quicker: then look again.</summary>
    private void AddChunk()
    {
        for (int attempt = 0; attempt < 16; attempt++)
        {
            ulong end = 1UL << GuestPhysicalSpace.AddressBits;
            foreach (MemoryRegion region in memory.Regions.Reverse())
            {
                if (end - (region.Start + region.Length) >= ChunkSize)
                {
                    break;
                }

                end = region.Start & ~(ChunkSize - 1);
            }

            try
            {
                _chunks.Add(memory.AddOwned(end - ChunkSize, ChunkSize));
                _next = end - ChunkSize;
                _end = end;
                return;
            }
            catch (MemoryMapException) when (attempt < 15)
            {
            }
        }

        Taken--;
        throw new IommufdException(Errno.ENOMEM, "tables", ChunkSize, "no hole of the physical memory is large enough");
    }
}
