using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using FastNest.Requests;

namespace FastNest.Engine;

/// <content>Batches: what may be walked side by side, and what remains.</content>
internal sealed partial class NestedCore<TGuest, THost>
{
    /// <summary>One requester's addresses side by side, then those that remain one by one, in order.</summary>
    private void TranslateLanes(
        in TranslationRequest request,
        in TranslationContext context,
        ulong needs,
        ReadOnlySpan<ulong> iovas,
        Span<TranslationResult> results,
        TranslationRegime regime)
    {
        _lanes.Bind(needs, in context.Lanes);
        AddressRange messages = request.HasPasid ? AddressRange.Empty : regime.MessageWindow;
        Span<ulong> answers = MemoryMarshal.Cast<TranslationResult, ulong>(results);
        ulong strayed = _walker!.ServeKnown(iovas, _lanes, messages, answers);
        if (strayed != 0)
        {
            TranslateStrayed(strayed, in request, in context, iovas, results, regime, messages);
        }
    }

    private void TranslateStrayed(
        ulong strayed,
        in TranslationRequest request,
        in TranslationContext context,
        ReadOnlySpan<ulong> iovas,
        Span<TranslationResult> results,
        TranslationRegime regime,
        AddressRange messages)
    {
        PlaceSet unserved = new(stackalloc ulong[PlaceSet.Words]);
        _walker!.ServeStrayed(strayed, iovas, _lanes, messages, MemoryMarshal.Cast<TranslationResult, ulong>(results), unserved);
        while (unserved.TryTake(out int i))
        {
            results[i] = TranslateBound(request with { Iova = iovas[i] }, in context, regime);
        }
    }

    /// <summary>Mixed requests: those of one shape side by side, then of the next, at last those that remain one by one, in order.</summary>
    private void TranslateLanes(ReadOnlySpan<TranslationRequest> requests, Span<TranslationResult> results, TranslationRegime regime)
    {
        PlaceSet unserved = new(stackalloc ulong[PlaceSet.Words]);
        PlaceSet waiting = new(stackalloc ulong[PlaceSet.Words]);
        Span<ulong> answers = MemoryMarshal.Cast<TranslationResult, ulong>(results);
        StageAll(requests, regime, waiting, unserved);

        // None may be set out while some still wait: those that were, gave way to one that recycled the tags.
        while (_lanes.Count != 0 || !waiting.IsEmpty)
        {
            _walker!.Serve(_lanes, AddressRange.Empty, answers, unserved);
            StageWaiting(requests, regime, waiting, unserved);
        }

        while (unserved.TryTake(out int i))
        {
            results[i] = Translate(in requests[i], regime);
        }
    }

    /// <summary>Takes the first request that may be walked side by side, and all of its shape; the others of that kind wait.</summary>
    private void StageAll(ReadOnlySpan<TranslationRequest> requests, TranslationRegime regime, PlaceSet waiting, PlaceSet unserved)
    {
        if (!ReferenceEquals(regime, _requestersRegime))
        {
            _requesters.Clear();
            _requestersRegime = regime;
        }

        _lanes.Clear();
        if (_requesters.TryShape(requests[0].Requester, out LaneShape first))
        {
            _lanes.Shape = first;
        }

        ulong shape = _lanes.Shape.Key;
        for (int i = 0; i < requests.Length; i++)
        {
            _requesters.Advance(_clock.Now);
            ulong mark = _requesters.MarkOf(in _lanes.Shape);
            int known = _walker!.Take(requests, i, mark, regime.MessageWindow, _requesters, _lanes);
            known += StageKnown(requests, i + known, mark, regime.MessageWindow);
            _contexts.Counters.Hits += known;
            i += known;
            if (i < requests.Length)
            {
                Stage(in requests[i], i, regime, ref shape, waiting, unserved);
            }
        }
    }

    /// <summary>Takes requests of one shape, up to one whose requester has not been met lately.</summary>
    /// <returns>How many.</returns>
    private int StageKnown(ReadOnlySpan<TranslationRequest> requests, int from, ulong mark, AddressRange messages)
    {
        ulong start = messages.First;
        ulong length = messages.Length;
        LaneRequesters requesters = _requesters;
        LaneRequests lanes = _lanes;
        ref TranslationRequest first = ref MemoryMarshal.GetReference(requests);
        int taken = lanes.Count;
        int i = from;
        for (; i < requests.Length; i++, taken++)
        {
            ref TranslationRequest request = ref Unsafe.Add(ref first, i);
            uint kept = requesters.Find(request.Requester);
            if (!requesters.TryTake(kept, request.Requester, mark, out ulong bound)
                || (!request.HasPasid && request.Iova - start < length))
            {
                break;
            }

            lanes.Set(taken, i, request.Iova, bound, kept);
        }

        lanes.Count = taken;
        return i - from;
    }

    private void StageWaiting(ReadOnlySpan<TranslationRequest> requests, TranslationRegime regime, PlaceSet waiting, PlaceSet unserved)
    {
        _lanes.Clear();
        ulong shape = 0;
        PlaceSet taken = new(stackalloc ulong[PlaceSet.Words]);
        waiting.MoveTo(taken);
        while (taken.TryTake(out int i))
        {
            Stage(in requests[i], i, regime, ref shape, waiting, unserved);
        }
    }

    private void Stage(
        in TranslationRequest request, int place, TranslationRegime regime, ref ulong shape, PlaceSet waiting, PlaceSet unserved)
    {
        if (request.Kind != RequestKind.Untranslated || (!request.HasPasid && regime.MessageWindow.Contains(request.Iova)))
        {
            unserved.Add(place);
            return;
        }

        int recycled = _recycled;
        ref readonly TranslationContext context = ref Context(in request);
        if (_recycled != recycled)
        {
            // The tags of those taken so far may be another's by now.
            _lanes.Abandon(unserved);
        }

        if (!IsUsual(in request, in context, regime, out ulong needs))
        {
            unserved.Add(place);
            return;
        }

        ref readonly LaneContext lanes = ref context.Lanes;
        if (_lanes.Count == 0)
        {
            shape = lanes.ShapeKey;
            _lanes.Shape = lanes.Shape;
        }
        else if (lanes.ShapeKey != shape)
        {
            waiting.Add(place);
            return;
        }

        var requester = new LaneRequester(request.Requester, LaneBound.Of(needs, in lanes), new(lanes.Root, lanes.HostRoot));
        _lanes.Set(_lanes.Count++, place, request.Iova, in requester);
        if (_requesters.IsOn)
        {
            // Whoever is kept there may have requests in this batch.
            _lanes.SetOutTaken();
            _requesters.Keep(in requester, in _lanes.Shape);
        }
    }

    /// <summary>Whether an untranslated request goes through tables and may be walked side by side with others.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static bool IsUsual(
        in TranslationRequest request, in TranslationContext context, TranslationRegime regime, out ulong needs) =>
        context.Lanes.TryNeeds(in request, out needs)
        && context.Lanes.Walks
        && (request.HasPasid || regime.Exclusion.IsEmpty || !(regime.ExcludesAll || context.Excludable));
}
