using System.Collections.Concurrent;
using System.Runtime.InteropServices;
using FastNest.Amd;
using FastNest.Amd.DeviceTable;
using FastNest.Amd.Events;
using FastNest.Amd.Registers;
using FastNest.Layouts;
using FastNest.Memory;
using FastNest.Requests;

namespace FastNest.Iommufd.AmdHost;

/// <summary>One IOMMU under the host's driver, which alone may write to its registers. Made by <see cref="AmdHostDriver.AddIommu"/>.</summary>
public sealed class AmdHostIommu : IDisposable
{
    private const ulong TableLength = 65536 * Dte.Size;
    private const ulong CommandRing = TableLength;
    private const ulong EventRing = CommandRing + CommandSubmission.RingLength;
    private const ulong PprRing = EventRing + HostLogs.RingLength;
    private const ulong Semaphore = PprRing + HostLogs.RingLength;
    private const ulong MemoryLength = 2 * TableLength;
    private const ulong AccessedAndDirty = 3;

    private readonly MemoryRegion _memory;
    private readonly DeviceEntry?[] _entries = new DeviceEntry?[65536];
    private readonly ConcurrentDictionary<ushort, AmdViommu> _guests = new();
    private readonly Lock _translateGate = new();
    private readonly Stack<DeviceId> _translateIds = new();
    private uint _nextTranslateId = 0xFFFF;
    private PrivateSpace? _privateSpace;

    internal AmdHostIommu(AmdHostDriver driver, GuestPhysicalSpace memory, AmdIommuOptions options, Action<IommuEvent>? events)
    {
        Device = options.Viommu.Device;
        _memory = HostMemory.Add(memory, MemoryLength);
        Iommu = new(memory, options with
        {
            Interrupt = kind =>
            {
                Logs!.Serve();
                options.Interrupt?.Invoke(kind);
            },
        });
        Commands = new(Iommu, _memory, CommandRing, Semaphore);
        Logs = new(this, _memory, EventRing, PprRing, events);
        BringUp();
        if (Iommu.Viommu is not null && StartViommu())
        {
            _privateSpace = new(driver, this, Device);
        }
    }

    /// <summary>The IOMMU: where ports are opened.</summary>
    public AmdIommu Iommu { get; }

    internal CommandSubmission Commands { get; }

    internal HostLogs Logs { get; }

    /// <summary>The IOMMU's own PCI function.</summary>
    internal DeviceId Device { get; }

    /// <summary>The ids of VMs.</summary>
    internal IdPool GuestIds { get; } = new("gid");

    /// <summary>Whether VMs can be served.</summary>
    internal bool ServesGuests => _privateSpace is not null;

    /// <summary>What the hardware keeps of VMs; only when it serves them.</summary>
    internal PrivateSpace PrivateSpace => _privateSpace!;

    /// <summary>A device's entry, if it is in use.</summary>
    internal DeviceEntry? FindEntry(DeviceId id) => Volatile.Read(ref _entries[(ushort)id.Value]);

    /// <summary>Takes a place in the device table, which is blocked until the entry says otherwise.</summary>
    /// <exception cref="IommufdException">EBUSY: it is in use.</exception>
    internal DeviceEntry AddEntry(DeviceId id, bool ats = false, bool pageRequests = false)
    {
        var entry = new DeviceEntry(this, id) { HasAts = ats, TakesPageRequests = pageRequests };
        return TryAdd(entry) ? entry : throw new IommufdException(Errno.EBUSY, "device", id.Value, "the id is in use");
    }

    /// <summary>Takes a place that no device has, from the upper end of the table.</summary>
    /// <exception cref="IommufdException">ENOSPC: there is none.</exception>
    internal DeviceEntry AddTranslateEntry()
    {
        lock (_translateGate)
        {
            while (_translateIds.Count != 0 || _nextTranslateId != 0)
            {
                DeviceId id = _translateIds.TryPop(out DeviceId free) ? free : new(_nextTranslateId--);
                var entry = new DeviceEntry(this, id);
                if (TryAdd(entry))
                {
                    return entry;
                }
            }
        }

        throw new IommufdException(Errno.ENOSPC, "trans_devid", 0, "every place of the device table is in use");
    }

    /// <summary>Gives a place back that is blocked again.</summary>
    internal void RemoveEntry(DeviceEntry entry) => Volatile.Write(ref _entries[(ushort)entry.Id.Value], null);

