using FastNest.Reference.History;
using FastNest.Reference.Registers;
using FastNest.Reference.Walks;
using FastNest.Requests;

namespace FastNest.Reference;

/// <summary>
/// The past of one IOMMU and its memory, to answer: which answers may hardware with caches give to this request now?
/// </summary>
/// <remarks>
/// <para>
/// It is memory itself: software's and hardware's writes go through <see cref="TryWrite64"/> and are passed on to the
/// memory it was made with, which must not change otherwise. Register writes, submitted commands and completed waits are
/// told to it. One order of all these is one line of time; requests come at its end.
/// </para>
/// <para>
/// An answer is allowed when it is what the reference answers if <em>every read of an entry</em> on the way gives any one
/// of the values which that entry had since the last completed invalidation that covers it, today's value included.
/// Reads are independent of each other, even two reads of one entry within one request: hardware keeps directory
/// entries, nested translations and whole translations in separate caches that are filled and emptied at separate times,
/// so any mixture may be met. That includes each whole past state of memory since then.
/// </para>
/// <para>What covers what:</para>
/// <list type="bullet">
/// <item>A device table entry, read as a whole at one moment where the registers of that moment placed it:
/// INVALIDATE_DEVTAB_ENTRY of the device, INVALIDATE_IOMMU_ALL. Its fields, among them the roots of the tables and the
/// domain, come from the one entry read; tables reached by a root that no allowed entry names are not allowed, even
/// where the entry's domain is still the same.</item>
/// <item>A v1 entry: INVALIDATE_IOMMU_PAGES with GN=0 of the entry's domain (that of the device table entry used) whose
/// region holds the address being translated, a guest physical one in a nested walk; INVALIDATE_IOMMU_ALL. An entry that
/// serves more addresses than the region is covered for those within only.</item>
/// <item>An entry of a guest table: INVALIDATE_IOMMU_PAGES with GN=1 of the domain and PASID (0 without one) whose region
/// holds the device address; any with GN=0 of the domain; INVALIDATE_IOMMU_ALL.</item>
/// <item>An entry that leads on to another table of its stage: as above, but only by commands with PDE=1, since
/// directories may stay cached otherwise.</item>
/// <item>An entry of the PASID table: GN=1 of the domain and PASID for everything; any GN=0 of the domain;
/// INVALIDATE_IOMMU_ALL.</item>
/// <item>The settings that walks go by (GTEn, HADUpdate, GDUpdateDis, GAUpdateDis, GCR3TRPMode, the exclusion
/// range): INVALIDATE_IOMMU_ALL; one setting for the whole request. IommuEn=0 takes effect at once.</item>
/// </list>
/// <para>
/// An invalidation is completed when a COMPLETION_WAIT submitted after it is. It may have been executed as early as it was
/// submitted, so what stood then or later may have been cached since; only what was gone before is excluded.
/// Nothing is read while IommuEn=0, so what came and went in such a time is excluded too. Entries that are not present
/// may be cached like any other.
/// </para>
/// <para>
/// Not looked at: INVALIDATE_IOTLB_PAGES and PREFETCH_IOMMU_PAGES (no cache of the device is modelled; prefetching needs
/// no allowance, since anything may have been read at any time), suppression of events, and what is written to memory
/// as Accessed and Dirty bits. The latter count as values like any others, so those writes must go through here too.
/// </para>
/// </remarks>
public sealed class ReferenceHistory : IReferenceMemory
{
    private readonly IReferenceMemory _memory;
    private readonly Journal _journal;
    private readonly RegisterVersions _registers;
    private readonly Timeline _time;

    /// <summary>Begins with an IOMMU in its reset state and memory as it is.</summary>
    /// <param name="memory">System memory; what exists of it must not change.</param>
    /// <param name="extendedFeatures">The EFR register 0030h: what is offered.</param>
    /// <param name="extendedFeatures2">The EFR2 register 01A0h.</param>
    public ReferenceHistory(IReferenceMemory memory, ulong extendedFeatures, ulong extendedFeatures2)
    {
        ArgumentNullException.ThrowIfNull(memory);
        RegisterFile registers = new(irtCacheDisSticks: false, gstBufferTrpModeSticks: false);
        registers.Set(RegisterMap.ExtendedFeature, extendedFeatures);
        registers.Set(RegisterMap.ExtendedFeature2, extendedFeatures2);
        _memory = memory;
        _journal = new(memory);
        _registers = new(registers);
        _time = new(_journal, _registers);
    }

