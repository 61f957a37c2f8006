using FastNest.Amd.Pprs;
using FastNest.Engine;
using FastNest.Requests;

namespace FastNest.Traces;

/// <summary>
/// One thing that was done to a machine, with what the machine answered where it did. What the IOMMU itself stores is no
/// record: it follows from the others.
/// </summary>
public abstract record TraceRecord
{
    /// <summary>Where it stands in the trace that it was read from.</summary>
    public long Offset { get; init; }

    /// <summary>Compares what two runs answered to the same input.</summary>
    /// <param name="other">The record of another run.</param>
    /// <returns>Which answer of this record differs first, counted from 0; null when none does.</returns>
    public int? FirstDifference(TraceRecord other) => (this, other) switch
    {
        (RequestsTranslated mine, RequestsTranslated theirs) => mine.FirstDifferentAnswer(theirs),
        (RegisterRead mine, RegisterRead theirs) => mine.Value == theirs.Value ? null : 0,
        (DirtyTaken mine, DirtyTaken theirs) => mine.WasDirty == theirs.WasDirty ? null : 0,
        (MemoryHashed mine, MemoryHashed theirs) => mine.Hash == theirs.Hash ? null : 0,
        _ => null,
    };
}

/// <summary>A region of memory, all zero, or an MMIO window came to the machine.</summary>
/// <param name="Start">Its first address, a multiple of 4096.</param>
/// <param name="Length">Bytes, a multiple of 4096.</param>
/// <param name="IsMmio">Whether it is a window; what stands behind it is not recorded.</param>
public sealed record RegionAdded(ulong Start, ulong Length, bool IsMmio) : TraceRecord;

/// <summary>A region went.</summary>
/// <param name="Start">Its first address.</param>
public sealed record RegionRemoved(ulong Start) : TraceRecord;

/// <summary>Software read a register.</summary>
/// <param name="Window">Whose.</param>
/// <param name="At">Bytes from the window's start.</param>
/// <param name="Size">1, 2, 4 or 8.</param>
/// <param name="Value">What was read.</param>
public sealed record RegisterRead(RegisterWindow Window, ulong At, int Size, ulong Value) : TraceRecord;

/// <summary>Software wrote a register.</summary>
/// <param name="Window">Whose.</param>
/// <param name="At">Bytes from the window's start.</param>
/// <param name="Size">1, 2, 4 or 8.</param>
/// <param name="Value">What was written.</param>
public sealed record RegisterWritten(RegisterWindow Window, ulong At, int Size, ulong Value) : TraceRecord;

/// <summary>A register was brought back to what a stopped machine's held.</summary>
/// <param name="At">Its offset, a multiple of 8.</param>
/// <param name="Value">All 64 bits.</param>
public sealed record RegisterRestored(ulong At, ulong Value) : TraceRecord;

/// <summary>Something other than the IOMMU wrote memory: table entries, commands, data.</summary>
/// <param name="Address">The first physical address.</param>
/// <param name="Bytes">At most 1 MiB.</param>
public sealed record MemoryWritten(ulong Address, ReadOnlyMemory<byte> Bytes) : TraceRecord;

/// <summary>A port was opened.</summary>
/// <param name="Port">Its number, which no open port has.</param>
/// <param name="Caches">The sizes of its caches.</param>
/// <param name="Strategy">How it walks.</param>
public sealed record PortOpened(int Port, CacheOptions Caches, WalkStrategy Strategy) : TraceRecord;

/// <summary>A port was given up.</summary>
/// <param name="Port">Its number.</param>
public sealed record PortClosed(int Port) : TraceRecord;

/// <summary>Requests went through a port in one call.</summary>
/// <param name="Port">Its number.</param>
/// <param name="IsBound">Whether the call names one requester for all.</param>
/// <param name="Requests">1 to 65,536 of them.</param>
/// <param name="Answers">One for each.</param>
public sealed record RequestsTranslated(
    int Port, bool IsBound, ReadOnlyMemory<TranslationRequest> Requests, ReadOnlyMemory<TranslationResult> Answers) : TraceRecord
{
    internal int? FirstDifferentAnswer(RequestsTranslated other)
    {
        int common = Answers.Span.CommonPrefixLength(other.Answers.Span);
        return common == Answers.Length && common == other.Answers.Length ? null : common;
    }
}

/// <summary>A device asked for a page.</summary>
/// <param name="Request">What it asked.</param>
public sealed record PageRequested(PageRequest Request) : TraceRecord;

/// <summary>Each guest with commands left had one turn.</summary>
public sealed record GuestsRun : TraceRecord;

/// <summary>The dirty bit of a guest's command buffer was taken.</summary>
/// <param name="Guest">The guest's id.</param>
/// <param name="WasDirty">Whether it was set.</param>
public sealed record DirtyTaken(ushort Guest, bool WasDirty) : TraceRecord;

/// <summary>A device answered an invalidation that the next record causes.</summary>
/// <param name="InTime">Whether it did in time.</param>
public sealed record DeviceAnswered(bool InTime) : TraceRecord;

/// <summary>What memory held, the IOMMU's own stores included.</summary>
/// <param name="Address">The first address, a multiple of 4096.</param>
/// <param name="Length">Bytes, a multiple of 4096; holes and windows in between do not count.</param>
/// <param name="Hash">The hash of the memory there.</param>
public sealed record MemoryHashed(ulong Address, ulong Length, ulong Hash) : TraceRecord;
