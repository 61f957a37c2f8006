using System.Runtime.InteropServices;
using FastNest.Lanes;
using FastNest.Requests;
using FastNest.Walks;

namespace FastNest.Engine;

/// <summary>Takes requests of requesters met lately, side by side: who they are, that they are alive, what they take with them.</summary>
internal static class RequesterLanes<TLanes>
    where TLanes : struct, ILanes<TLanes>
{
    private const ulong Topmost = 1UL << 63;

    /// <summary>Takes full groups of requests, up to one in which something else is found.</summary>
    /// <param name="asked">The requests.</param>
    /// <param name="from">The first.</param>
    /// <param name="mark">The mark of the requesters that are looked for.</param>
    /// <param name="messages">Where requests without a PASID are not for memory.</param>
    /// <param name="requesters">Whom one knows.</param>
    /// <param name="taken">Receives them.</param>
    /// <returns>How many.</returns>
    public static int Take(
        ReadOnlySpan<TranslationRequest> asked,
        int from,
        ulong mark,
        AddressRange messages,
        LaneRequesters requesters,
        LaneRequests taken)
    {
        TLanes marked = TLanes.All(mark);
        TLanes marks = TLanes.All(LaneRequesters.Marks);
        TLanes first = TLanes.All(messages.First);
        TLanes last = TLanes.All(messages.Length - 1);
        TLanes topmost = TLanes.All(messages.IsEmpty ? 0 : Topmost);
        nint table = requesters.Table;
        ref ulong source = ref MemoryMarshal.GetReference(MemoryMarshal.Cast<TranslationRequest, ulong>(asked));
        ref ulong numbers = ref LaneCount.Numbers[0];
        int end = asked.Length - TLanes.Count;
        int to = taken.Count;
        int i = from;
        for (; i <= end; i += TLanes.Count, to += TLanes.Count)
        {
            TLanes.LoadPairs(in source, i, out TLanes iova, out TLanes who);
            TLanes places = requesters.Find(who);
            TLanes.GatherPairs(table, places << LaneRequesters.SizeShift, out TLanes known, out TLanes bound);

            // Inside the messages' range both differences are not negative.
            TLanes distance = iova - first;
            TLanes elsewhere = distance | (last - distance) | (who << (63 - TranslationRequest.PasidPresentBit));
            TLanes unlike = TLanes.OrAndNot(TLanes.OrAnd(known ^ who ^ marked, who, marks), topmost, elsewhere);
            if (!TLanes.IsZero(unlike))
            {
                break;
            }

            taken.Set(to, TLanes.Load(in numbers, i), iova, bound, places);
        }

        taken.Count = to;
        return i - from;
    }
}
