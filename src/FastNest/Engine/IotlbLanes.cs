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
    /// <param name="reach">How many bits of them tables and keys look at.</param>
    /// <param name="messages">Where requests are not for memory.</param>
    /// <param name="results">Receives the answers.</param>
    /// <returns>One bit for each group of lanes that strayed.</returns>
    public static ulong Serve<TRequesters>(
        DirectCache cache, LaneRequests requests, ref ulong iovas, int count, int reach, AddressRange messages, ref ulong results)
        where TRequesters : struct, IRequesters
    {
        // Sign-extended addresses are those that half the reach makes small.
        TLanes bias = TLanes.All(requests.Shape.SignExtended ? 1UL << (reach - 1) : 0);
        TLanes beyond = TLanes.All(ulong.MaxValue << reach);
        TLanes offset = TLanes.All((1UL << cache.Granule) - 1);
        TLanes zero = TLanes.All(0);
        int granule = cache.Granule;
        ref ulong tags = ref requests.Tags;
        ref ulong needs = ref requests.Needs;
        ref ulong answers = ref requests.Answers;
        ref ulong places = ref requests.Places;
        ulong strayed = messages.Groups<TLanes>(ref iovas, count);
        ulong group = 1;
        for (int i = 0; i < count; i += TLanes.Count, group <<= 1)
        {
            TLanes iova = TLanes.Load(in iovas, i);
            TLanes key = DirectCache.KeyOf(TRequesters.Load<TLanes>(ref tags, i), iova, granule);
            cache.Probe(key, out TLanes known, out TLanes page);
            TLanes unlike = (known - key) | ((iova + bias) & beyond) | (TRequesters.Load<TLanes>(ref needs, i) & ~page);
            if (TLanes.Equal(unlike, zero) != LaneCount.All<TLanes>() || (strayed & group) != 0)
            {
                strayed |= group;
                continue;
            }

            TLanes answer = LaneAnswers.Of(TRequesters.Load<TLanes>(ref answers, i), page);
            TLanes output = TLanes.Blend(offset, iova, page);
            LaneAnswers.Write<TRequesters, TLanes>(LaneCount.Live<TLanes>(i, count), output, answer, ref places, i, ref results);
        }

        return strayed;
    }
}
