using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using FastNest.Caches;
using FastNest.Lanes;
using FastNest.Walks;

namespace FastNest.Engine;

/// <summary>Requests of one shape, taken apart into columns so that they can be walked side by side.</summary>
internal sealed class LaneRequests(LaneRequesters requesters)
{
    public const int Capacity = LaneCount.Maximum;

    /// <summary>Columns that requests are walked with.</summary>
    private const int Columns = 8;

    /// <summary>With the one that is needed where everything is expected to be known.</summary>
    private const int AllColumns = 9;

    /// <summary>Instead of where a requester is kept: the request stands in all columns.</summary>
    private const uint IsSetOut = uint.MaxValue;

    /// <summary>Where requesters are kept stands above the places of their requests.</summary>
    private const int KeptShift = 32;

    private const int Stride = LaneCount.Stride;

    /// <summary>Addresses and places, which differ even between the requests of one requester.</summary>
    private const int OwnColumns = 2;

    private readonly ulong[] _columns = new ulong[AllColumns * Stride];
    private int _movedColumns = Columns;
    private bool _isSpread;
    private int _setOut;
    private ulong _shapeKey;

    public int Count;

    public LaneShape Shape;

    public ref ulong Iovas => ref Column(0);

    /// <summary>Where in the batch each request stands, in 32 bits; what is above those is not for others.</summary>
    public ref ulong Places => ref Column(1);

    /// <summary>The tags of the first stage if there is one, else of the second, as <see cref="DirectCache"/> has them.</summary>
    public ref ulong Tags => ref Column(2);

    public ref ulong HostTags => ref Column(3);

    /// <summary>What pages must grant.</summary>
    public ref ulong Needs => ref Column(4);

    public ref ulong Roots => ref Column(5);

    public ref ulong HostRoots => ref Column(6);

    /// <summary>What answers tell: see <see cref="LaneAnswers"/>.</summary>
    public ref ulong Answers => ref Column(7);

    /// <summary>What the requests take with them where everything is known: see <see cref="LaneBound"/>.</summary>
    public ref ulong Bounds => ref Column(8);

    /// <summary>Sets one request, below <see cref="Capacity"/>, of a requester who is kept.</summary>
    /// <param name="index">Which.</param>
    /// <param name="place">Where in the batch it stands.</param>
    /// <param name="iova">Its address.</param>
    /// <param name="bound">What it takes with it.</param>
    /// <param name="kept">Where the requester is kept; see <see cref="SetOutTaken"/>.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Set(int index, int place, ulong iova, ulong bound, uint kept)
    {
        ref ulong at = ref Unsafe.Add(ref MemoryMarshal.GetArrayDataReference(_columns), index);
        at = iova;
        Unsafe.Add(ref at, Stride) = (uint)place | (ulong)kept << KeptShift;
        Unsafe.Add(ref at, 8 * Stride) = bound;
    }

    /// <summary>The same for a group of lanes.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Set<TLanes>(int index, TLanes places, TLanes iovas, TLanes bounds, TLanes kept)
        where TLanes : struct, ILanes<TLanes>
    {
        ref ulong columns = ref MemoryMarshal.GetArrayDataReference(_columns);
        TLanes.Store(iovas, ref columns, index);
        TLanes.Store(places | (kept << KeptShift), ref columns, index + Stride);
        TLanes.Store(bounds, ref columns, index + 8 * Stride);
    }

    /// <summary>Sets one request in all columns.</summary>
    public void Set(int index, int place, ulong iova, in LaneRequester requester)
    {
        Set(index, place, iova, requester.Bound, 0);
        SetOut(index, requester.Roots);
    }

    /// <summary>Sets requests out that do not stand in all columns yet.</summary>
    public void SetOut(int from, int end)
    {
        for (int i = from; i < end; i++)
        {
            uint kept = (uint)(Unsafe.Add(ref Places, i) >> KeptShift);
            if (kept != IsSetOut)
            {
                SetOut(i, in requesters.RootsAt(kept));
            }
        }
    }

    /// <summary>Sets out all that were taken so far, as another requester is about to be kept.</summary>
    public void SetOutTaken()
    {
        SetOut(_setOut, Count);
        _setOut = Count;
    }

