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
    /// <param name="reach">How many of their bits may be set; any with bits above stray, those of a sign-extended upper half too.</param>
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
        if (requests.Shape.Mode != ContextMode.Nested)
        {
            ulong astray = LookUp<TRequesters>(
                run, caches.HostTables, requests, second: false, ref iovas, count, reach, messages, out ulong large);
            return astray | Answer<TRequesters>(run, in host, requests, ref iovas, ref iovas, count, astray, large, ref results);
        }

        ulong strayed = LookUp<TRequesters>(
            run, caches.GuestTables, requests, second: false, ref iovas, count, reach, messages, out ulong guestLarge);
        strayed |= Read(run, in guest, ref iovas, count, strayed, guestLarge);
        strayed |= LookUp<TRequesters>(
            run, caches.HostTables, requests, second: true, ref _guestPages[0], count, DirectCache.AddressBits, AddressRange.Empty, out ulong hostLarge);
        return strayed | Answer<TRequesters>(
            run, in host, requests, ref iovas, ref _guestPages[0], count, strayed, guestLarge | hostLarge, ref results);
    }

    /// <summary>Finds tables, and has their entries brought near.</summary>
    /// <param name="run">The largest run of memory: tables elsewhere are not read here.</param>
    /// <param name="tables">What is known of the stage.</param>
    /// <param name="requests">What the requests take with them.</param>
    /// <param name="second">Whether their tags of the second stage are meant.</param>
    /// <param name="addresses">What is translated.</param>
    /// <param name="count">How many.</param>
    /// <param name="reach">How many of their bits may be set.</param>
    /// <param name="messages">Where addresses are not for memory.</param>
    /// <param name="large">One bit for each group of which some lie in large pages.</param>
    /// <returns>One bit for each group that strayed.</returns>
    private ulong LookUp<TRequesters>(
        PhysicalRun run,
        DirectCache tables,
        LaneRequests requests,
        bool second,
        ref ulong addresses,
        int count,
        int reach,
        AddressRange messages,
        out ulong large)
        where TRequesters : struct, IRequesters
    {
        TLanes beyond = TLanes.All(ulong.MaxValue << reach);
        TLanes elsewhere = TLanes.All(PackedPage.IsElsewhere);
        TLanes unusual = TLanes.All(PackedPage.IsPage | PackedPage.IsElsewhere);
        TLanes places = tables.Places<TLanes>();
        TLanes firstTag = TLanes.All(second ? requests.HostTags : requests.Tags);
        TLanes firstSpread = DirectCache.Spread(firstTag);
        TLanes firstMessage = TLanes.All(messages.First);
        TLanes lastMessage = TLanes.All(messages.Length - 1);
        TLanes topmost = TLanes.All(1UL << 63);
        bool hasMessages = !messages.IsEmpty;
        nint table = tables.Table;
        ref ulong found = ref _below[0];
        ref ulong pointers = ref _pointers[0];
        ulong strayed = 0;
        large = 0;
        ulong group = 1;
        for (int i = 0; i < count; i += TLanes.Count, group <<= 1)
        {
            TLanes address = TLanes.Load(in addresses, i);
            TLanes tag = TRequesters.Tags(firstTag, TRequesters.Load<TLanes>(ref requests.Bounds, i), second);
            TLanes offsets = DirectCache.Offsets<TLanes, LargeGranule>(places, TRequesters.Spread(firstSpread, tag), address);
            TLanes.GatherPairs(table, offsets, out TLanes known, out TLanes below);
            TLanes pointer = run.Resolve(LaneEntries.At(below, address, LaneEntries.LeafShift));
            TLanes.Store(pointer, ref pointers, i);
            TLanes.Store(below, ref found, i);
            TLanes.Prefetch(pointer);
            TLanes unlike = TLanes.OrAnd(known ^ ((address >>> LargeGranule.Shift) | tag), address, beyond);
            if (hasMessages)
            {
                TLanes distance = address - firstMessage;
                unlike = TLanes.OrAndNot(unlike, topmost, distance | (lastMessage - distance));
            }

            if (!TLanes.IsZero(TLanes.OrAnd(unlike, below, unusual)))
            {
                bool stays = TLanes.IsZero(TLanes.OrAnd(unlike, below, elsewhere));
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
        ulong passed = skipped | large;
        ulong strayed = 0;
        ulong group = 1;
        for (int i = 0; i < count; i += TLanes.Count, group <<= 1)
        {
            if ((passed & group) == 0)
            {
                TLanes page = LaneEntries.ReadLeaves<TGuest, TLanes>(
                    mask, usual, ref pointers, i, TLanes.Load(in tables, i), out TLanes unlike);
                TLanes.Store(page, ref pages, i);
                strayed |= TLanes.IsZero(unlike) ? 0 : group;
            }
        }

        for (ulong rest = large & ~skipped; rest != 0; rest &= rest - 1)
        {
            int i = LaneCount.First<TLanes>(rest);
            TLanes page = LaneEntries.ReadLeaves<TGuest, TLanes>(
                run, mask, usual, TLanes.Load(in tables, i), TLanes.Load(in iovas, i), out uint found);
            TLanes.Store(page, ref pages, i);
            strayed |= found == LaneCount.All<TLanes>() ? 0 : rest & (~rest + 1);
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
        TLanes need = TLanes.All(requests.Needs);
        TLanes answer = TLanes.All(requests.Answers);
        ref ulong tables = ref _below[0];
        ref ulong pointers = ref _pointers[0];
        bool nested = requests.Shape.Mode == ContextMode.Nested;
        bool readExecutes = requests.Shape.ReadExecutes;
        int full = count & -TLanes.Count;
        ulong passed = skipped | large;
        ulong strayed = 0;
        ulong group = 1;
        for (int i = 0; i < full; i += TLanes.Count, group <<= 1)
        {
            if ((passed & group) != 0)
            {
                continue;
            }

            TLanes page = LaneEntries.ReadLeaves<THost, TLanes>(
                mask, usual, ref pointers, i, TLanes.Load(in tables, i), out TLanes unlike);
            if (nested)
            {
                page = LaneAnswers.Combine(readExecutes, TLanes.Load(in addresses, i), page);
            }

            TLanes bound = TRequesters.Load<TLanes>(ref requests.Bounds, i);
            if (!TLanes.IsZero(TLanes.OrAndNot(unlike, TRequesters.Needs(need, bound), page)))
            {
                strayed |= group;
                continue;
            }

            TLanes output = TLanes.Blend(TLanes.All(0xFFF), TLanes.Load(in iovas, i), page);
            TLanes told = LaneAnswers.Of(TRequesters.Answers(answer, bound), page);
            TRequesters.Write(output, told, ref requests.Places, i, ref results);
        }

        // Pages of several sizes, and a last group that is not full.
        for (ulong rest = (large | (full < count ? group : 0)) & ~skipped; rest != 0; rest &= rest - 1)
        {
            int i = LaneCount.First<TLanes>(rest);
            TLanes bound = TRequesters.Load<TLanes>(ref requests.Bounds, i);
            TLanes address = TLanes.Load(in addresses, i);
            TLanes page = LaneEntries.ReadLeaves<THost, TLanes>(run, mask, usual, TLanes.Load(in tables, i), address, out uint found);
            page = nested ? LaneAnswers.Combine(readExecutes, address, page, out _) : page;
            if ((found & LaneAnswers.Granted(TRequesters.Needs(need, bound), page)) != LaneCount.All<TLanes>())
            {
                strayed |= rest & (~rest + 1);
                continue;
            }

            TLanes output = TLanes.Blend(TLanes.All(0xFFF), TLanes.Load(in iovas, i), page);
            TLanes told = LaneAnswers.Of(TRequesters.Answers(answer, bound), page);
            LaneAnswers.WriteSome(LaneCount.Live<TLanes>(i, count), output, told, ref TRequesters.Places(ref requests.Places, i), ref results);
        }

        return strayed;
    }
}