    /// <inheritdoc/>
    public bool TryRead64(ulong address, out ulong value) => _memory.TryRead64(address, out value);

    /// <inheritdoc/>
    public bool TryWrite64(ulong address, ulong value) => _journal.TryWrite(address, value, _time.Tick());

    /// <summary>Tells of a register write; takes what <see cref="ReferenceIommu.Write"/> takes.</summary>
    /// <param name="offset">The byte offset in the MMIO aperture, a multiple of <paramref name="size"/>.</param>
    /// <param name="size">1, 2, 4 or 8 bytes; anything else is ignored.</param>
    /// <param name="value">The value, of which the low <paramref name="size"/> bytes count.</param>
    public void WriteRegister(ulong offset, int size, ulong value)
    {
        ulong whole = offset & ~7UL;
        if (RegisterFront.IsAccess(offset, size) && RegisterVersions.Matters(whole))
        {
            int shift = (int)(offset % 8) * 8;
            ulong bytes = RegisterFront.Bytes(size);
            _registers.Next(_time.Tick()).Merge(whole, (value & bytes) << shift, bytes << shift);
        }
    }

    /// <summary>Tells of a register set as a snapshot holds it; takes what <see cref="ReferenceIommu.RestoreRegister"/> takes.</summary>
    /// <param name="offset">A multiple of 8.</param>
    /// <param name="value">All 64 bits.</param>
    public void RestoreRegister(ulong offset, ulong value)
    {
        if (RegisterVersions.Matters(offset))
            _registers.Next(_time.Tick()).Set(offset, value);
    }

    /// <summary>Tells that software handed a command over, by moving the ring's tail past it.</summary>
    /// <param name="low">The first quadword; commands other than invalidations and COMPLETION_WAIT do nothing here.</param>
    /// <param name="high">The second quadword.</param>
    public void Submit(ulong low, ulong high) => _time.Submit(low, high);

    /// <summary>Tells that the oldest COMPLETION_WAIT submitted and not completed yet has completed.</summary>
    /// <exception cref="InvalidOperationException">There is none.</exception>
    public void CompleteWait()
    {
        if (!_time.CompleteWait())
            throw new InvalidOperationException("no COMPLETION_WAIT is outstanding");
    }

    /// <summary>Every answer that hardware with caches may give now, each once.</summary>
    /// <param name="request">What a device asks.</param>
    public IReadOnlyCollection<ReferenceAllowedAnswer> Allowed(in TranslationRequest request)
    {
        HashSet<ReferenceAllowedAnswer> answers = [];
        if (!_registers.Current.Control.IommuEn)
        {
            DeviceFetch unread = new(null, null);
            answers.Add(ReferenceAllowedAnswer.Of(new Translation(this, _registers.Current, request, unread).Run()));
            return answers;
        }

        IReadOnlyList<DeviceFetch> entries = _time.DeviceEntries(request.Device);
        foreach (RegisterFile registers in _time.Settings())
        {
            foreach (DeviceFetch entry in entries)
                Add(answers, request, registers, entry);
        }

        return answers;
    }

    private void Add(HashSet<ReferenceAllowedAnswer> answers, in TranslationRequest request, RegisterFile registers, DeviceFetch entry)
    {
        Translation translation = new(this, registers, request, entry);
        if (translation.BeforeTables(out DeviceEntry? dte, out bool throughGuest) is ReferenceAnswer early)
        {
            answers.Add(ReferenceAllowedAnswer.Of(early));
            return;
        }

        AllowedWalk walk = new(_time, this, dte!, registers, translation, request, answers);
        if (throughGuest)
            walk.ThroughGuest();
        else
            walk.ThroughHost();
    }
}
