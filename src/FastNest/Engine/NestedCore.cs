using System.Runtime.CompilerServices;
using FastNest.Caches;
using FastNest.Formats;
using FastNest.Memory;
using FastNest.Requests;
using FastNest.Walks;

namespace FastNest.Engine;

/// <summary>
/// One port's caches and walks, compiled for a first- and a second-stage format. Owned by one thread.
/// </summary>
internal sealed partial class NestedCore<TGuest, THost> : TranslationCore
    where TGuest : struct, IGuestFormat
    where THost : struct, IPageTableFormat
{
    private const uint TagsPerContext = 2;

    /// <summary>Fewer requests than this are not worth setting out side by side.</summary>
    private const int SmallestBatch = 4;

    private readonly IFrontEnd _frontEnd;
    private readonly InvalidationQueue _invalidations;
    private readonly InvalidationClock _clock = new();
    private readonly TagTable _tags;
    private readonly ContextCache<TranslationContext> _contexts;
    private readonly PageCache _iotlb;
    private readonly PageCache _nestedTlb;
    private readonly WalkCache _guestTables;
    private readonly WalkCache _hostTables;
    private readonly HostWalker<THost> _host;
    private readonly GuestStage<TGuest, THost> _guest;
    private readonly ContextBuilder _builder;
    private readonly bool _keepsContexts;
    private readonly LaneCaches _laneCaches;
    private readonly LaneWalker? _walker;
    private readonly LaneRequests _lanes;
    private readonly LaneRequesters _requesters;
    private TranslationRegime? _requestersRegime;
    private long _seen;
    private int _recycled;

    public NestedCore(
        GuestPhysicalSpace memory, IFrontEnd frontEnd, InvalidationQueue invalidations, CacheOptions caches, WalkStrategy strategy)
    {
        caches.Check();
        _frontEnd = frontEnd;
        _invalidations = invalidations;
        _tags = new(_clock, caches.Tags);
        _contexts = new(caches.ContextEntries);
        _requesters = new(caches.ContextEntries);
        _lanes = new(_requesters);
        _keepsContexts = caches.ContextEntries != 0;
        _iotlb = new(caches.IotlbSets, caches.IotlbWays);
        _nestedTlb = new(caches.NestedTlbSets, caches.NestedTlbWays);
        _guestTables = new(caches.GuestTableEntries);
        _hostTables = new(caches.HostTableEntries);
        _host = new(memory, _nestedTlb, _hostTables);
        _guest = new(memory, _host, _guestTables);
        _builder = new(_tags, _host);
        _laneCaches = new(caches);
        _walker = WalkStrategies.Walker<TGuest, THost>(strategy, memory, _laneCaches, _tags);
        _seen = invalidations.Published;
    }

    public override PortStatistics Statistics => new(
        CacheStatistics.Of(in _contexts.Counters),
        CacheStatistics.Of(in _iotlb.Counters) + _laneCaches.IotlbStatistics,
        CacheStatistics.Of(in _nestedTlb.Counters),
        CacheStatistics.Of(in _guestTables.Counters) + CacheStatistics.Of(in _laneCaches.GuestTables.Counters),
        CacheStatistics.Of(in _hostTables.Counters) + CacheStatistics.Of(in _laneCaches.HostTables.Counters));

    public override void CatchUp()
    {
        for (long published = _invalidations.Published; _seen < published; _seen++)
        {
            if (!_invalidations.TryRead(_seen, out Invalidation invalidation))
            {
                _clock.InvalidateEverything();
                _seen = published;
                return;
            }

            Drop(in invalidation);
        }
    }

    public override void Translate(ReadOnlySpan<TranslationRequest> requests, Span<TranslationResult> results)
    {
        TranslationRegime regime = _frontEnd.Regime;
        if (_walker is null || requests.Length < SmallestBatch || !regime.Enabled)
        {
            for (int i = 0; i < requests.Length; i++)
            {
                results[i] = Translate(in requests[i], regime);
            }

            return;
        }

        for (int done = 0; done < requests.Length; done += LaneRequests.Capacity)
        {
            int count = Math.Min(LaneRequests.Capacity, requests.Length - done);
            TranslateLanes(requests.Slice(done, count), results.Slice(done, count), regime);
        }
    }

    public override void Translate(in Requester requester, ReadOnlySpan<ulong> iovas, Access access, Span<TranslationResult> results)
    {
        TranslationRegime regime = _frontEnd.Regime;
        TranslationRequest request = requester.Request(0, access);
        if (!regime.Enabled)
        {
            for (int i = 0; i < iovas.Length; i++)
            {
                results[i] = TranslationResult.Success(iovas[i], 64, Access.All, 0);
            }

            return;
        }

        ref readonly TranslationContext context = ref Context(in request);
        for (int done = 0; done < iovas.Length; done += LaneRequests.Capacity)
        {
            int count = Math.Min(LaneRequests.Capacity, iovas.Length - done);
            TranslatePiece(in request, in context, iovas.Slice(done, count), results.Slice(done, count), regime);
        }
    }

    /// <summary>
    /// One requester's addresses, as many as go side by side. Asks the context each time, as one that is not cached is resolved
    /// anew for every message.
    /// </summary>
    private void TranslatePiece(
        in TranslationRequest request,
        in TranslationContext context,
        ReadOnlySpan<ulong> iovas,
        Span<TranslationResult> results,
        TranslationRegime regime)
    {
        if (_walker is not null && iovas.Length >= SmallestBatch && IsUsual(in request, in context, regime, out ulong needs))
        {
            TranslateLanes(in request, in context, needs, iovas, results, regime);
            return;
        }

        for (int i = 0; i < iovas.Length; i++)
        {
            results[i] = TranslateBound(request with { Iova = iovas[i] }, in context, regime);
        }
    }

    private TranslationResult TranslateBound(in TranslationRequest request, in TranslationContext context, TranslationRegime regime)
    {
        if (!context.IsKeepable)
        {
            // What was refused because of a table may be about an address of its own, and be over at the next request.
            return Translate(in request, regime);
        }

        return !request.HasPasid && regime.MessageWindow.Contains(request.Iova)
            ? Message(in request)
            : Translate(in request, in context, regime);
    }

    private TranslationResult Translate(in TranslationRequest request, TranslationRegime regime)
    {
        if (!regime.Enabled)
        {
            return TranslationResult.Success(request.Iova, 64, Access.All, 0);
        }

        if (!request.HasPasid && request.Kind != RequestKind.Translated && regime.MessageWindow.Contains(request.Iova))
        {
            return Message(in request);
        }

        return Translate(in request, in Context(in request), regime);
    }

    private TranslationResult Translate(in TranslationRequest request, in TranslationContext context, TranslationRegime regime)
    {
        if (request.Kind != RequestKind.Untranslated && !TryAdmit(in request, in context, out TranslationResult ats))
        {
            return ats;
        }

        if (context.Mode == ContextMode.PassThrough)
        {
            return TranslationResult.Success(request.Iova, 64, Access.All, 0);
        }

        if (context.Mode == ContextMode.Refused && context.IsMalformed)
        {
            return Refuse(in request, in context);
        }

        if (!request.HasPasid && regime.Exclusion.Contains(request.Iova) && (regime.ExcludesAll || context.Excludable))
        {
            return TranslationResult.Success(request.Iova, 12, Access.All, context.Domain);
        }

        return context.Mode switch
        {
            ContextMode.Host => Host(in request, in context),
            ContextMode.Nested => Nested(in request, in context),
            _ => Refuse(in request, in context),
        };
    }

    /// <summary>Settles ATS requests that need no tables; false when the answer is final.</summary>
    private bool TryAdmit(in TranslationRequest request, in TranslationContext context, out TranslationResult answer)
    {
        if (context.Mode == ContextMode.Refused && context.IsMalformed)
        {
            answer = Refuse(in request, in context);
            return false;
        }

        if (!context.AllowsAts)
        {
            WalkFault forbidden = new(FaultReason.AtsForbidden, TranslationStage.None, request.Iova, request.Access);
            answer = Refuse(in request, in context, in forbidden);
            return false;
        }

        answer = TranslationResult.Success(request.Iova, 64, Access.All, context.Domain);
        return request.Kind == RequestKind.Translation;
    }

    private TranslationResult Host(in TranslationRequest request, in TranslationContext context)
    {
        ref readonly HostSpace space = ref context.Host;
        if (request.Kind == RequestKind.Translation)
        {
            return HostForDevice(in request, in context);
        }

        if (space.Levels != 0 && _iotlb.TryGet(space.Tag, request.Iova, out CachedPage page) && page.Grants(request.Access))
        {
            WalkLeaf cached = new(page.Output, page.Shift, page.Rights);
            return Grant(in request, in context, in cached);
        }

        WalkFault fault = default;
        WalkLeaf leaf = new(0, 64, StageRights.All);
        return space.Levels == 0 || _host.TryWalk(in space, request.Iova, request.Access, _iotlb, out leaf, out fault)
            ? Grant(in request, in context, in leaf)
            : Refuse(in request, in context, in fault);
    }

    /// <summary>Answers an ATS translation request: what is permitted, even where it is less than was asked (reading 78).</summary>
    private TranslationResult HostForDevice(in TranslationRequest request, in TranslationContext context)
    {
        ref readonly HostSpace space = ref context.Host;
        WalkLeaf leaf = new(0, 64, StageRights.All);
        WalkFault fault = default;
        if (space.Levels != 0 && !_host.TryOffer(in space, request.Iova, request.Access, _iotlb, out leaf, out fault))
        {
            return Refuse(in request, in context, in fault);
        }

        Access permissions = leaf.Rights & ~leaf.Withheld & space.Permissions & Access.All;
        if (permissions != Access.None)
        {
            return TranslationResult.Success(leaf.At(request.Iova), leaf.Shift, permissions, context.Domain);
        }

        fault = new(FaultReason.PermissionDenied, TranslationStage.Host, request.Iova, request.Access);
        return Refuse(in request, in context, in fault);
    }

    private TranslationResult Grant(in TranslationRequest request, in TranslationContext context, in WalkLeaf leaf)
    {
        Access permissions = leaf.Rights & context.Host.Permissions & Access.All;
        if ((request.Access & ~permissions) == 0)
        {
            return TranslationResult.Success(leaf.At(request.Iova), leaf.Shift, permissions, context.Domain);
        }

        WalkFault fault = new(FaultReason.PermissionDenied, TranslationStage.Host, request.Iova, request.Access);
        return Refuse(in request, in context, in fault);
    }

    private TranslationResult Nested(in TranslationRequest request, in TranslationContext context)
    {
        ref readonly GuestSpace guest = ref context.Guest;
        Access need = (request.Access & Access.ReadWrite) | ((request.Access & Access.Execute) != 0 ? Access.Read : Access.None);
        bool readsTables = (context.Host.Permissions & Access.Read) != 0;
        if (!_iotlb.TryGet(guest.Tag, request.Iova, out CachedPage page)
            || request.Kind == RequestKind.Translation
            || !readsTables
            || !page.Grants(need)
            || (request.Access & ~Permissions(in request, in context, in page)) != 0)
        {
            if (!_guest.TryLocate(in guest, in context.Host, in request, out page, out bool fractured, out WalkFault fault))
            {
                return Refuse(in request, in context, in fault);
            }

            if (fractured)
            {
                _tags.Fracture(guest.Tag);
            }

            _iotlb.Fill(guest.Tag, request.Iova, in page);
        }

        WalkLeaf leaf = new(page.Output, page.Shift, page.Rights);
        Access permissions = Permissions(in request, in context, in page);
        permissions &= request.Kind == RequestKind.Translation ? ~page.Withheld : Access.All;
        return TranslationResult.Success(leaf.At(request.Iova), page.Shift, permissions, context.Domain);
    }

    private static Access Permissions(in TranslationRequest request, in TranslationContext context, in CachedPage page) =>
        GuestStage<TGuest, THost>.Granted(in context.Guest, in request, page.Rights & context.Host.Permissions);

    private TranslationResult Message(in TranslationRequest request)
    {
        var context = default(TranslationContext);
        if (request.Access != Access.Write || request.Kind == RequestKind.Translation)
        {
            WalkFault read = new(FaultReason.MessageWindowRead, TranslationStage.None, request.Iova, request.Access);
            return Refuse(in request, in context, in read);
        }

        context = Context(in request);
        if (context.Reason is FaultReason.ContextUnreadable or FaultReason.DeviceOutOfRange)
        {
            return Refuse(in request, in context);
        }

        if (context.Messages == MessagePolicy.Forward)
        {
            return TranslationResult.Message(request.Iova);
        }

        WalkFault refused = new(context.MessageReason, TranslationStage.None, request.Iova, request.Access);
        return Refuse(in request, in context, in refused);
    }

    /// <summary>Refuses for the context's own reason.</summary>
    private TranslationResult Refuse(in TranslationRequest request, in TranslationContext context)
    {
        WalkFault fault = context.Fault.Reason != FaultReason.None
            ? context.Fault
            : new(context.Reason, TranslationStage.None, request.Iova, request.Access);
        return Refuse(in request, in context, in fault);
    }

    private TranslationResult Refuse(in TranslationRequest request, in TranslationContext context, in WalkFault fault)
    {
        var result = TranslationResult.Fault(fault.Reason, fault.Address, fault.Attempted, fault.Stage, context.Domain);
        Faulted = true;
        _frontEnd.Report(in request, in result, in context);
        return result;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private ref readonly TranslationContext Context(in TranslationRequest request)
    {
        uint pasid = request.HasPasid ? request.Pasid : TagTable.NoPasid;
        ref ContextCache<TranslationContext>.Entry entry = ref _contexts.Find(request.Device, pasid);
        if (entry.Holds(request.Device, pasid) && (entry.CheckedAt == _clock.Now || IsAlive(ref entry)))
        {
            _contexts.Counters.Hits++;
            return ref entry.Context;
        }

        Resolve(in request, pasid, ref entry);
        return ref entry.Context;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private void Resolve(in TranslationRequest request, uint pasid, ref ContextCache<TranslationContext>.Entry entry)
    {
        _contexts.Counters.Misses++;
        _contexts.Counters.Evictions += entry.FilledAt != 0 ? 1 : 0;
        if (_tags.IsExhausted(TagsPerContext))
        {
            DropAll();
        }

        entry = new() { Device = request.Device, Pasid = pasid, Context = _frontEnd.Resolve(in request, _builder) };
        entry.Context.Lanes = LaneContext.Of(in entry.Context);
        if (_keepsContexts && entry.Context.IsKeepable)
        {
            entry.FilledAt = _clock.Now;
            entry.CheckedAt = _clock.Now;
            _contexts.Counters.Fills++;
        }
    }

    private bool IsAlive(ref ContextCache<TranslationContext>.Entry entry)
    {
        ulong from = _clock.AliveFrom(entry.Device);
        from = entry.Context.Mode switch
        {
            ContextMode.Host => Math.Max(from, _clock.DomainAliveFrom(entry.Context.Domain)),
            ContextMode.Nested => Math.Max(from, _clock.NestedAliveFrom(entry.Context.Domain, entry.Context.Guest.Pasid)),
            _ => from,
        };
        entry.CheckedAt = _clock.Now;
        if (entry.FilledAt >= from)
        {
            return true;
        }

        entry.FilledAt = 0;
        _contexts.Counters.Invalidations++;
        return false;
    }

    private void Drop(in Invalidation invalidation)
    {
        switch (invalidation.Kind)
        {
            case InvalidationKind.Context:
                _clock.Invalidate(new DeviceId(invalidation.Id));
                break;
            case InvalidationKind.Domain:
                _clock.InvalidateDomain(invalidation.Domain);
                break;
            case InvalidationKind.DomainPages:
                // What was combined with guest tables is not found by guest physical address: it goes as a whole.
                _clock.InvalidateNested(invalidation.Domain);
                if (!TryDropPages(in invalidation, TagTable.NoPasid, _hostTables, _laneCaches.HostTables))
                {
                    _clock.InvalidateDomain(invalidation.Domain);
                }

                break;
            case InvalidationKind.Pasid:
                _clock.InvalidatePasid(invalidation.Domain, invalidation.Id);
                break;
            case InvalidationKind.PasidPages:
                if (!TryDropPages(in invalidation, invalidation.Id, _guestTables, _laneCaches.GuestTables))
                {
                    _clock.InvalidatePasid(invalidation.Domain, invalidation.Id);
                }

                break;
            default:
                _clock.InvalidateEverything();
                break;
        }
    }

    private bool TryDropPages(in Invalidation invalidation, uint pasid, WalkCache tables, DirectCache laneTables) =>
        _tags.TryFind(invalidation.Domain, pasid, out uint tag)
        && _iotlb.TryInvalidate(tag, invalidation.Address, invalidation.Shift)
        && (pasid != TagTable.NoPasid || _nestedTlb.TryInvalidate(tag, invalidation.Address, invalidation.Shift))
        && tables.TryInvalidate(tag, invalidation.Address, invalidation.Shift)
        && _laneCaches.TryInvalidate(tag, invalidation.Address, invalidation.Shift, laneTables);

    private void DropAll()
    {
        _recycled++;
        _laneCaches.Clear();
        _clock.InvalidateEverything();
        _contexts.Clear();
        _iotlb.Clear();
        _nestedTlb.Clear();
        _guestTables.Clear();
        _hostTables.Clear();
        _tags.Recycle();
    }
}
