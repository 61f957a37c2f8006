using System.Runtime.CompilerServices;
using FastNest.Caches;
using FastNest.Lanes;
using FastNest.Walks;

namespace FastNest.Engine;

/// <summary>
/// Requests whose finished translations are known: one probe each, and nothing in the loop that is for anything else. A group
/// of lanes in which one finds something else strays, and is left as it was.
/// </summary>
internal static class IotlbLanes<TLanes>
    where TLanes : struct, ILanes<TLanes>
{
    /// <summary>Serves what a cache knows.</summary>
    /// <param name="cache">The cache.</param>
    /// <param name="requests">What the requests take with them.</param>
    /// <param name="iovas">Their addresses, full groups of them.</param>
    /// <param name="count">How many there are.</param>
    /// <param name="reach">How many of their bits may be set; any with bits above stray, those of a sign-extended upper half too.</param>
    /// <param name="messages">Where requests are not for memory.</param>
    /// <param name="results">Receives the answers.</param>
    /// <returns>One bit for each group of lanes that strayed.</returns>
    public static ulong Serve<TRequesters, TGranule>(
        DirectCache cache, LaneRequests requests, ref ulong iovas, int count, int reach, AddressRange messages, ref ulong results)
        where TRequesters : struct, IRequesters
        where TGranule : struct, IGranule
    {
        ulong strayed = messages.Groups<TLanes>(ref iovas, count);
        var kernel = new Kernel<TGranule>(cache, requests, reach);
        int full = count & -TLanes.Count;
        ulong group = 1;
        for (int i = 0; i < full; i += TLanes.Count, group <<= 1)
        {
            if (kernel.TryAnswer<TRequesters>(requests, ref iovas, i, out TLanes output, out TLanes answer))
            {
                TRequesters.Write(output, answer, ref requests.Places, i, ref results);
            }
            else
            {
                strayed |= group;
            }
        }

        if (full != count)
        {
            if (kernel.TryAnswer<TRequesters>(requests, ref iovas, full, out TLanes output, out TLanes answer))
            {
                LaneAnswers.WriteSome(LaneCount.Live<TLanes>(full, count), output, answer, ref TRequesters.Places(ref requests.Places, full), ref results);
            }
            else
            {
                strayed |= group;
            }
        }

        return strayed;
    }

    /// <summary>What all groups of lanes have in common.</summary>
    private readonly struct Kernel<TGranule>
        where TGranule : struct, IGranule
    {
        private readonly nint _table;
        private readonly TLanes _places;
        private readonly TLanes _beyond;
        private readonly TLanes _tag;
        private readonly TLanes _spread;
        private readonly TLanes _need;
        private readonly TLanes _answer;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public Kernel(DirectCache cache, LaneRequests requests, int reach)
        {
            _table = cache.Table;
            _places = cache.Places<TLanes>();
            _beyond = TLanes.All(ulong.MaxValue << reach);
            _tag = TLanes.All(requests.Tags);
            _spread = DirectCache.Spread(_tag);
            _need = TLanes.All(requests.Needs);
            _answer = TLanes.All(requests.Answers);
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public bool TryAnswer<TRequesters>(LaneRequests requests, ref ulong iovas, int from, out TLanes output, out TLanes answer)
            where TRequesters : struct, IRequesters
        {
            TLanes iova = TLanes.Load(in iovas, from);
            TLanes bound = TRequesters.Load<TLanes>(ref requests.Bounds, from);
            TLanes tag = TRequesters.Tags(_tag, bound, second: false);
            TLanes.GatherPairs(_table, DirectCache.Offsets<TLanes, TGranule>(_places, TRequesters.Spread(_spread, tag), iova), out TLanes known, out TLanes page);
            TLanes unlike = known ^ ((iova >>> TGranule.Shift) | tag);
            unlike = TLanes.OrAnd(unlike, iova, _beyond);
            unlike = TLanes.OrAndNot(unlike, TRequesters.Needs(_need, bound), page);
            output = TLanes.Blend(TLanes.All((1UL << TGranule.Shift) - 1), iova, page);
            answer = LaneAnswers.Of(TRequesters.Answers(_answer, bound), page);
            return TLanes.IsZero(unlike);
        }
    }
}
