using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace FastNest.Memory;

/// <summary>
/// Physical address to host pointer: a radix table of 22, 9 and 9 bits over 4 KiB pages whose upper entries stand for
/// whole GiB or 2 MiB runs, so that a large region costs one load and a scattered page three, however many regions
/// there are. This is the one place where a guest address becomes a pointer.
/// </summary>
internal sealed unsafe class PhysicalMap : IDisposable
{
    public const int AddressBits = 52;
    public const int PageShift = 12;

    private const int MiddleShift = 21;
    private const int TopShift = 30;
    private const int TopEntries = 1 << (AddressBits - TopShift);
    private const int NodeEntries = 512;

    private const ulong KindMask = 7;
    private const ulong Ram = 1;
    private const ulong Mmio = 2;
    private const ulong Node = 3;
    private const int WindowShift = 3;

    private readonly HashSet<nint> _nodes = [];
    private ulong* _top = (ulong*)NativeMemory.AllocZeroed(TopEntries, sizeof(ulong));

    ~PhysicalMap() => Free();

    public void Dispose()
    {
        Free();
        GC.SuppressFinalize(this);
    }

    /// <summary>The host pointer for a physical address, or null where there is no RAM; good to the end of its 4 KiB page.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public byte* Resolve(ulong address)
    {
        if (address >> AddressBits != 0)
        {
            return null;
        }

        ulong entry = Entry(address);
        return (entry & KindMask) == Ram ? (byte*)(address + (entry & ~KindMask)) : null;
    }

    /// <summary>Says why <see cref="Resolve"/> found nothing, or that it would.</summary>
    public MemoryStatus Classify(ulong address) => address >> AddressBits != 0
        ? MemoryStatus.BeyondAddressWidth
        : (Entry(address) & KindMask) switch
        {
            Ram => MemoryStatus.Ok,
            Mmio => MemoryStatus.Mmio,
            _ => MemoryStatus.Hole,
        };

    /// <summary>The number of the MMIO window at an address, or -1.</summary>
    public int Window(ulong address)
    {
        ulong entry = address >> AddressBits == 0 ? Entry(address) : 0;
        return (entry & KindMask) == Mmio ? (int)(entry >> WindowShift) : -1;
    }

    public void MapRam(ulong start, ulong length, nint host) => Fill(start, start + length, (ulong)host - start | Ram);

    public void MapMmio(ulong start, ulong length, int window) => Fill(start, start + length, (ulong)window << WindowShift | Mmio);

    public void Unmap(ulong start, ulong length) => Fill(start, start + length, 0);

    /// <summary>
    /// Takes the nodes in a range that hold nothing out of the table. Readers may still be in them: they are for
    /// <see cref="Free(List{nint})"/> once those have passed.
    /// </summary>
    public List<nint> Unlink(ulong start, ulong length)
    {
        var unlinked = new List<nint>();
        for (ulong index = start >> TopShift; index <= (start + length - 1) >> TopShift; index++)
        {
            Unlink(ref _top[index], MiddleShift, unlinked);
        }

        return unlinked;
    }

    /// <summary>Frees nodes that were unlinked.</summary>
    public void Free(List<nint> unlinked)
    {
        foreach (nint node in unlinked)
        {
            _nodes.Remove(node);
            NativeMemory.AlignedFree((void*)node);
        }
    }

    private static ulong* Children(ulong entry) => (ulong*)(entry & ~KindMask);

    /// <summary>Whether the slot holds nothing, now.</summary>
    private static bool Unlink(ref ulong slot, int shift, List<nint> unlinked)
    {
        if ((slot & KindMask) != Node)
        {
            return slot == 0;
        }

        ulong* children = Children(slot);
        bool empty = true;
        for (int i = 0; i < NodeEntries; i++)
        {
            empty &= shift == PageShift ? children[i] == 0 : Unlink(ref children[i], PageShift, unlinked);
        }

        if (empty)
        {
            Volatile.Write(ref slot, 0);
            unlinked.Add((nint)children);
        }

        return empty;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private ulong Entry(ulong address)
    {
        ulong entry = Volatile.Read(ref _top[address >> TopShift]);
        if ((entry & KindMask) == Node)
        {
            entry = Volatile.Read(ref Children(entry)[(address >> MiddleShift) & (NodeEntries - 1)]);
            if ((entry & KindMask) == Node)
            {
                entry = Volatile.Read(ref Children(entry)[(address >> PageShift) & (NodeEntries - 1)]);
            }
        }

        return entry;
    }

    private void Fill(ulong start, ulong end, ulong entry)
    {
        ulong at = start;
        while (at < end)
        {
            at = Fill(ref _top[at >> TopShift], TopShift, at, end, entry);
        }
    }

    private ulong Fill(ref ulong slot, int shift, ulong at, ulong end, ulong entry)
    {
        ulong size = 1UL << shift;
        ulong slotEnd = (at & ~(size - 1)) + size;
        if ((at & (size - 1)) == 0 && end >= slotEnd && (slot & KindMask) != Node)
        {
            Volatile.Write(ref slot, entry);
            return slotEnd;
        }

        if ((slot & KindMask) != Node)
        {
            Volatile.Write(ref slot, Split(slot));
        }

        ulong* children = Children(slot);
        int childShift = shift - 9;
        ulong stop = Math.Min(end, slotEnd);
        while (at < stop)
        {
            at = Fill(ref children[(at >> childShift) & (NodeEntries - 1)], childShift, at, stop, entry);
        }

        return at;
    }

    private ulong Split(ulong entry)
    {
        var children = (ulong*)NativeMemory.AlignedAlloc(NodeEntries * sizeof(ulong), 4096);
        new Span<ulong>(children, NodeEntries).Fill(entry);
        _nodes.Add((nint)children);
        return (ulong)children | Node;
    }

    private void Free()
    {
        foreach (nint node in _nodes)
        {
            NativeMemory.AlignedFree((void*)node);
        }

        _nodes.Clear();
        NativeMemory.Free(_top);
        _top = null;
    }
}
