using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using FastNest.Amd.DeviceTable;
using FastNest.Requests;

namespace FastNest.Iommufd.AmdHost;

/// <summary>
/// One device table entry in use: what it says, and how that changes while the IOMMU may read it. Any thread.
/// </summary>
/// <param name="iommu">Whose table it is in.</param>
/// <param name="id">Its place.</param>
internal sealed class DeviceEntry(AmdHostIommu iommu, DeviceId id)
{
    private readonly Lock _gate = new();
    private Attachment? _attachment;
    private DteValue _value = HostDte.Blocked;
    private GuestDevice? _guest;

    public AmdHostIommu Iommu => iommu;

    public DeviceId Id => id;

    /// <summary>Whether the device has a translation cache of its own.</summary>
    public bool HasAts { get; init; }

    /// <summary>Whether the device may ask for pages.</summary>
    public bool TakesPageRequests { get; init; }

    /// <summary>The device; null for an entry that no device has.</summary>
    public AmdHostDevice? Device { get; set; }

    /// <summary>What the device translates through; null while it is blocked.</summary>
    public Attachment? Attachment => Volatile.Read(ref _attachment);

    /// <summary>What a VM calls the device; null while none has a number for it.</summary>
    public GuestDevice? Guest => Volatile.Read(ref _guest);

    /// <summary>Lets a VM have a number for the device; false when one has.</summary>
    public bool TryName(GuestDevice guest) => Interlocked.CompareExchange(ref _guest, guest, null) is null;

    /// <summary>Takes the number back.</summary>
    public void Forget() => Volatile.Write(ref _guest, null);

    /// <summary>Translates through another domain from now on; when this returns nothing goes through the last one any more.</summary>
    public void Set(Attachment? attachment)
    {
        lock (_gate)
        {
            Volatile.Write(ref _attachment, attachment);
            Write(attachment?.Compose() ?? HostDte.Blocked);
        }
    }

    /// <summary>Writes the entry anew if it still stands for an attachment, about which something has changed.</summary>
    public void Refresh(Attachment attachment)
    {
        lock (_gate)
        {
            if (_attachment == attachment)
            {
                Write(attachment.Compose());
            }
        }
    }

    /// <summary>Writes what stands for no domain of a guest or device.</summary>
    public void Fix(in DteValue value)
    {
        lock (_gate)
        {
            Write(value);
        }
    }

    /// <summary>
    /// By halves of sixteen bytes, the upper one first when it comes to count and last when it no longer does. One that counts
    /// before and after is changed while the device is blocked: no mixture of two guests may be seen (digest section 9, item 5).
    /// </summary>
    private void Write(DteValue next)
    {
        DteValue last = _value;
        if (next == last)
        {
            return;
        }

        _value = next;
        Span<Vector128<ulong>> halves = MemoryMarshal.Cast<byte, Vector128<ulong>>(iommu.EntryBytes(id));
        Vector128<ulong> lower = Vector128.Create(next.Word0, next.Word1);
        Vector128<ulong> upper = Vector128.Create(next.Word2, next.Word3);
        bool changesUpper = (next.Word2, next.Word3) != (last.Word2, last.Word3);
        bool usesUpper = HostDte.UsesUpperHalf(in next);
        if (changesUpper && usesUpper && HostDte.UsesUpperHalf(in last))
        {
            halves[0] = Vector128.Create(HostDte.Blocked.Word0, HostDte.Blocked.Word1);
            Flush();
        }

        halves[usesUpper ? 1 : 0] = usesUpper ? upper : lower;
        Volatile.WriteBarrier();
        halves[usesUpper ? 0 : 1] = usesUpper ? lower : upper;
        Flush();
    }

    private void Flush()
    {
        using CommandBatch batch = iommu.Commands.Begin();
        batch.Add(HostCommand.InvalidateEntry(id));
        if (HasAts)
        {
            batch.Add(HostCommand.InvalidateDeviceTlb(id, IovaRange.All));
        }

        batch.Complete();
    }
}