    internal void RemoveTranslateEntry(DeviceEntry entry)
    {
        RemoveEntry(entry);
        lock (_translateGate)
        {
            _translateIds.Push(entry.Id);
        }
    }

    internal void AddGuest(AmdViommu guest) => _guests[guest.GuestId] = guest;

    internal void RemoveGuest(AmdViommu guest) => _guests.TryRemove(guest.GuestId, out _);

    /// <summary>The bytes of an entry.</summary>
    internal Span<byte> EntryBytes(DeviceId id) => _memory.Bytes(id.Value * Dte.Size, Dte.Size);

    /// <summary>
    /// Stops the rings and takes the device table away: what is not translated any more is refused, not let through. No VM is left.
    /// </summary>
    void IDisposable.Dispose()
    {
        _privateSpace?.Dispose();
        _privateSpace = null;
        if (_memory.IsMapped)
        {
            Write(RegisterMap.Control, ControlRegister.IommuEn.Mask);
            Iommu.Memory.Remove(_memory);
        }
    }

    internal ulong Read(Register register) => Iommu.Read((ulong)register.Offset, sizeof(ulong));

    internal void Write(Register register, ulong value) => Iommu.Write((ulong)register.Offset, sizeof(ulong), value);

    private bool TryAdd(DeviceEntry entry) => Interlocked.CompareExchange(ref _entries[(ushort)entry.Id.Value], entry, null) is null;

    /// <summary>In the order of Linux drivers/iommu/amd/init.c (digest section 9, items 2, 12 and 15): everything is on before IommuEn.</summary>
    private void BringUp()
    {
        Write(RegisterMap.Control, 0);
        MemoryMarshal.Cast<byte, DteValue>(_memory.Bytes(0, TableLength)).Fill(HostDte.Blocked);
        Write(RegisterMap.DeviceTableBase, _memory.Start | BaseRegister.TableSize.Of(TableLength / GuestPhysicalSpace.PageSize - 1));
        Write(RegisterMap.CommandBufferBase, (_memory.Start + CommandRing) | BaseRegister.RingLength.Of(CommandSubmission.LengthCode));
        Write(RegisterMap.CommandTail, 0);
        Write(RegisterMap.CommandHead, 0);
        Enable(ControlRegister.CmdBufEn);
        Write(RegisterMap.EventLogBase, (_memory.Start + EventRing) | BaseRegister.RingLength.Of(HostLogs.LengthCode));
        Enable(ControlRegister.EventLogEn);
        Enable(ControlRegister.GTEn);
        Enable(ControlRegister.GCR3TRPMode);
        Enable(ControlRegister.HADUpdate, AccessedAndDirty);
        Enable(ControlRegister.IommuEn);
        Enable(ControlRegister.EventIntEn);
        FlushAll();
        Enable(ControlRegister.PprEn);
        Write(RegisterMap.PprLogBase, (_memory.Start + PprRing) | BaseRegister.RingLength.Of(HostLogs.LengthCode));
        Enable(ControlRegister.PprIntEn);
        Enable(ControlRegister.PprLogEn);
    }

    /// <summary>In the order of digest section 8.1; VMs' rings stand at their own addresses, or there are none.</summary>
    private bool StartViommu() =>
        Enable(ControlRegister.GstBufferTRPMode) && Enable(ControlRegister.VCmdEn) && Enable(ControlRegister.ViommuEn);

    /// <summary>Sets a field of Control; returns whether it stuck, which is how software learns of some features.</summary>
    private bool Enable(BitField field, ulong value = 1)
    {
        Write(RegisterMap.Control, field.With(Read(RegisterMap.Control), value));
        return field.Get(Read(RegisterMap.Control)) == value;
    }

    /// <summary>An IOMMU without INVALIDATE_IOMMU_ALL has just been made: only entries can have been read since it is enabled.</summary>
    private void FlushAll()
    {
        using CommandBatch batch = Commands.Begin();
        if (Iommu.Features.Has(ExtendedFeature.IASup))
        {
            batch.Add(HostCommand.InvalidateAll());
        }
        else
        {
            for (uint id = 0; id < _entries.Length; id++)
            {
                batch.Add(HostCommand.InvalidateEntry(new(id)));
            }
        }

        batch.Complete();
    }
}
