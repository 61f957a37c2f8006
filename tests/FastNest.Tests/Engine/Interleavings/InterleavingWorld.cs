using FastNest.Engine;
using FastNest.Formats;
using FastNest.Memory;
using FastNest.Requests;
using Xunit;

namespace FastNest.Tests.Engine.Interleavings;

/// <summary>
/// One nested page on one port, and one change to its tables, or to the entry that tells where they are. The port's thread runs for real; at each of its yield points
/// the other side may take its next step: write, publish, advance the epoch; from then on it completes as soon as the
/// readers have passed.
/// </summary>
internal sealed class InterleavingWorld : IFrontEnd, IDisposable
{
    public const ulong OldPage = 0x40_0000;
    public const ulong NewPage = 0x60_0000;

    /// <summary>As many as are not answered one by one.</summary>
    private const int SideBySide = 4;
    private const ulong Iova = 0x1234_5000;
    private const ulong HostRoot = 0x1_0000;
    private const ulong GuestRoot = 0x2_0000;
    private const ulong OtherGuestRoot = 0x3_0000;

    /// <summary>Stands for a device table entry or one of a PASID table: where the guest's tables are.</summary>
    private const ulong ContextEntry = 0x8_0000;
    private const ushort Domain = 3;
    private const uint Pasid = 5;
    private const int Batches = 3;

    private readonly GuestPhysicalSpace _memory;
    private readonly InvalidationQueue _queue = new();
    private readonly NestedCore<YieldingV2, YieldingV1> _core;
    private readonly TranslationRequest[] _requests;
    private readonly ReadSection _section;
    private readonly Action<InterleavingWorld>[] _steps;
    private readonly int[] _schedule;
    private readonly Defect _defect;
    private int _yields;
    private int _taken;
    private long _epoch;
    private bool _completed;
    private bool _isWalking;

    public InterleavingWorld(GuestPhysicalSpace memory, Change change, CacheOptions caches, WalkStrategy strategy, int[] schedule, Defect defect = Defect.None)
    {
        _defect = defect;
        _memory = memory;
        _schedule = schedule;
        _steps =
        [
            world => change.Write(world._memory),
            world => world._queue.Publish(change.Invalidation),
            world => world._epoch = world._memory.Sections.Advance(),
        ];
        BuildTables(_memory);
        _core = new(_memory, this, _queue, caches, strategy);
        _requests = new TranslationRequest[strategy == WalkStrategy.Scalar ? 1 : SideBySide];
        Array.Fill(_requests, new(new DeviceId(1), Pasid, Iova, Access.Read));
        _section = _memory.Sections.Register();
    }

    /// <summary>How many yield points the last run had.</summary>
    public int Yields => _yields;

    public TranslationRegime Regime { get; } = new(true, AddressRange.Empty, AddressRange.Empty, false);

    /// <summary>What can be changed, and the invalidation that goes with it.</summary>
    public static Change[] Changes { get; } =
    [
        new("guest leaf, page", GuestRoot + 0x3000 + Index(1), NewPage | 0x67, Invalidation.OfPasid(Domain, Pasid, Iova, 12)),
        new("guest leaf, PASID", GuestRoot + 0x3000 + Index(1), NewPage | 0x67, Invalidation.OfPasid(Domain, Pasid)),
        new("guest directory, page", GuestRoot + 0x2000 + Index(2), (GuestRoot + 0x4000) | 0x67, Invalidation.OfPasid(Domain, Pasid, Iova, 12)),
        new("host leaf of the page, its page", HostRoot + 0x2000 + 2 * 8, HostLeaf(NewPage), Invalidation.OfDomain(Domain, OldPage, 21)),
        new("host leaf of the page, domain", HostRoot + 0x2000 + 2 * 8, HostLeaf(NewPage), Invalidation.OfDomain(Domain)),
        new("host directory, domain", HostRoot + 0x1000, HostDirectory(HostRoot + 0x3000, 2), Invalidation.OfDomain(Domain)),
        new("device entry, device", ContextEntry, OtherGuestRoot, Invalidation.OfContext(new(1))),
        new("PASID entry, PASID", ContextEntry, OtherGuestRoot, Invalidation.OfPasid(Domain, Pasid)),
        new("PASID entry, domain", ContextEntry, OtherGuestRoot, Invalidation.OfDomain(Domain)),
        new("host directory, everything", HostRoot + 0x1000, HostDirectory(HostRoot + 0x3000, 2), Invalidation.All),
    ];

    /// <summary>Runs to the end; null, or what went wrong.</summary>
    public string? Run()
    {
        YieldPoint.Set(Yield);
        try
        {
            for (int batch = 0; batch < Batches; batch++)
            {
                if (RunBatch() is { } wrong)
                {
                    return wrong;
                }
            }
        }
        finally
        {
            YieldPoint.Set(null);
        }

        return null;
    }

