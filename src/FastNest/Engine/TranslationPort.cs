using FastNest.Caches;
using FastNest.Formats;
using FastNest.Memory;
using FastNest.Requests;
using FastNest.Walks;

namespace FastNest.Engine;

/// <summary>
/// Where one thread's requests enter. A port owns its caches, so that a hit costs no atomic operation; several ports of one
/// IOMMU may run at once, one thread each. A batch sees every invalidation that was completed before it began; what is
/// invalidated while it runs is dropped at its end.
/// </summary>
public sealed class TranslationPort : IDisposable
{
    private readonly GuestPhysicalSpace _memory;
    private readonly IFrontEnd _frontEnd;
    private readonly InvalidationQueue _invalidations;
    private readonly ReadSection _section;
    private readonly ContextCache<TranslationContext> _contexts;
    private readonly Iotlb _iotlb;
    private long _seen;
    private bool _faulted;
    private bool _disposed;

    internal TranslationPort(GuestPhysicalSpace memory, IFrontEnd frontEnd, InvalidationQueue invalidations, CacheOptions caches)
    {
        caches.Check();
        _memory = memory;
        _frontEnd = frontEnd;
        _invalidations = invalidations;
        _contexts = new(caches.ContextEntries);
        _iotlb = new(caches.IotlbSets, caches.IotlbWays);
        _section = memory.Sections.Register();
        _seen = invalidations.Published;
    }

    /// <summary>Translates one request; a refusal is reported as the architecture asks.</summary>
    /// <exception cref="ObjectDisposedException">The port is disposed.</exception>
    public TranslationResult Translate(in TranslationRequest request)
    {
        TranslationResult result = default;
        Translate(new ReadOnlySpan<TranslationRequest>(in request), new Span<TranslationResult>(ref result));
        return result;
    }

    /// <summary>Translates a batch, in order; a refusal does not stop it.</summary>
    /// <param name="requests">What is asked.</param>
    /// <param name="results">Receives one answer each; at least as long as the requests.</param>
    /// <exception cref="ArgumentException">There are more requests than places for results.</exception>
    /// <exception cref="ObjectDisposedException">The port is disposed.</exception>
    public void Translate(ReadOnlySpan<TranslationRequest> requests, Span<TranslationResult> results)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        if (results.Length < requests.Length)
        {
            throw new ArgumentException($"results: {results.Length} places for {requests.Length} requests", nameof(results));
        }

        _memory.Sections.Enter(_section);
        try
        {
            CatchUp();
            TranslationRegime regime = _frontEnd.Regime;
            for (int i = 0; i < requests.Length; i++)
            {
                results[i] = TranslateOne(in requests[i], regime);
            }
        }
        finally
        {
            _section.Leave();
        }

