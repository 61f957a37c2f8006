using FastNest.Engine;
using FastNest.Memory;
using FastNest.Requests;

namespace FastNest.Dma;

/// <summary>
/// Transfers data of devices through a port: device addresses to memory and MMIO windows, page by page, stopping at the
/// first byte that is refused, or at the end of the address space, with the count done so far. A page is translated and
/// copied in one batch, so that no data moves through a translation after its invalidation was completed. Owned by one
/// thread, as the port is.
/// </summary>
public sealed class DmaPort
{
    private readonly TranslationPort _port;
    private readonly Action<Requester, ulong, ulong>? _message;

    /// <param name="port">Translates; stays the caller's to dispose.</param>
    /// <param name="message">
    /// Receives interrupt messages, writes of four bytes to the interrupt window: requester, address and data. Null to drop them.
    /// </param>
    public DmaPort(TranslationPort port, Action<Requester, ulong, ulong>? message = null)
    {
        ArgumentNullException.ThrowIfNull(port);
        _port = port;
        _message = message;
    }

    /// <summary>Reads memory into a buffer.</summary>
    public DmaResult Read(Requester requester, ulong iova, Span<byte> destination)
    {
        long done = 0;
        TranslationResult translation = default;
        while (done < destination.Length)
        {
            ulong at = iova + (ulong)done;
            if (at < iova)
            {
                return new(done, translation, MemoryStatus.BeyondAddressWidth);
            }

            int count;
            using (PortBatch batch = _port.OpenBatch())
            {
                translation = batch.TranslateToHost(requester.Request(at, Access.Read), out Span<byte> memory);
                count = GuestPhysicalSpace.PieceLength(at, destination.Length - (int)done);
                if (!memory.IsEmpty)
                {
                    memory[..count].CopyTo(destination.Slice((int)done, count));
                    done += count;
                    continue;
                }
            }

            if (!translation.Succeeded)
            {
                return new(done, translation, MemoryStatus.Ok);
            }

            // Not memory: a window's owner may do anything, even drive the IOMMU, so no batch is held open.
            MemoryStatus status = _port.Memory.Read(translation.Address, destination.Slice((int)done, count), out int read);
            done += read;
            if (status != MemoryStatus.Ok)
            {
                return new(done, translation, status);
            }
        }

        return new(done, translation, MemoryStatus.Ok);
    }

    /// <summary>Writes a buffer to memory.</summary>
    public DmaResult Write(Requester requester, ulong iova, ReadOnlySpan<byte> source)
    {
        long done = 0;
        TranslationResult translation = default;
        while (done < source.Length)
        {
            ulong at = iova + (ulong)done;
            if (at < iova)
            {
                return new(done, translation, MemoryStatus.BeyondAddressWidth);
            }

            ReadOnlySpan<byte> piece = source.Slice((int)done, GuestPhysicalSpace.PieceLength(at, source.Length - (int)done));
            using (PortBatch batch = _port.OpenBatch())
            {
                translation = batch.TranslateToHost(requester.Request(at, Access.Write), out Span<byte> memory);
                if (!memory.IsEmpty)
                {
                    piece.CopyTo(memory);
                    done += piece.Length;
                    continue;
                }
            }

            if (!translation.Succeeded)
            {
                return new(done, translation, MemoryStatus.Ok);
            }

            if (translation.IsMessage)
            {
                _message?.Invoke(requester, at, MessageData(piece));
                done += piece.Length;
                continue;
            }

            MemoryStatus status = _port.Memory.Write(translation.Address, piece, out int written);
            done += written;
            if (status != MemoryStatus.Ok)
            {
                return new(done, translation, status);
            }
        }

        return new(done, translation, MemoryStatus.Ok);
    }

    /// <summary>Reads the pieces of a list, one after the other, into one buffer; its length ends the transfer too.</summary>
    /// <exception cref="ArgumentOutOfRangeException">A piece has a negative length; nothing is transferred.</exception>
    public DmaResult Read(Requester requester, ReadOnlySpan<DmaSegment> segments, Span<byte> destination)
    {
        CheckLengths(segments);
        var total = new DmaResult(0, default, MemoryStatus.Ok);
        foreach (DmaSegment segment in segments)
        {
            int length = Math.Min(segment.Length, destination.Length - (int)total.Done);
            DmaResult part = Read(requester, segment.Iova, destination.Slice((int)total.Done, length));
            total = part with { Done = total.Done + part.Done };
            if (!part.Succeeded)
            {
                break;
            }
        }

        return total;
    }

    /// <summary>Writes one buffer to the pieces of a list, one after the other; its length ends the transfer too.</summary>
    /// <exception cref="ArgumentOutOfRangeException">A piece has a negative length; nothing is transferred.</exception>
    public DmaResult Write(Requester requester, ReadOnlySpan<DmaSegment> segments, ReadOnlySpan<byte> source)
    {
        CheckLengths(segments);
        var total = new DmaResult(0, default, MemoryStatus.Ok);
        foreach (DmaSegment segment in segments)
        {
            int length = Math.Min(segment.Length, source.Length - (int)total.Done);
            DmaResult part = Write(requester, segment.Iova, source.Slice((int)total.Done, length));
            total = part with { Done = total.Done + part.Done };
            if (!part.Succeeded)
            {
                break;
            }
        }

        return total;
    }

    private static void CheckLengths(ReadOnlySpan<DmaSegment> segments)
    {
        foreach (DmaSegment segment in segments)
        {
            ArgumentOutOfRangeException.ThrowIfNegative(segment.Length, nameof(DmaSegment.Length));
        }
    }

    /// <summary>What a write to the interrupt window sends: its first four bytes, or fewer.</summary>
    internal static ulong MessageData(ReadOnlySpan<byte> piece)
    {
        ulong data = 0;
        for (int i = Math.Min(piece.Length, sizeof(uint)) - 1; i >= 0; i--)
        {
            data = data << 8 | piece[i];
        }

        return data;
    }
}
