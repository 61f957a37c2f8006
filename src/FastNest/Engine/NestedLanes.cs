using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using FastNest.Caches;
using FastNest.Formats;
using FastNest.Lanes;
using FastNest.Memory;
using FastNest.Requests;
using FastNest.Walks;

namespace FastNest.Engine;

/// <summary>Serves requests side by side: from the IOTLB, then those it does not know by walks of both stages.</summary>
internal sealed class NestedLanes<TGuest, THost, TLanes> : LaneWalker
    where TGuest : struct, IGuestFormat
    where THost : struct, IPageTableFormat
    where TLanes : struct, ILanes<TLanes>
{
    private const ulong ShiftField = PackedPage.ShiftMask << PackedPage.ShiftShift;

    private readonly GuestPhysicalSpace _memory;
    private readonly LaneCaches _caches;
    private readonly TagTable _tags;
    private readonly HostLanes<THost, TLanes> _host;
    private readonly GuestLanes<TGuest, THost, TLanes> _guest;
    private readonly WarmLanes<TGuest, THost, TLanes> _warm;
    private readonly UsePolicy _policy = new();
    private readonly ulong[] _guestPages = new ulong[LaneCount.Stride];
    private readonly ulong[] _pages = new ulong[LaneCount.Stride];
    private readonly ulong[] _kept = new ulong[8];

    private readonly bool _isCold;

    private PhysicalRun _run;

    // Whether the batch that is served asks and fills the IOTLB.
    private bool _keeps;

    public NestedLanes(GuestPhysicalSpace memory, LaneCaches caches, TagTable tags)
    {
        _memory = memory;
        _run = memory.LargestRun;
        _caches = caches;
        _isCold = caches.AreOff && TLanes.Count == 8; // four groups need more registers than narrower lanes have
        _tags = tags;
        _host = new(memory, caches.HostTables);
        _guest = new(memory, _host, caches.GuestTables);
        _warm = new(caches);
    }

    public override int Take(
        ReadOnlySpan<TranslationRequest> asked,
        int from,
        ulong mark,
        AddressRange messages,
        LaneRequesters requesters,
        LaneRequests taken) => RequesterLanes<TLanes>.Take(asked, from, mark, messages, requesters, taken);

    public override void Serve(LaneRequests requests, AddressRange messages, Span<ulong> results, PlaceSet unserved)
    {
        requests.Pad();
        int count = requests.Count;
        ref ulong first = ref MemoryMarshal.GetReference(results);
        ulong strayed = ServeKnown<ManyRequesters>(requests, ref requests.Iovas, count, messages, ref first);
        if (strayed != 0)
        {
            for (ulong rest = strayed; rest != 0; rest &= rest - 1)
            {
                int i = LaneCount.First<TLanes>(rest);
                requests.SetOut(i, Math.Min(i + TLanes.Count, count));
            }

            KeepStrayed(requests, strayed);
            ServeRest(count, requests, messages, ref first, unserved);
        }
    }

    public override ulong ServeKnown(ReadOnlySpan<ulong> iovas, LaneRequests requests, AddressRange messages, Span<ulong> results)
    {
        ref ulong source = ref MemoryMarshal.GetReference(iovas);
        if (iovas.Length % TLanes.Count != 0)
        {
            requests.Copy(iovas);
            requests.Pad();
            source = ref requests.Iovas;
        }

        return ServeKnown<OneRequester>(requests, ref source, iovas.Length, messages, ref MemoryMarshal.GetReference(results));
    }

    public override void ServeStrayed(
        ulong strayed, ReadOnlySpan<ulong> iovas, LaneRequests requests, AddressRange messages, Span<ulong> results, PlaceSet unserved)
    {
        requests.Take(iovas);
        KeepStrayed(requests, strayed);
        ServeRest(iovas.Length, requests, messages, ref MemoryMarshal.GetReference(results), unserved);
    }

    /// <summary>
    /// Serves groups of lanes that the IOTLB knows, or if it is not worth asking, those of which all tables are known.
    /// </summary>
    /// <returns>One bit for each group of lanes that is as it was.</returns>
    private ulong ServeKnown<TRequesters>(
        LaneRequests requests, ref ulong iovas, int count, AddressRange messages, ref ulong results)
        where TRequesters : struct, IRequesters
    {
        PhysicalRun run = TakeRun();
        LaneShape shape = requests.Shape;
        bool nested = shape.Mode == ContextMode.Nested;
        int reach = Reach(in shape) - (shape.SignExtended ? 1 : 0); // the lower half; the upper one's keys are not its alone
        ulong strayed = ulong.MaxValue >> (63 - (count - 1) / TLanes.Count);
        _keeps = _policy.IsWorthwhile();
        if (_isCold && nested && shape.HostLevels != 0 && typeof(TRequesters) == typeof(OneRequester))
        {
            LaneStage first = GuestStage(in shape);
            LaneStage tables = HostStage(in shape, isWritten: false);
            LaneStage final = HostStage(in shape, isWritten: true);
            return ColdLanes<TGuest, THost, TLanes>.Serve(
                run, in first, in tables, in final, requests, ref iovas, count, reach, messages, ref results);
        }

        if (_keeps)
        {
            if (_caches.Filled is not { } cache)
            {
                return strayed;
            }

            strayed = cache.Granule switch
            {
                12 => IotlbLanes<TLanes>.Serve<TRequesters, SmallGranule>(cache, requests, ref iovas, count, reach, messages, ref results),
                21 => IotlbLanes<TLanes>.Serve<TRequesters, LargeGranule>(cache, requests, ref iovas, count, reach, messages, ref results),
                _ => IotlbLanes<TLanes>.Serve<TRequesters, HugeGranule>(cache, requests, ref iovas, count, reach, messages, ref results),
            };
            cache.Counters.Hits += Served(count, strayed);
            if (strayed == 0)
            {
                _policy.Note(count, count);
            }

            return strayed;
        }

        if (!_caches.HostTables.IsFilled || (nested && (shape.HostLevels == 0 || !_caches.GuestTables.IsFilled)))
        {
            _policy.NoteWalks(1, 0);
            return strayed;
        }

        LaneStage guest = GuestStage(in shape);
        LaneStage host = HostStage(in shape, isWritten: true);
        int groups = BitOperations.PopCount(strayed);
        strayed = _warm.Serve<TRequesters>(run, in guest, in host, requests, ref iovas, count, reach, messages, ref results);
        _policy.NoteWalks(groups, groups - BitOperations.PopCount(strayed));
        _caches.HostTables.Counters.Hits += Served(count, strayed);
        _caches.GuestTables.Counters.Hits += nested ? Served(count, strayed) : 0;
        return strayed;
    }

    /// <summary>The largest run of memory; what is known of tables tells whether they are in it.</summary>
    private PhysicalRun TakeRun()
    {
        PhysicalRun run = _memory.LargestRun;
        if (!ReferenceEquals(run, _run))
        {
            _caches.GuestTables.Clear();
            _caches.HostTables.Clear();
            _run = run;
        }

        return run;
    }

    /// <summary>Serves what it can of whatever there is.</summary>
    private void ServeRest(
        int batch, LaneRequests requests, AddressRange messages, ref ulong results, PlaceSet unserved)
    {
        bool keeps = _keeps;
        int known = batch - requests.Count;
        int asked = Admit(requests, messages, keeps && _caches.Small.IsFilled, ref results, unserved);
        if (keeps)
        {
            Probe(_caches.Second, requests, ref results);
            Probe(_caches.Large, requests, ref results);
            Probe(_caches.Huge, requests, ref results);
            _caches.Missed += requests.Count;
            _policy.Note(known + asked, known + asked - requests.Count);
        }

        if (requests.Count == 0)
        {
            return;
        }

        keeps &= _caches.Small.IsOn;
        PhysicalRun run = _run;
        LaneShape shape = requests.Shape;
        if (shape.Mode == ContextMode.Nested)
        {
            WalkNested(run, requests);
        }
        else
        {
            LaneStage stage = HostStage(in shape, isWritten: true);
            _host.Locate(run, in stage, ref requests.Iovas, ref requests.Tags, ref requests.HostRoots, requests.Count, ref _pages[0]);
        }

        Deliver(requests, keeps, ref results, unserved);
    }

    /// <summary>How many bits of an address tables and keys look at.</summary>
    private static int Reach(in LaneShape shape) => Math.Min(
        DirectCache.AddressBits,
        shape.Mode == ContextMode.Nested ? TGuest.IndexShift(shape.GuestLevels + 1) : THost.IndexShift(shape.HostLevels + 1));

    /// <summary>How many requests stand in groups that have not strayed.</summary>
    private static int Served(int count, ulong strayed)
    {
        if (strayed == 0)
        {
            return count;
        }

        int left = BitOperations.PopCount(strayed) * TLanes.Count;
        return (strayed & LaneCount.Group<TLanes>(count - 1)) != 0 && count % TLanes.Count != 0
            ? count - left + TLanes.Count - count % TLanes.Count
            : count - left;
    }

    /// <summary>Groups of lanes that strayed move up.</summary>
    private static void KeepStrayed(LaneRequests requests, ulong strayed)
    {
        int count = requests.Count;
        int kept = 0;
        for (; strayed != 0; strayed &= strayed - 1)
        {
            int i = LaneCount.First<TLanes>(strayed);
            uint live = LaneCount.Live<TLanes>(i, count);
            if (i != kept)
            {
                requests.Keep<TLanes>(i, live, kept);
            }

            kept += BitOperations.PopCount(live);
        }

        requests.Count = kept;
    }

    private static LaneStage HostStage(in LaneShape shape, bool isWritten)
    {
        ulong accessed = (shape.HostMarks & MarkPolicy.Accessed) != 0 ? THost.Accessed : 0;
        ulong kept = accessed | ((shape.HostMarks & MarkPolicy.Dirty) != 0 ? THost.Dirty : 0);
        return new(shape.HostLevels, accessed, isWritten ? kept : accessed, kept);
    }

    private static LaneStage GuestStage(in LaneShape shape)
    {
        ulong accessed = (shape.GuestMarks & MarkPolicy.Accessed) != 0 ? TGuest.Accessed : 0;
        ulong marks = accessed | ((shape.GuestMarks & MarkPolicy.Dirty) != 0 ? TGuest.Dirty : 0);
        return new(shape.GuestLevels, accessed, marks, marks);
    }

    /// <summary>
    /// Sets requests aside whose addresses are beyond the tables or the caches' keys, or not memory's, and answers what the
    /// IOTLB knows of small pages; the others move up.
    /// </summary>
    /// <returns>How many were not set aside.</returns>
    private int Admit(LaneRequests requests, AddressRange messages, bool probes, ref ulong results, PlaceSet unserved)
    {
        LaneShape shape = requests.Shape;
        int reach = Reach(in shape);

        // Sign-extended addresses are those that half the reach makes small.
        TLanes bias = TLanes.All(shape.SignExtended ? 1UL << (reach - 1) : 0);
        TLanes start = TLanes.All(messages.First);
        TLanes length = TLanes.All(messages.Length);
        DirectCache cache = _caches.Small;
        int count = requests.Count;
        int kept = 0;
        int aside = 0;
        for (int i = 0; i < count; i += TLanes.Count)
        {
            uint live = LaneCount.Live<TLanes>(i, count);
            TLanes iova = TLanes.Load(in requests.Iovas, i);
            uint rest = live & TLanes.Equal((iova + bias) >>> reach, TLanes.All(0)) & ~TLanes.Less(iova - start, length);
            if (rest != live)
            {
                Leave(requests, live & ~rest, i, unserved);
                aside += BitOperations.PopCount(live & ~rest);
            }

            if (probes)
            {
                rest &= ~Answer(cache, TLanes.All(0xFFF), requests, i, iova, rest, ref results);
            }

            if (rest != 0)
            {
                if (rest != live || kept != i)
                {
                    requests.Keep<TLanes>(i, rest, kept);
                }

                kept += BitOperations.PopCount(rest);
            }
        }

        cache.Counters.Hits += count - aside - kept;
        requests.Count = kept;
        return count - aside;
    }

    /// <summary>Answers what a cache knows of a group of lanes.</summary>
    /// <returns>One bit for each that is answered.</returns>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static uint Answer(DirectCache cache, TLanes offset, LaneRequests requests, int from, TLanes iova, uint asked, ref ulong results)
    {
        TLanes key = cache.KeyOf(TLanes.Load(in requests.Tags, from), iova);
        cache.Probe(key, out TLanes known, out TLanes page);
        uint hit = asked & TLanes.Equal(known, key) & LaneAnswers.Granted(TLanes.Load(in requests.Needs, from), page);
        if (hit != 0)
        {
            TLanes answer = LaneAnswers.Of(TLanes.Load(in requests.Answers, from), page);
            LaneAnswers.Write(hit, TLanes.Blend(offset, iova, page), answer, ref requests.Places, from, ref results);
        }

        return hit;
    }

    private static void Leave(LaneRequests requests, uint bits, int from, PlaceSet unserved)
    {
        for (; bits != 0; bits &= bits - 1)
        {
            unserved.Add((int)Unsafe.Add(ref requests.Places, from + BitOperations.TrailingZeroCount(bits)));
        }
    }

    /// <summary>Answers what a cache knows; the others move up.</summary>
    private static void Probe(DirectCache cache, LaneRequests requests, ref ulong results)
    {
        if (!cache.IsFilled)
        {
            return;
        }

        TLanes offset = TLanes.All((1UL << cache.Granule) - 1);
        int count = requests.Count;
        int kept = 0;
        for (int i = 0; i < count; i += TLanes.Count)
        {
            uint live = LaneCount.Live<TLanes>(i, count);
            uint hit = Answer(cache, offset, requests, i, TLanes.Load(in requests.Iovas, i), live, ref results);
            uint rest = live & ~hit;
            if (rest != 0)
            {
                if (kept != i || rest != live)
                {
                    requests.Keep<TLanes>(i, rest, kept);
                }

                kept += BitOperations.PopCount(rest);
            }
        }

        cache.Counters.Hits += count - kept;
        requests.Count = kept;
    }

    private void WalkNested(PhysicalRun run, LaneRequests requests)
    {
        LaneShape shape = requests.Shape;
        int count = requests.Count;
        LaneStage guest = GuestStage(in shape);
        LaneStage tables = HostStage(in shape, isWritten: false);
        LaneStage final = HostStage(in shape, isWritten: true);
        var columns = new LaneColumns(
            ref requests.Iovas, ref requests.Tags, ref requests.Roots, ref requests.HostTags, ref requests.HostRoots, count);
        _guest.Locate(run, in guest, in tables, in columns, ref _guestPages[0]);
        _host.Locate(run, in final, ref _guestPages[0], ref requests.HostTags, ref requests.HostRoots, count, ref _pages[0]);
    }

    /// <summary>An invalidation of a part of a page that is cached in pieces must find them all.</summary>
    private void NoteFractures(LaneRequests requests, uint fractured, int from)
    {
        for (; fractured != 0; fractured &= fractured - 1)
        {
            ulong tag = Unsafe.Add(ref requests.Tags, from + BitOperations.TrailingZeroCount(fractured));
            _tags.Fracture((uint)(tag >> DirectCache.TagShift));
        }
    }

    private void Deliver(LaneRequests requests, bool keeps, ref ulong results, PlaceSet unserved)
    {
        LaneShape shape = requests.Shape;
        bool nested = shape.Mode == ContextMode.Nested;
        int count = requests.Count;
        for (int i = 0; i < count; i += TLanes.Count)
        {
            uint live = LaneCount.Live<TLanes>(i, count);
            TLanes page = TLanes.Load(in _pages[0], i);
            if (nested)
            {
                page = LaneAnswers.Combine(shape.ReadExecutes, TLanes.Load(in _guestPages[0], i), page, out uint larger);
                NoteFractures(requests, live & larger, i);
            }

            uint granted = Deliver(requests, i, live, page, TLanes.Load(in requests.Iovas, i), keeps, ref results);
            Leave(requests, live & ~granted, i, unserved);
        }
    }

    /// <summary>Answers those of a group whose pages grant what they need.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private uint Deliver(LaneRequests requests, int from, uint found, TLanes page, TLanes iovas, bool keeps, ref ulong results)
    {
        uint granted = found & LaneAnswers.Granted(TLanes.Load(in requests.Needs, from), page);
        if (granted != 0)
        {
            TLanes address = TLanes.Blend(TLanes.All(0xFFF), iovas, page);
            TLanes answer = LaneAnswers.Of(TLanes.Load(in requests.Answers, from), page);
            LaneAnswers.Write(granted, address, answer, ref requests.Places, from, ref results);
            if (keeps)
            {
                Keep(requests, page, granted, from);
            }
        }

        return granted;
    }

    private void Keep(LaneRequests requests, TLanes pages, uint granted, int from)
    {
        TLanes tags = TLanes.Load(in requests.Tags, from);
        TLanes iovas = TLanes.Load(in requests.Iovas, from);
        TLanes shift = TLanes.All(ShiftField);
        TLanes smallest = TLanes.All(12 << PackedPage.ShiftShift);
        if ((granted & ~TLanes.Equal(pages & shift, smallest)) == 0)
        {
            _caches.Small.Fill(_caches.Small.KeyOf(tags, iovas), pages, granted, 12);
            return;
        }

        TLanes.Store(pages, ref _kept[0], 0);
        for (; granted != 0; granted &= granted - 1)
        {
            int i = from + BitOperations.TrailingZeroCount(granted);
            ulong page = _kept[i - from];
            _caches.Of(PackedPage.Shift(page)).Keep(Unsafe.Add(ref requests.Tags, i), Unsafe.Add(ref requests.Iovas, i), page);
        }
    }
}
