using System.Runtime.CompilerServices;
using FastNest.Caches;
using FastNest.Formats;
using FastNest.Lanes;
using FastNest.Memory;
using FastNest.Walks;

namespace FastNest.Engine;

/// <summary>
/// Walks of both stages from their roots, where no cache is to be asked or filled: four groups of lanes at a time, so that memory
/// is asked for many entries at once, in registers from the first entry to the answer. A group of lanes in which one finds
/// something unusual strays, and is left as it was.
/// </summary>
internal readonly struct ColdLanes<TGuest, THost, TLanes>
    where TGuest : struct, IGuestFormat
    where THost : struct, IPageTableFormat
    where TLanes : struct, ILanes<TLanes>
{
    private const ulong PageMask = 0xFFF;

    private readonly TLanes _start;
    private readonly TLanes _last;
    private readonly TLanes _host;

    private ColdLanes(PhysicalRun run)
    {
        _start = TLanes.All(run.Start);
        _last = TLanes.All(run.Length - PageMask - 1);
        _host = run.Resolve(_start);
    }

    /// <summary>Serves addresses of one requester.</summary>
    /// <param name="run">The largest run of memory: groups that find tables elsewhere stray.</param>
    /// <param name="guest">What all first stages have in common.</param>
    /// <param name="tables">What all second stages have in common where they lead to tables of the first.</param>
    /// <param name="host">The same where they lead to memory.</param>
    /// <param name="requests">What is the same for all addresses.</param>
    /// <param name="iovas">The addresses.</param>
    /// <param name="count">How many there are; a last group of lanes that is not full strays.</param>
    /// <param name="reach">How many of their bits may be set; any with bits above stray, those of a sign-extended upper half too.</param>
    /// <param name="messages">Where requests are not for memory.</param>
    /// <param name="results">Receives the answers.</param>
    /// <returns>One bit for each group of lanes that strayed.</returns>
    public static ulong Serve(
        PhysicalRun run,
        in LaneStage guest,
        in LaneStage tables,
        in LaneStage host,
        LaneRequests requests,
        ref ulong iovas,
        int count,
        int reach,
        AddressRange messages,
        ref ulong results)
    {
        ulong strayed = messages.Groups<TLanes>(ref iovas, count);
        int last = (count & -TLanes.Count) - TLanes.Count;
        if (last + TLanes.Count != count)
        {
            strayed |= LaneCount.Group<TLanes>(count);
        }

        if (run.Length <= PageMask)
        {
            return ulong.MaxValue >> (63 - (count - 1) / TLanes.Count);
        }

        var walk = new ColdLanes<TGuest, THost, TLanes>(run);
        for (int a = 0; a <= last; a += 4 * TLanes.Count)
        {
            // Where there are fewer than four groups left, the last one is walked several times.
            int b = Math.Min(a + TLanes.Count, last);
            int c = Math.Min(b + TLanes.Count, last);
            int d = Math.Min(c + TLanes.Count, last);
            strayed |= walk.Descend(in guest, in tables, in host, requests, ref iovas, a, b, c, d, reach, ref results);
        }

        return strayed;
    }

    private ulong Descend(
        in LaneStage guest,
        in LaneStage tables,
        in LaneStage host,
        LaneRequests requests,
        ref ulong iovas,
        int a,
        int b,
        int c,
        int d,
        int reach,
        ref ulong results)
    {
        TLanes beyond = TLanes.All(ulong.MaxValue << reach);
        TLanes ua = TLanes.Load(in iovas, a) & beyond;
        TLanes ub = TLanes.Load(in iovas, b) & beyond;
        TLanes uc = TLanes.Load(in iovas, c) & beyond;
        TLanes ud = TLanes.Load(in iovas, d) & beyond;
        beyond = TLanes.All(THost.Covers(ulong.MaxValue, host.Levels) ? 0 : ulong.MaxValue << THost.IndexShift(host.Levels + 1));
        TLanes all = TLanes.All(ulong.MaxValue);
        TLanes top = TLanes.All(requests.HostRoots);
        TLanes ta = TLanes.All(requests.Roots);
        TLanes tb = ta;
        TLanes tc = ta;
        TLanes td = ta;
        TLanes ga = all;
        TLanes gb = all;
        TLanes gc = all;
        TLanes gd = all;
        TLanes pa;
        TLanes pb;
        TLanes pc;
        TLanes pd;
        for (int level = guest.Levels; ; level--)
        {
            ua = TLanes.OrAnd(ua, ta, beyond);
            ub = TLanes.OrAnd(ub, tb, beyond);
            uc = TLanes.OrAnd(uc, tc, beyond);
            ud = TLanes.OrAnd(ud, td, beyond);
            (pa, pb, pc, pd) = (top, top, top, top);
            ulong leafMarks = level == 0 ? host.LeafMarks : tables.LeafMarks;
            for (int below = host.Levels; below > 0; below--)
            {
                // A second stage that refuses anything is unusual, and so reading 9 holds: the first's tables may be read.
                Expect<THost>(below, THost.Grants | (below == 1 ? leafMarks : host.TableMarks), out TLanes mask, out TLanes usual);
                int shift = THost.IndexShift(below) - 3;
                pa = Follow<THost>(pa, ta, shift, mask, usual, ref ua, out _);
                pb = Follow<THost>(pb, tb, shift, mask, usual, ref ub, out _);
                pc = Follow<THost>(pc, tc, shift, mask, usual, ref uc, out _);
                pd = Follow<THost>(pd, td, shift, mask, usual, ref ud, out _);
            }

            if (level == 0)
            {
                break;
            }

            Expect<TGuest>(level, level == 1 ? guest.LeafMarks : guest.TableMarks, out TLanes guestMask, out TLanes guestUsual);
            int index = TGuest.IndexShift(level) - 3;
            ta = Follow<TGuest>(pa, TLanes.Load(in iovas, a), index, guestMask, guestUsual, ref ua, out TLanes fa);
            ga &= fa;
            tb = Follow<TGuest>(pb, TLanes.Load(in iovas, b), index, guestMask, guestUsual, ref ub, out TLanes fb);
            gb &= fb;
            tc = Follow<TGuest>(pc, TLanes.Load(in iovas, c), index, guestMask, guestUsual, ref uc, out TLanes fc);
            gc &= fc;
            td = Follow<TGuest>(pd, TLanes.Load(in iovas, d), index, guestMask, guestUsual, ref ud, out TLanes fd);
            gd &= fd;
        }

        return Answer(requests, ref iovas, a, pa, ga, ua, ref results)
            | Answer(requests, ref iovas, b, pb, gb, ub, ref results)
            | Answer(requests, ref iovas, c, pc, gc, uc, ref results)
            | Answer(requests, ref iovas, d, pd, gd, ud, ref results);
    }

    /// <summary>What the entries of a level look like; what refuses a right where it is set is turned round.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Expect<TFormat>(int level, ulong set, out TLanes mask, out TLanes usual)
        where TFormat : struct, IPageTableFormat
    {
        TFormat.Usual(level, out ulong usualMask, out ulong usualValue);
        mask = TLanes.All(usualMask | set);
        usual = TLanes.All(usualValue | set | TFormat.Denials);
    }

    /// <summary>Reads one entry for each lane.</summary>
    /// <param name="tables">Where they stand.</param>
    /// <param name="addresses">What is translated.</param>
    /// <param name="shift">How far addresses move down to become offsets.</param>
    /// <param name="mask">The bits that tell that an entry is usual.</param>
    /// <param name="usual">What stands in them.</param>
    /// <param name="unlike">Not zero in lanes that found something else.</param>
    /// <param name="found">What the entries have besides.</param>
    /// <returns>The next tables, or pages.</returns>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private TLanes Follow<TFormat>(
        TLanes tables, TLanes addresses, int shift, TLanes mask, TLanes usual, ref TLanes unlike, out TLanes found)
        where TFormat : struct, IPageTableFormat
    {
        // A table that is not in the run: some other entry is read, to no effect.
        TLanes from = tables - _start;
        TLanes within = TLanes.Min(from, _last);
        unlike |= from ^ within;
        TLanes entries = TLanes.Gather(
            TLanes.OrAnd(within, addresses >>> shift, TLanes.All(LaneStage.IndexMask)) + _host, LaneCount.All<TLanes>());
        found = entries ^ usual;
        unlike = TLanes.OrAnd(unlike, found, mask);
        return entries & TLanes.All(TFormat.Address);
    }

    /// <returns>The group's bit if it strayed.</returns>
    private static ulong Answer(
        LaneRequests requests, ref ulong iovas, int from, TLanes page, TLanes guest, TLanes unlike, ref ulong results)
    {
        TGuest.Usual(1, out _, out ulong usual);
        TLanes granted = TGuest.Rights((guest ^ TLanes.All(TGuest.Denials)) | TLanes.All(usual));
        page = LaneAnswers.Combine(
            requests.Shape.ReadExecutes,
            granted,
            page | TLanes.All(PackedPage.Of(0, THost.IndexShift(1), StageRights.All)));
        if (!TLanes.IsZero(TLanes.OrAndNot(unlike, TLanes.All(requests.Needs), page)))
        {
            return LaneCount.Group<TLanes>(from);
        }

        TLanes output = TLanes.Blend(TLanes.All(PageMask), TLanes.Load(in iovas, from), page);
        TLanes.StorePairs(output, LaneAnswers.Of(TLanes.All(requests.Answers), page), ref results, from);
        return 0;
    }
}