    private void SetOut(int index, in LaneRoots roots)
    {
        ref ulong at = ref Unsafe.Add(ref MemoryMarshal.GetArrayDataReference(_columns), index);
        ulong bound = Unsafe.Add(ref at, 8 * Stride);
        Unsafe.Add(ref at, 2 * Stride) = LaneBound.Tag(bound);
        Unsafe.Add(ref at, 3 * Stride) = LaneBound.SecondTag(bound);
        Unsafe.Add(ref at, 4 * Stride) = LaneBound.Need(bound);
        Unsafe.Add(ref at, 5 * Stride) = roots.First;
        Unsafe.Add(ref at, 6 * Stride) = roots.Second;
        Unsafe.Add(ref at, 7 * Stride) = LaneBound.Answer(bound);
        Unsafe.Add(ref at, Stride) |= (ulong)IsSetOut << KeptShift;
    }

    /// <summary>Gives up every request taken so far: each is to be served otherwise.</summary>
    public void Abandon(PlaceSet unserved)
    {
        for (int i = 0; i < Count; i++)
        {
            unserved.Add((int)Unsafe.Add(ref Places, i));
        }

        Count = 0;
        _setOut = 0;
    }

    /// <summary>Makes ready for requests of any requesters.</summary>
    public void Clear()
    {
        Count = 0;
        _setOut = 0;
        _movedColumns = Columns;
        _isSpread = false;
    }

    /// <summary>Makes ready for addresses of one requester: what is the same for all of them stands first in its column.</summary>
    public void Bind(ulong needs, in LaneContext context)
    {
        if (_movedColumns == OwnColumns && Tags == context.Tag && _shapeKey == context.ShapeKey && HostTags == context.HostTag && Needs == needs
            && Answers == context.Answers && Roots == context.Root && HostRoots == context.HostRoot)
        {
            return;
        }

        _movedColumns = OwnColumns;
        _isSpread = false;
        Shape = context.Shape;
        _shapeKey = context.ShapeKey;
        Tags = context.Tag;
        HostTags = context.HostTag;
        Needs = needs;
        Roots = context.Root;
        HostRoots = context.HostRoot;
        Answers = context.Answers;
    }

    /// <summary>Takes addresses of the requester that was bound, each with all that it takes with it.</summary>
    public void Take(ReadOnlySpan<ulong> iovas)
    {
        Copy(iovas);
        LaneCount.Numbers.AsSpan(0, Stride).CopyTo(MemoryMarshal.CreateSpan(ref Places, Stride));
        for (int column = OwnColumns * Stride; column < Columns * Stride && !_isSpread; column += Stride)
        {
            _columns.AsSpan(column, Stride).Fill(_columns[column]);
        }

        _isSpread = true;
    }

    /// <summary>Takes addresses alone, so that a last group of lanes can be filled up.</summary>
    public void Copy(ReadOnlySpan<ulong> iovas)
    {
        Count = iovas.Length;
        iovas.CopyTo(MemoryMarshal.CreateSpan(ref Iovas, Count));
    }

    /// <summary>Fills the last group of lanes up with its last request.</summary>
    public void Pad()
    {
        int columns = _movedColumns == OwnColumns ? OwnColumns : AllColumns;
        for (int column = 0; column < columns * Stride && Count % 8 != 0; column += Stride)
        {
            _columns.AsSpan(column + Count, Stride - Capacity).Fill(_columns[column + Count - 1]);
        }
    }

    /// <summary>Moves those of a group of lanes that are still to be served up, behind those kept before.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Keep<TLanes>(int from, uint bits, int to)
        where TLanes : struct, ILanes<TLanes>
    {
        ref ulong columns = ref MemoryMarshal.GetArrayDataReference(_columns);
        for (int column = 0; column < _movedColumns * Stride; column += Stride)
        {
            TLanes.Compress(TLanes.Load(in columns, column + from), bits, ref columns, column + to);
        }
    }

    private ref ulong Column(int number) => ref Unsafe.Add(ref MemoryMarshal.GetArrayDataReference(_columns), number * Stride);
}