        if (_faulted)
        {
            _faulted = false;
            _frontEnd.AfterFaults();
        }
    }

    /// <summary>Gives up the port; no batch may be under way.</summary>
    public void Dispose()
    {
        if (!_disposed)
        {
            _disposed = true;
            _memory.Sections.Unregister(_section);
        }
    }

    private TranslationResult TranslateOne(in TranslationRequest request, TranslationRegime regime)
    {
        if (!regime.Enabled)
        {
            return TranslationResult.Success(request.Iova, 64, Access.All, 0);
        }

        if (!request.HasPasid && regime.MessageWindow.Contains(request.Iova))
        {
            return Message(in request);
        }

        TranslationContext context = Context(request.Device);
        switch (context.Mode)
        {
            case ContextMode.PassThrough:
                return TranslationResult.Success(request.Iova, 64, Access.All, 0);
            case ContextMode.Refused when context.Reason != FaultReason.TranslationDisabled:
                return RefuseByContext(in request, in context);
        }

        if (!request.HasPasid && regime.Exclusion.Contains(request.Iova) && (regime.ExcludesAll || context.Excludable))
        {
            return TranslationResult.Success(request.Iova, 12, Access.All, context.Domain);
        }

        if (context.Mode == ContextMode.Refused)
        {
            return Refuse(in request, context.Reason, request.Iova, in context);
        }

        return request.HasPasid
            ? Refuse(in request, FaultReason.PasidUnsupported, request.Iova, in context)
            : Host(in request, in context);
    }

    private TranslationResult Host(in TranslationRequest request, in TranslationContext context)
    {
        IotlbPage page;
        if (context.HostLevels == 0)
        {
            page = new(request.Iova, 64, Access.All);
            return Grant(in request, in context, in page, request.Iova);
        }

        if (!_iotlb.TryGet(context.Domain, request.Iova, out page))
        {
            WalkResult walk = ScalarWalk<AmdV1>.Walk(_memory, context.HostRoot, context.HostLevels, request.Iova);
            if (walk.Reason != FaultReason.None)
            {
                ulong address = walk.Reason == FaultReason.TableUnreadable ? walk.Address : request.Iova;
                return Refuse(in request, walk.Reason, address, in context);
            }

            page = new(walk.Address & ~((1UL << walk.PageShift) - 1), walk.PageShift, walk.Permissions);
            _iotlb.Fill(context.Domain, request.Iova, in page);
        }

        return Grant(in request, in context, in page, page.Output | (request.Iova & ((1UL << page.Shift) - 1)));
    }

    private TranslationResult Grant(in TranslationRequest request, in TranslationContext context, in IotlbPage page, ulong address)
    {
        Access permissions = page.Permissions & context.Permissions;
        return (request.Access & ~permissions) == 0
            ? TranslationResult.Success(address, page.Shift, permissions, context.Domain)
            : Refuse(in request, FaultReason.PermissionDenied, request.Iova, in context);
    }

    private TranslationResult Message(in TranslationRequest request)
    {
        var context = default(TranslationContext);
        if (request.Access != Access.Write)
        {
            return Refuse(in request, FaultReason.MessageWindowRead, request.Iova, in context);
        }

        context = Context(request.Device);
        if (context.Reason is FaultReason.ContextUnreadable or FaultReason.DeviceOutOfRange)
        {
            return RefuseByContext(in request, in context);
        }

        return context.Messages == MessagePolicy.Forward
            ? TranslationResult.Message(request.Iova)
            : Refuse(in request, context.MessageReason, request.Iova, in context);
    }

    private TranslationResult RefuseByContext(in TranslationRequest request, in TranslationContext context)
    {
        ulong address = context.Reason == FaultReason.ContextUnreadable ? context.FaultAddress : request.Iova;
        return Refuse(in request, context.Reason, address, in context);
    }

    private TranslationResult Refuse(in TranslationRequest request, FaultReason reason, ulong address, in TranslationContext context)
    {
        var stage = reason >= FaultReason.AddressBeyondTable ? TranslationStage.Host : TranslationStage.None;
        var fault = TranslationResult.Fault(reason, address, stage, context.Domain);
        _faulted = true;
        _frontEnd.Report(in request, in fault, in context);
        return fault;
    }

    private TranslationContext Context(DeviceId device)
    {
        if (!_contexts.TryGet(device, out TranslationContext context))
        {
            context = _frontEnd.Resolve(device);
            if (context.Reason != FaultReason.ContextUnreadable)
            {
                _contexts.Fill(device, in context);
            }
        }

        return context;
    }

    private void CatchUp()
    {
        for (long published = _invalidations.Published; _seen < published; _seen++)
        {
            if (!_invalidations.TryRead(_seen, out Invalidation invalidation))
            {
                Drop(Invalidation.All);
                _seen = published;
                return;
            }

            Drop(in invalidation);
        }
    }

    private void Drop(in Invalidation invalidation)
    {
        switch (invalidation.Kind)
        {
            case InvalidationKind.Context:
                _contexts.Invalidate(invalidation.Device);
                break;
            case InvalidationKind.Domain:
                _iotlb.Invalidate(invalidation.Domain);
                break;
            case InvalidationKind.Pages:
                _iotlb.Invalidate(invalidation.Domain, invalidation.Address, invalidation.Shift);
                break;
            default:
                _contexts.Clear();
                _iotlb.Clear();
                break;
        }
    }
}