    public TranslationContext Resolve(in TranslationRequest request, ContextBuilder builder)
    {
        Yield();
        _memory.Load64(ContextEntry, out ulong root);
        Yield();
        var context = new TranslationContext
        {
            Mode = ContextMode.Nested,
            Domain = Domain,
            Host = new() { Root = HostRoot, Levels = 4, Domain = Domain, Permissions = StageRights.All },
            Guest = new() { Root = root, Levels = 4, Pasid = Pasid },
        };
        builder.Tag(ref context.Host);
        builder.Tag(ref context.Guest, in context.Host);
        return context;
    }

    public void Report(in TranslationRequest request, in TranslationResult fault, in TranslationContext context)
    {
    }

    public void AfterFaults()
    {
    }

    public void Dispose() => _memory.Sections.Unregister(_section);

    private static ulong Index(int level) => ((Iova >> (3 + 9 * level)) & 511) * 8;

    private static ulong HostDirectory(ulong table, int level) => table | (ulong)level << 9 | 3UL << 61 | 1;

    private static ulong HostLeaf(ulong page) => page | 3UL << 61 | 1;

    private static void BuildTables(GuestPhysicalSpace memory)
    {
        Put(HostRoot, HostDirectory(HostRoot + 0x1000, 3));
        Put(HostRoot + 0x1000, HostDirectory(HostRoot + 0x2000, 2));
        for (ulong i = 0; i < 8; i++)
        {
            Put(HostRoot + 0x2000 + i * 8, HostLeaf(i << 21));
            Put(HostRoot + 0x3000 + i * 8, HostLeaf((i == OldPage >> 21 ? NewPage >> 21 : i) << 21));
        }

        foreach (ulong root in (ulong[])[GuestRoot, OtherGuestRoot])
        {
            Put(root + Index(4), (root + 0x1000) | 0x67);
            Put(root + 0x1000 + Index(3), (root + 0x2000) | 0x67);
            Put(root + 0x2000 + Index(2), (root + 0x3000) | 0x67);
            Put(root + 0x3000 + Index(1), (root == GuestRoot ? OldPage : NewPage) | 0x67);
        }

        Put(ContextEntry, GuestRoot);
        Put(GuestRoot + 0x4000 + Index(1), NewPage | 0x67);

        void Put(ulong address, ulong value) => Assert.Equal(MemoryStatus.Ok, memory.Store64(address, value));
    }

    private string? RunBatch()
    {
        Yield();
        if (_defect == Defect.CatchesUpBeforeItEnters)
        {
            _core.CatchUp();
            Yield();
        }

        _memory.Sections.Enter(_section);
        Yield();
        if (_defect != Defect.CatchesUpBeforeItEnters)
        {
            _core.CatchUp();
        }

        _isWalking = true;
        Yield();
        var results = new TranslationResult[_requests.Length];
        bool completed = _completed;
        _core.Translate(_requests, results);
        _isWalking = false;
        string? wrong = results.Select(result => Judge(result, completed)).FirstOrDefault(problem => problem is not null);
        Yield();

        _section.Leave();
        Yield();
        return wrong;
    }

    private string? Judge(TranslationResult result, bool completed) => result switch
    {
        { Succeeded: false } => $"refused: {result}",
        { Address: OldPage } when completed => "stale after the wait was over",
        { Address: OldPage } => null,
        { Address: NewPage } when _taken > 0 => null,
        _ => $"of no version: {result}",
    };

    private void Yield()
    {
        while (_taken < _steps.Length && _schedule[_taken] == _yields)
        {
            _steps[_taken++](this);
        }

        if (_defect == Defect.CatchesUpWhileItWalks && _isWalking)
        {
            _core.CatchUp();
        }

        _completed |= _epoch != 0 && _defect switch
        {
            Defect.AcknowledgesAtOnce => true,
            Defect.TakesAnOlderEpoch => _memory.Sections.HavePassed(_epoch - 1),
            _ => _memory.Sections.HavePassed(_epoch),
        };
        _yields++;
    }

    /// <summary>What could be wrong with an implementation of the protocol; each must be found.</summary>
    internal enum Defect
    {
        None,

        /// <summary>A wait is over without looking whether batches under way are.</summary>
        AcknowledgesAtOnce,

        /// <summary>A number of an epoch is taken for the one before, as if they wrapped.</summary>
        TakesAnOlderEpoch,

        /// <summary>A batch takes invalidations before it can be waited for.</summary>
        CatchesUpBeforeItEnters,

        /// <summary>Invalidations are taken between a walk and its fill, which is stale then and stays.</summary>
        CatchesUpWhileItWalks,
    }

    internal sealed record Change(string Name, ulong Entry, ulong Value, Invalidation Invalidation)
    {
        public void Write(GuestPhysicalSpace memory) => memory.Store64(Entry, Value);
    }
}
