using FastNest.Caches;
using FastNest.Formats;
using FastNest.Lanes;
using FastNest.Memory;
using FastNest.Walks;

namespace FastNest.Engine;

/// <summary>
/// Walks whose tables of level 1 are known: a probe and a load for each stage, and nothing in the loops that is for anything
/// else. A group of lanes in which one finds something else strays, and is left as it was.
/// </summary>
internal sealed class WarmLanes<TGuest, THost, TLanes>(LaneCaches caches)
    where TGuest : struct, IGuestFormat
    where THost : struct, IPageTableFormat
    where TLanes : struct, ILanes<TLanes>
{
    private readonly ulong[] _below = new ulong[LaneCount.Stride];
    private readonly ulong[] _pointers = new ulong[LaneCount.Stride];
    private readonly ulong[] _guestPages = new ulong[LaneCount.Stride];

    /// <summary>Serves what it can by both stages, or by the second alone.</summary>
    /// <param name="run">The largest run of memory.</param>
    /// <param name="guest">What all first stages have in common.</param>
    /// <param name="host">What all second stages have in common.</param>
    /// <param name="requests">What the requests take with them.</param>
    /// <param name="iovas">Their addresses, full groups of them.</param>
    /// <param name="count">How many there are.</param>
    /// <param name="reach">How many bits of them tables and keys look at.</param>
    /// <param name="messages">Where requests are not for memory.</param>
    /// <param name="results">Receives the answers.</param>
    /// <returns>One bit for each group of lanes that strayed.</returns>
    public ulong Serve<TRequesters>(
        PhysicalRun run,
        in LaneStage guest,
        in LaneStage host,
        LaneRequests requests,
        ref ulong iovas,
        int count,
        int reach,
        AddressRange messages,
        ref ulong results)
        where TRequesters : struct, IRequesters
    {
        LaneShape shape = requests.Shape;
        ulong strayed = messages.Groups<TLanes>(ref iovas, count);
        if (shape.Mode != ContextMode.Nested)
        {
            strayed |= LookUp<TRequesters>(run, caches.HostTables, ref requests.Tags, ref iovas, count, reach, false, out ulong large);
            return strayed | Answer<TRequesters>(run, in host, requests, ref iovas, ref iovas, count, strayed, large, ref results);
        }

        strayed |= LookUp<TRequesters>(
            run, caches.GuestTables, ref requests.Tags, ref iovas, count, reach, shape.SignExtended, out ulong guestLarge);
        strayed |= Read(run, in guest, ref iovas, count, strayed, guestLarge);
        strayed |= LookUp<TRequesters>(
            run, caches.HostTables, ref requests.HostTags, ref _guestPages[0], count, DirectCache.AddressBits, false, out ulong hostLarge);
        return strayed | Answer<TRequesters>(run, in host, requests, ref iovas, ref _guestPages[0], count, strayed, hostLarge, ref results);
    }

    /// <summary>Finds tables, and has their entries brought near.</summary>
    /// <param name="run">The largest run of memory: tables elsewhere are not read here.</param>
    /// <param name="tables">What is known of the stage.</param>
    /// <param name="tags">The stage's tags.</param>
    /// <param name="addresses">What is translated.</param>
    /// <param name="count">How many.</param>
    /// <param name="reach">How many bits of them the tables and the caches' keys look at.</param>
    /// <param name="signExtended">Whether the bits above must be as the highest of those is, or 0.</param>
    /// <param name="large">One bit for each group of which some lie in large pages.</param>
    /// <returns>One bit for each group that strayed.</returns>
    private ulong LookUp<TRequesters>(
        PhysicalRun run, DirectCache tables, ref ulong tags, ref ulong addresses, int count, int reach, bool signExtended, out ulong large)
        where TRequesters : struct, IRequesters
    {
        // Sign-extended addresses are those that half the reach makes small.
        TLanes bias = TLanes.All(signExtended ? 1UL << (reach - 1) : 0);
        TLanes beyond = TLanes.All(ulong.MaxValue << reach);
        TLanes isPage = TLanes.All(PackedPage.IsPage);
        TLanes zero = TLanes.All(0);
        ref ulong found = ref _below[0];
        ref ulong pointers = ref _pointers[0];
        ulong strayed = 0;
        large = 0;
        ulong group = 1;
        for (int i = 0; i < count; i += TLanes.Count, group <<= 1)
        {
            TLanes address = TLanes.Load(in addresses, i);
            TLanes key = DirectCache.KeyOf(TRequesters.Load<TLanes>(ref tags, i), address, LaneStage.GranuleShift);
            tables.Probe(key, out TLanes known, out TLanes below);
            TLanes pointer = run.Resolve(LaneEntries.At(below, address, LaneEntries.LeafShift), out uint inside);
            TLanes.Prefetch(pointer);
            TLanes.Store(below, ref found, i);
            TLanes.Store(pointer, ref pointers, i);
            TLanes unlike = (known - key) | ((address + bias) & beyond);
            if ((TLanes.Equal(unlike | (below & isPage), zero) & inside) != LaneCount.All<TLanes>())
            {
                uint pages = TLanes.Equal(below & isPage, isPage);
                bool stays = (TLanes.Equal(unlike, zero) & (inside | pages)) == LaneCount.All<TLanes>();
                strayed |= stays ? 0 : group;
                large |= stays ? group : 0;
            }
        }

        return strayed;
    }

    /// <summary>Reads entries of the first stage.</summary>
    private ulong Read(PhysicalRun run, in LaneStage guest, ref ulong iovas, int count, ulong skipped, ulong large)
    {
        TGuest.Usual(1, out ulong usualMask, out ulong usualValue);
        TLanes mask = TLanes.All(usualMask | guest.LeafMarks);
        TLanes usual = TLanes.All(usualValue | guest.LeafMarks);
        ref ulong tables = ref _below[0];
        ref ulong pointers = ref _pointers[0];
        ref ulong pages = ref _guestPages[0];
        ulong strayed = 0;
        ulong group = 1;
        for (int i = 0; i < count; i += TLanes.Count, group <<= 1)
        {
            if ((skipped & group) != 0)
            {
                continue;
            }

            TLanes page = (large & group) == 0
                ? LaneEntries.ReadLeaves<TGuest, TLanes>(mask, usual, TLanes.Load(in pointers, i), TLanes.Load(in tables, i), out uint read)
                : LaneEntries.ReadLeaves<TGuest, TLanes>(run, mask, usual, TLanes.Load(in tables, i), TLanes.Load(in iovas, i), out read);
            TLanes.Store(page, ref pages, i);
            strayed |= read == LaneCount.All<TLanes>() ? 0 : group;
        }

        return strayed;
    }

    /// <summary>Reads entries of the second stage and answers.</summary>
    private ulong Answer<TRequesters>(
        PhysicalRun run,
        in LaneStage host,
        LaneRequests requests,
        ref ulong iovas,
        ref ulong addresses,
        int count,
        ulong skipped,
        ulong large,
        ref ulong results)
        where TRequesters : struct, IRequesters
    {
        THost.Usual(1, out ulong usualMask, out ulong usualValue);
        TLanes mask = TLanes.All(usualMask | host.LeafMarks);
        TLanes usual = TLanes.All(usualValue | host.LeafMarks);
        ref ulong tables = ref _below[0];
        ref ulong pointers = ref _pointers[0];
        ref ulong places = ref requests.Places;
        ref ulong needs = ref requests.Needs;
        ref ulong answers = ref requests.Answers;
        bool nested = requests.Shape.Mode == ContextMode.Nested;
        bool readExecutes = requests.Shape.ReadExecutes;
        ulong strayed = 0;
        ulong group = 1;
        for (int i = 0; i < count; i += TLanes.Count, group <<= 1)
        {
            if ((skipped & group) != 0)
            {
                continue;
            }

            TLanes address = TLanes.Load(in addresses, i);
            TLanes page = (large & group) == 0
                ? LaneEntries.ReadLeaves<THost, TLanes>(mask, usual, TLanes.Load(in pointers, i), TLanes.Load(in tables, i), out uint read)
                : LaneEntries.ReadLeaves<THost, TLanes>(run, mask, usual, TLanes.Load(in tables, i), address, out read);
            if (nested)
            {
                page = LaneAnswers.Combine(readExecutes, address, page, out _);
            }

            if ((read & LaneAnswers.Granted(TRequesters.Load<TLanes>(ref needs, i), page)) != LaneCount.All<TLanes>())
            {
                strayed |= group;
                continue;
            }

            TLanes output = TLanes.Blend(TLanes.All(0xFFF), TLanes.Load(in iovas, i), page);
            TLanes answer = LaneAnswers.Of(TRequesters.Load<TLanes>(ref answers, i), page);
            LaneAnswers.Write<TRequesters, TLanes>(LaneCount.Live<TLanes>(i, count), output, answer, ref places, i, ref results);
        }

        return strayed;
    }
}
