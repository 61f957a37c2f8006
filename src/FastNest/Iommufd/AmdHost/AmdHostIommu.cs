using System.Runtime.InteropServices;
using FastNest.Amd;
using FastNest.Amd.DeviceTable;
using FastNest.Amd.Registers;
using FastNest.Layouts;
using FastNest.Memory;
using FastNest.Requests;

namespace FastNest.Iommufd.AmdHost;

/// <summary>One IOMMU under the host's driver, which alone may write to its registers. Made by <see cref="AmdHostDriver.AddIommu"/>.</summary>
public sealed class AmdHostIommu
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

    internal AmdHostIommu(GuestPhysicalSpace memory, AmdIommuOptions options, Action<Amd.Events.IommuEvent>? events)
    {
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
    }

    /// <summary>The IOMMU: where ports are opened.</summary>
    public AmdIommu Iommu { get; }

    internal CommandSubmission Commands { get; }

    internal HostLogs Logs { get; }

    /// <summary>A device's entry, if it is in use.</summary>
    internal DeviceEntry? FindEntry(DeviceId id) => Volatile.Read(ref _entries[(ushort)id.Value]);

    /// <summary>Takes a place in the device table, blocked as it is.</summary>
    /// <returns>False when it is in use.</returns>
    internal bool TryAddEntry(DeviceEntry entry) =>
        Interlocked.CompareExchange(ref _entries[(ushort)entry.Id.Value], entry, null) is null;

    /// <summary>Gives a place back that is blocked again.</summary>
    internal void RemoveEntry(DeviceEntry entry) => Volatile.Write(ref _entries[(ushort)entry.Id.Value], null);

    /// <summary>The bytes of an entry.</summary>
    internal Span<byte> EntryBytes(DeviceId id) => _memory.Bytes(id.Value * Dte.Size, Dte.Size);

    /// <summary>Stops the rings and takes the device table away: what is not translated any more is refused, not let through.</summary>
    internal void ShutDown(GuestPhysicalSpace memory)
    {
        Write(RegisterMap.Control, ControlRegister.IommuEn.Mask);
        if (_memory.IsMapped)
        {
            memory.Remove(_memory);
        }
    }

    internal ulong Read(Register register) => Iommu.Read((ulong)register.Offset, sizeof(ulong));

    internal void Write(Register register, ulong value) => Iommu.Write((ulong)register.Offset, sizeof(ulong), value);

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
