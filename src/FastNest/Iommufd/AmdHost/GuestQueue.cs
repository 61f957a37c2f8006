using System.Numerics;
using FastNest.Amd.Viommu;
using FastNest.Layouts;
using FastNest.Memory;

namespace FastNest.Iommufd.AmdHost;

/// <summary>
/// A VM's command buffer, event log or PPR log, at the VM's own physical addresses, until disposed. The VM's Control register,
/// which its VMM traps, lets it run. The "B" logs are not offered, as by AMD's driver.
/// </summary>
internal sealed class GuestQueue : IDisposable
{
    /// <summary>How many queues a VM has at most.</summary>
    public const int Kinds = 3;

    // HW_QUEUE_ALLOC's types follow those that Linux has; they are not assigned there yet.
    private const uint FirstType = 2;
    private const int EntryShift = 4;
    private const int ShortestCode = 8;
    private const int LongestCode = 15;

    private static readonly (int Offset, BitField Base)[] Registers =
    [
        (VfControlLayout.Command, VfControlLayout.RingBase),
        (VfControlLayout.Event, VfControlLayout.RingBase),
        (VfControlLayout.Ppr, VfControlLayout.PprRingBase),
    ];

    private readonly AmdViommu _viommu;
    private readonly ulong _place;
    private int _disposed;

    /// <exception cref="IommufdException">EINVAL: an index but 0, a length that no code stands for, or a base that is no page's.</exception>
    public GuestQueue(AmdViommu viommu, uint type, uint index, ulong address, ulong length)
    {
        if (index != 0)
        {
            throw new IommufdException(Errno.EINVAL, "index", index, "must be 0: the VM has one queue of each type");
        }

        int code = BitOperations.Log2(length) - EntryShift;
        if (!ulong.IsPow2(length) || code is < ShortestCode or > LongestCode)
        {
            throw new IommufdException(Errno.EINVAL, "length", length, $"must be a power of two from {16 << ShortestCode} to {16 << LongestCode}");
        }

        if (address % GuestPhysicalSpace.PageSize != 0 || address >> GuestPhysicalSpace.AddressBits != 0)
        {
            throw new IommufdException(Errno.EINVAL, "nesting_parent_iova", address, "must be a multiple of 4096 below 2^52");
        }

        _viommu = viommu;
        Slot = (int)(type - FirstType);
        BitField field = Registers[Slot].Base;
        _place = field.Of(address / GuestPhysicalSpace.PageSize) | VfControlLayout.Length.Of((ulong)code);
    }

    /// <summary>Which of the VM's queues it is: command buffer, event log, PPR log.</summary>
    public int Slot { get; }

    public static bool IsKind(uint type) => type - FirstType < Kinds;

    public void Dispose()
    {
        if (Interlocked.Exchange(ref _disposed, 1) == 0)
        {
            _viommu.ReleaseQueue(this);
        }
    }

    /// <summary>Tells the hardware, whose enables stay as the VM has them.</summary>
    internal void Place()
    {
        (int offset, BitField field) = Registers[Slot];
        ulong others = _viommu.Control.Read(offset) & ~(field.Mask | VfControlLayout.Length.Mask);
        _viommu.Control.Write(offset, others | _place);
    }

    /// <summary>Stops the queue.</summary>
    internal void Remove() => _viommu.Control.Write(Registers[Slot].Offset, 0);
}
