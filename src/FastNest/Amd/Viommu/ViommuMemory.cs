using FastNest.Engine;
using FastNest.Formats;
using FastNest.Memory;
using FastNest.Requests;

namespace FastNest.Amd.Viommu;

/// <summary>
/// Memory as the IOMMU itself reaches it for its guests: by an address and the device whose host table translates it. Looks to
/// the engine like a front end with a port of its own, so that the host's invalidations hold for it as for devices. Any thread;
/// an access is short, and nothing is waited for in it.
/// </summary>
internal sealed class ViommuMemory : IFrontEnd
{
    private const int MaximumAttempts = 64;

    private readonly Lock _access = new();
    private readonly GuestPhysicalSpace _memory;
    private readonly DeviceTable.ContextResolver _contexts;
    private readonly NestedCore<AmdV2, AmdV1> _core;
    private readonly ReadSection _section;

    public ViommuMemory(GuestPhysicalSpace memory, DeviceTable.ContextResolver contexts, InvalidationQueue invalidations)
    {
        _memory = memory;
        _contexts = contexts;
        _core = new(memory, this, invalidations, new CacheOptions(), WalkStrategy.Scalar);
        _section = memory.Sections.Register();
    }

    /// <summary>Neither messages nor exclusions: these are the IOMMU's own accesses (reading 93).</summary>
    TranslationRegime IFrontEnd.Regime { get; } = new(true, AddressRange.Empty, AddressRange.Empty, false);

    /// <summary>Loads eight bytes.</summary>
    public bool TryLoad(DeviceId through, ulong address, out ulong value)
    {
        lock (_access)
        {
            value = 0;
            bool loaded = TryReach(through, address, Access.Read, out ulong physical) && _memory.TryLoad64(physical, out value);
            _section.Leave();
            return loaded;
        }
    }

    /// <summary>Loads sixteen bytes, each half by one atomic load; the address is a multiple of 16.</summary>
    public bool TryLoad(DeviceId through, ulong address, out ulong word0, out ulong word1)
    {
        lock (_access)
        {
            word0 = word1 = 0;
            bool loaded = TryReach(through, address, Access.Read, out ulong physical)
                && _memory.TryLoad64(physical, out word0)
                && _memory.TryLoad64(physical + sizeof(ulong), out word1);
            _section.Leave();
            return loaded;
        }
    }

    /// <summary>Loads quadwords that follow each other in one page, each by one atomic load.</summary>
    public bool TryLoad(DeviceId through, ulong address, Span<ulong> words)
    {
        lock (_access)
        {
            bool loaded = TryReach(through, address, Access.Read, out ulong physical);
            for (int i = 0; loaded && i < words.Length; i++)
            {
                loaded = _memory.TryLoad64(physical + (ulong)i * sizeof(ulong), out words[i]);
            }

            _section.Leave();
            return loaded;
        }
    }

    /// <summary>Stores eight bytes.</summary>
    public bool TryStore(DeviceId through, ulong address, ulong value)
    {
        lock (_access)
        {
            bool stored = TryReach(through, address, Access.Write, out ulong physical) && _memory.TryStore64(physical, value);
            _section.Leave();
            return stored;
        }
    }

    /// <summary>Stores sixteen bytes, the first half last; the address is a multiple of 16.</summary>
    public bool TryStore(DeviceId through, ulong address, ulong word0, ulong word1)
    {
        lock (_access)
        {
            bool stored = TryReach(through, address, Access.Write, out ulong physical)
                && _memory.TryStore64(physical + sizeof(ulong), word1)
                && _memory.TryStore64(physical, word0);
            _section.Leave();
            return stored;
        }
    }

    /// <summary>Sets or clears bits, whatever others do to the rest of the quadword.</summary>
    /// <param name="through">Whose table.</param>
    /// <param name="address">A multiple of 8.</param>
    /// <param name="bits">Which bits.</param>
    /// <param name="value">Set or cleared.</param>
    /// <param name="before">Whether any of them was set.</param>
    public bool TryAssign(DeviceId through, ulong address, ulong bits, bool value, out bool before)
    {
        lock (_access)
        {
            before = false;
            ulong word = 0;
            bool done = TryReach(through, address, Access.Write, out ulong physical) && _memory.TryLoad64(physical, out word);
            for (int i = 0; done && i < MaximumAttempts; i++)
            {
                before = (word & bits) != 0;
                ulong desired = value ? word | bits : word & ~bits;
                if (desired == word
                    || (_memory.TryCompareExchange64(physical, word, desired, out ulong seen) && seen == word))
                {
                    break;
                }

                word = seen;
            }

            _section.Leave();
            return done;
        }
    }

    TranslationContext IFrontEnd.Resolve(in TranslationRequest request, ContextBuilder builder) =>
        _contexts.ResolveHost(in request, builder);

    /// <summary>Whoever wanted the access knows what its failure means.</summary>
    void IFrontEnd.Report(in TranslationRequest request, in TranslationResult fault, in TranslationContext context)
    {
    }

    void IFrontEnd.AfterFaults()
    {
    }

    /// <summary>Enters the section, which the caller leaves, and finds where an address stands in physical memory.</summary>
    private bool TryReach(DeviceId through, ulong address, Access access, out ulong physical)
    {
        _memory.Sections.Enter(_section);
        _core.CatchUp();
        var request = new TranslationRequest(through, address, access);
        TranslationResult result = default;
        _core.Translate(new ReadOnlySpan<TranslationRequest>(in request), new Span<TranslationResult>(ref result));
        physical = result.Address;
        return result.Succeeded;
    }
}
