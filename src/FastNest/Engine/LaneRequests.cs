using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using FastNest.Caches;
using FastNest.Lanes;
using FastNest.Walks;

namespace FastNest.Engine;

/// <summary>Requests of one shape, taken apart into columns so that they can be walked side by side.</summary>
internal sealed class LaneRequests
{
    public const int Capacity = LaneCount.Maximum;

    private const int Columns = 7;
    private const int Stride = LaneCount.Stride;

    private readonly ulong[] _columns = new ulong[Columns * Stride];

    public int Count;

    public LaneShape Shape;

    public ref ulong Iovas => ref _columns[0];

    /// <summary>Where in the batch each request stands.</summary>
    public ref ulong Places => ref _columns[Stride];

    /// <summary>The tags of the first stage if there is one, else of the second, as <see cref="DirectCache"/> has them.</summary>
    public ref ulong Tags => ref _columns[2 * Stride];

    public ref ulong HostTags => ref _columns[3 * Stride];

    public ref ulong Attributes => ref _columns[4 * Stride];

    public ref ulong Roots => ref _columns[5 * Stride];

    public ref ulong HostRoots => ref _columns[6 * Stride];

    /// <summary>Adds one request.</summary>
    public void Add(int place, ulong iova, ulong attributes, in TranslationContext context)
    {
        int at = Count++;
        ulong host = (ulong)context.Host.Tag << DirectCache.TagShift;
        Unsafe.Add(ref Iovas, at) = iova;
        Unsafe.Add(ref Places, at) = (ulong)place;
        Unsafe.Add(ref Tags, at) = Shape.Mode == ContextMode.Nested ? (ulong)context.Guest.Tag << DirectCache.TagShift : host;
        Unsafe.Add(ref HostTags, at) = host;
        Unsafe.Add(ref Attributes, at) = attributes;
        Unsafe.Add(ref Roots, at) = context.Guest.Root;
        Unsafe.Add(ref HostRoots, at) = context.Host.Root;
    }

    /// <summary>Gives up every request taken so far: each is to be served otherwise.</summary>
    public void Abandon(Span<ulong> unserved)
    {
        for (int i = 0; i < Count; i++)
        {
            ulong place = Unsafe.Add(ref Places, i);
            unserved[(int)(place >> 6)] |= 1UL << (int)(place & 63);
        }

        Count = 0;
    }

    /// <summary>Takes all addresses of one requester.</summary>
    public void Fill(ReadOnlySpan<ulong> iovas, ulong attributes, in TranslationContext context)
    {
        Count = iovas.Length;
        iovas.CopyTo(Column(ref Iovas));
        Span<ulong> places = Column(ref Places);
        for (int i = 0; i < places.Length; i++)
        {
            places[i] = (ulong)i;
        }

        ulong host = (ulong)context.Host.Tag << DirectCache.TagShift;
        Column(ref Tags).Fill(Shape.Mode == ContextMode.Nested ? (ulong)context.Guest.Tag << DirectCache.TagShift : host);
        Column(ref HostTags).Fill(host);
        Column(ref Attributes).Fill(attributes);
        Column(ref Roots).Fill(context.Guest.Root);
        Column(ref HostRoots).Fill(context.Host.Root);
    }

    /// <summary>Moves those of a group of lanes that are still to be served up, behind those kept before.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Keep<TLanes>(int from, uint bits, int to)
        where TLanes : struct, ILanes<TLanes>
    {
        ref ulong columns = ref MemoryMarshal.GetArrayDataReference(_columns);
        for (int column = 0; column < Columns * Stride; column += Stride)
        {
            TLanes.Compress(TLanes.Load(in columns, column + from), bits, ref columns, column + to);
        }
    }

    private Span<ulong> Column(ref ulong first) => MemoryMarshal.CreateSpan(ref first, Count);
}
