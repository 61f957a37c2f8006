using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using FastNest.Lanes;
using FastNest.Requests;

namespace FastNest.Engine;

/// <summary>
/// A port's direct-mapped cache of requesters met lately; owned by one thread. An entry is a pair: who it is of, with a mark
/// in bits that no request has which is walked side by side, and a <see cref="LaneBound"/>. The mark tells since when the
/// requester's context has been known to be alive, and its shape, so that one comparison asks for all three:
/// <code>
/// 63      59 58        56 55  54 53                 0
/// | since    | r/w/x      | shape | who               |
/// </code>
/// </summary>
internal sealed class LaneRequesters
{
    /// <summary>The bits of marks; requests that have any of them are out of the ordinary.</summary>
    public const ulong Marks = TranslationRequest.KindMask | ~0UL << SinceShift;

    /// <summary>log2 of the bytes of an entry.</summary>
    public const int SizeShift = 4;

    private const int SinceShift = TranslationRequest.AccessShift + 3;
    private const ulong Since = 1UL << SinceShift;
    private const int ShapesKept = 4;

    /// <summary>Reads and writes stand 128 places apart.</summary>
    private const int AccessStep = TranslationRequest.AccessShift - 7;
    private const int PrivilegeStep = TranslationRequest.PrivilegedShift - 9;
    private const ulong PrivilegedApart = 1 << 9;

    /// <summary>Fewer than there are moments, so that no entry outlives its moment's return.</summary>
    private const int Slices = 16;

    private readonly Entry[] _entries;
    private readonly LaneRoots[] _roots;
    private readonly ulong[] _keys = new ulong[ShapesKept];
    private readonly LaneShape[] _shapes = new LaneShape[ShapesKept];
    private readonly ulong _mask;
    private ulong _now;
    private ulong _since = Since;
    private int _slice;
    private int _newestShape;

    /// <param name="entries">A power of two, or 0 for a cache that never holds anything.</param>
    public LaneRequesters(int entries)
    {
        _entries = GC.AllocateArray<Entry>(Math.Max(entries, 1), pinned: true); // one is always there to be found
        _roots = new LaneRoots[_entries.Length];
        _mask = (ulong)_entries.Length - 1;
        IsOn = entries != 0;
        Table = Marshal.UnsafeAddrOfPinnedArrayElement(_entries, 0);
    }

    /// <summary>Whether it may hold anything.</summary>
    public bool IsOn { get; }

    /// <summary>Where the entries stand, for as long as this object is alive.</summary>
    public nint Table { get; }

    /// <summary>The one place where a requester may stand.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public uint Find(ulong who)
    {
        // Devices of one bus stand side by side; no two of them meet, nor do one's PASIDs, nor, of half a bus, reads and writes,
        // privileged or not.
        ulong pasid = who >> 32;
        return (uint)((who + pasid + (pasid << 2) + (pasid << 5) + (who >> AccessStep) + (who >> PrivilegeStep & PrivilegedApart)) & _mask);
    }

    /// <summary>The same for several.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public TLanes Find<TLanes>(TLanes who)
        where TLanes : struct, ILanes<TLanes>
    {
        TLanes pasid = who >>> 32;
        TLanes apart = (who >>> PrivilegeStep) & TLanes.All(PrivilegedApart);
        return (who + pasid + (pasid << 2) + (pasid << 5) + (who >>> AccessStep) + apart) & TLanes.All(_mask);
    }

    /// <summary>What a requester who stands at a place takes along.</summary>
    /// <param name="place">A place that was found.</param>
    /// <param name="who">The requester.</param>
    /// <param name="mark">The mark of those that are looked for.</param>
    /// <param name="bound">What it takes along.</param>
    /// <returns>False when it does not stand there with that mark.</returns>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool TryTake(uint place, ulong who, ulong mark, out ulong bound)
    {
        ref Entry entry = ref Unsafe.Add(ref MemoryMarshal.GetArrayDataReference(_entries), place);
        bound = entry.Bound;
        return ((entry.Who ^ who ^ mark) | (who & Marks)) == 0;
    }

    /// <summary>The top tables of who stands at a place.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public ref readonly LaneRoots RootsAt(uint place) => ref Unsafe.Add(ref MemoryMarshal.GetArrayDataReference(_roots), place);

    /// <summary>Has everyone asked for anew when time has passed.</summary>
    /// <param name="now">The tick of the port's clock.</param>
    public void Advance(ulong now)
    {
        if (now != _now)
        {
            _now = now;
            ForgetAll();
        }
    }

    /// <summary>The shape of a requester who was alive when the clock was last asked.</summary>
    /// <param name="who">The requester.</param>
    /// <param name="shape">Its shape.</param>
    /// <returns>False when it had not been met lately.</returns>
    public bool TryShape(ulong who, out LaneShape shape)
    {
        ulong unlike = _entries[Find(who)].Who ^ who ^ _since;
        shape = _shapes[unlike >> TranslationRequest.KindShift & (ShapesKept - 1)];
        return (unlike & ~TranslationRequest.KindMask | who & Marks) == 0;
    }

    /// <summary>The mark of those that are alive and of a shape.</summary>
    public ulong MarkOf(in LaneShape shape)
    {
        ulong key = shape.Key;
        int number = Array.IndexOf(_keys, key);
        if (number < 0)
        {
            // Those of the shape that gives way are not to be taken for these.
            ForgetAll();
            number = _newestShape = (_newestShape + 1) % ShapesKept;
            _keys[number] = key;
            _shapes[number] = shape;
        }

        return _since | (ulong)number << TranslationRequest.KindShift;
    }

    /// <summary>Keeps a requester, in place of whoever stood there.</summary>
    /// <param name="requester">The requester, whose request has none of <see cref="Marks"/>.</param>
    /// <param name="shape">Its shape.</param>
    public void Keep(in LaneRequester requester, in LaneShape shape)
    {
        uint place = Find(requester.Who);
        _entries[place] = new(requester.Who | MarkOf(in shape), requester.Bound);
        _roots[place] = requester.Roots;
    }

    /// <summary>Forgets everyone.</summary>
    public void Clear() => Array.Clear(_entries);

    private void ForgetAll()
    {
        _since = _since + Since == 0 ? Since : _since + Since;
        int size = Math.Max(1, _entries.Length / Slices);
        _slice = (_slice + size) & (int)_mask;
        Array.Clear(_entries, _slice, size);
    }

    [StructLayout(LayoutKind.Sequential, Size = 1 << SizeShift)]
    private readonly record struct Entry(ulong Who, ulong Bound);
}
