using System.Runtime.InteropServices;
using FastNest.Amd;
using FastNest.Amd.Commands;
using FastNest.Amd.Registers;
using FastNest.Memory;

namespace FastNest.Iommufd.AmdHost;

/// <summary>
/// One IOMMU's command buffer, from software's side. Commands go in by batches, one at a time; each rings the bell once. Any
/// thread; not from within a batch of requests, as a batch of commands waits for those under way.
/// </summary>
internal sealed class CommandSubmission
{
    /// <summary>log2 of the ring's entries, as Linux has it.</summary>
    public const int LengthCode = 9;

    public const ulong RingLength = EntryLength << LengthCode;

    private const ulong EntryLength = 16;

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(1);

    private readonly Lock _gate = new();
    private readonly AmdIommu _iommu;
    private readonly MemoryRegion _memory;
    private readonly ulong _ring;
    private readonly ulong _semaphore;
    private ulong _tail;
    private ulong _ticket;

    /// <param name="iommu">Whose.</param>
    /// <param name="memory">Where ring and semaphore are.</param>
    /// <param name="ring">Offset of the ring in the memory.</param>
    /// <param name="semaphore">Offset of eight bytes that completions are stored to.</param>
    public CommandSubmission(AmdIommu iommu, MemoryRegion memory, ulong ring, ulong semaphore)
    {
        _iommu = iommu;
        _memory = memory;
        _ring = ring;
        _semaphore = semaphore;
    }

    /// <summary>Begins a batch; nobody else's commands come between until it is disposed.</summary>
    public CommandBatch Begin() => new(this, _gate.EnterScope());

    /// <summary>Executes one command and returns when it is complete.</summary>
    /// <exception cref="IommufdException">EIO: the IOMMU does not complete.</exception>
    public void Execute(in Command command)
    {
        using CommandBatch batch = Begin();
        batch.Add(in command);
        batch.Complete();
    }

    /// <summary>Puts a command behind the others. Under the lock.</summary>
    internal void Add(in Command command)
    {
        if (IsFull)
        {
            // An interrupt that comes of it may add commands, too, but leaves none.
            Ring();
            if (IsFull)
            {
                WaitFor(() => !IsFull);
            }
        }

        Span<ulong> slot = MemoryMarshal.Cast<byte, ulong>(_memory.Bytes(_ring + _tail, EntryLength));
        slot[0] = command.Word0;
        slot[1] = command.Word1;
        _tail = Next;
    }

    /// <summary>Rings the bell and returns when everything before is complete. Under the lock.</summary>
    internal void Complete()
    {
        ulong ticket = ++_ticket;
        Add(HostCommand.CompletionWait(_memory.Start + _semaphore, ticket));
        Ring();

        // An interrupt that came meanwhile may have had commands of its own completed: its ticket is above this one.
        if (!IsComplete(ticket))
        {
            WaitForTicket(ticket);
        }
    }

    private ulong Next => (_tail + EntryLength) % RingLength;

    private bool IsFull => Next == _iommu.Read((ulong)RegisterMap.CommandHead.Offset, sizeof(uint));

    private bool IsComplete(ulong ticket) => (long)(Semaphore - ticket) >= 0;

    private ulong Semaphore => Volatile.Read(ref MemoryMarshal.Cast<byte, ulong>(_memory.Bytes(_semaphore, sizeof(ulong)))[0]);

    private void Ring() => _iommu.Write((ulong)RegisterMap.CommandTail.Offset, sizeof(uint), _tail);

    private void WaitForTicket(ulong ticket) => WaitFor(() => IsComplete(ticket));

    /// <summary>This IOMMU has executed everything when the bell was rung, unless it has stopped.</summary>
    private static void WaitFor(Func<bool> reached)
    {
        if (!SpinWait.SpinUntil(reached, Patience))
        {
            throw new IommufdException(Errno.EIO, "completion_wait", 0, "the IOMMU does not execute its commands");
        }
    }
}
