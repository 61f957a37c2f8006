using FastNest.Amd.Commands;
using FastNest.Amd.Events;
using FastNest.Amd.Logs;
using FastNest.Amd.Pprs;
using FastNest.Amd.Registers;
using FastNest.Requests;
using FastNest.Rings;

namespace FastNest.Amd.Viommu;

/// <summary>
/// One guest's IOMMU as hardware has it: the registers of its VF page and its VF control registers, its command buffer and its
/// logs. Accesses and commands are serialised by the owner of the host's registers; logs may be appended to from any thread.
/// </summary>
internal sealed class VirtualIommu : IInterruptLine
{
    private const ulong VfPage = 0x2000;

    private readonly ViommuParts _parts;
    private readonly RegisterFile _registers;
    private readonly LogRing _eventRing;
    private readonly LogRing _pprRing;
    private readonly CommandRing<GuestRings> _ring;
    private readonly GuestCommands _commands;
    private readonly Lock _withheldAccess = new();
    private IommuEvent _withheld;
    private ulong _deviceMap;
    private ulong _domainMap;
    private ulong _misc;
    private int _errors;
    private int _interrupts;

    public VirtualIommu(ushort id, ViommuParts parts)
    {
        Id = id;
        Fetch = new(parts.Memory);
        _parts = parts;
        _registers = new(parts.RegisterRules);
        _registers[RegisterMap.Control] = ControlRegister.IommuEn.Mask; // not the hardware's to know (reading 92)
        _eventRing = new(LogRegisters.Event, new GuestRings(this, GuestRing.Event, parts), _registers, this);
        _pprRing = new(LogRegisters.Ppr, new GuestRings(this, GuestRing.Ppr, parts), _registers, this);
        Events = new(_eventRing, _registers, parts.Features);
        Pprs = new(_pprRing, _registers, parts.Mail);
        _ring = new(
            new(this, GuestRing.Command, parts), parts.Readers, _registers, parts.CommandRules, Events, this, boundsStores: false);
        _commands = new(this, _ring, Events, parts);
    }

    public ushort Id { get; }

    /// <summary>Its commands on their way.</summary>
    public GuestFetch Fetch { get; }

    /// <summary>The guest's event log.</summary>
    public EventLog Events { get; }

    /// <summary>The guest's PPR log.</summary>
    public PprLog Pprs { get; }

    /// <summary>Whether its commands wait for a turn; the scheduler's.</summary>
    public bool IsQueued { get; set; }

    /// <summary>Whether its ring has a command to execute.</summary>
    public bool HasWork => _ring.HasWork;

    /// <summary>Whether the guest takes page requests.</summary>
    public bool TakesPageRequests => _registers.IsSet(RegisterMap.Control, ControlRegister.PprEn);

    /// <summary>The device whose host table translates the guest's addresses; false while there is none (reading 93).</summary>
    public bool TryTranslateThrough(out DeviceId device)
    {
        device = new((uint)VfControlLayout.TranslateDevID.Get(Volatile.Read(ref _misc)));
        return device.Value != 0;
    }

    /// <summary>Marks an error source; true for the first of its errors since the host last mapped something for the guest.</summary>
    public bool IsFirstError(byte source) => (Interlocked.Or(ref _errors, 1 << source) & 1 << source) == 0;

    public void Raise(IommuInterrupt interrupt)
    {
        if (Interlocked.Or(ref _interrupts, (int)interrupt) == 0)
        {
            _parts.Interrupts.Add(this);
        }
    }

    /// <summary>The interrupts raised since the last call.</summary>
    public IommuInterrupt TakeInterrupts() => (IommuInterrupt)Interlocked.Exchange(ref _interrupts, 0);

    /// <summary>Keeps the newest event that the host was told of instead of the guest (reading 101).</summary>
    public void Withhold(in IommuEvent entry)
    {
        lock (_withheldAccess)
        {
            _withheld = entry;
        }
    }

    /// <summary>INSERT_GUEST_EVENT: what was withheld goes to the guest after all (reading 101).</summary>
    public void InsertWithheld()
    {
        IommuEvent entry;
        lock (_withheldAccess)
        {
            entry = _withheld;
            _withheld = default;
        }

        if (entry.Code != EventCode.None)
        {
            Events.Append(in entry);
        }
    }

    /// <summary>Executes at most so many of the guest's commands.</summary>
    public int RunTurn(int limit)
    {
        Fetch.Drop();
        return _commands.Run(limit);
    }

    /// <summary>How many bytes of commands stand in one piece from an offset of its ring to its tail.</summary>
    public ulong CommandsAhead(in RingGeometry ring, ulong offset)
    {
        ulong tail = ring.Reduce(_registers[RegisterMap.CommandTail]);
        return (tail > offset ? tail : ring.Length) - offset;
    }

    /// <summary>Reads the VF page: the guest's registers from 2000h on.</summary>
    public ulong ReadVf(ulong offset, int size) => _registers.Read(VfPage + offset, size);

    /// <summary>Writes the VF page, as the guest does.</summary>
    /// <returns>Whether that rings the bell of its command ring.</returns>
    public bool WriteVf(ulong offset, int size, ulong value)
    {
        RegisterEffect? effect = _registers.Write(VfPage + offset, size, value)?.Effect;
        switch (effect)
        {
            case RegisterEffect.CommandPointer:
                _ring.ReducePointers();
                break;
            case RegisterEffect.EventPointer:
                _eventRing.ReducePointers();
                break;
            case RegisterEffect.PprPointer:
                _pprRing.ReducePointers();
                break;
            case RegisterEffect.Status:
                _eventRing.Update();
                _pprRing.Update();
                break;
        }

        return effect == RegisterEffect.CommandPointer;
    }

    /// <summary>Reads a VF control register.</summary>
    public ulong ReadControl(int offset)
    {
        ulong value = offset switch
        {
            VfControlLayout.DeviceMap => _deviceMap,
            VfControlLayout.DomainMap => _domainMap,
            VfControlLayout.Misc => _misc,
            _ => 0,
        };
        foreach (var (at, field, register, guestField) in VfControlLayout.Fields)
        {
            value |= at == offset ? field.Of(guestField.Get(_registers[register])) : 0;
        }

        return value;
    }

    /// <summary>Writes a VF control register, as the host does.</summary>
    /// <param name="offset">Which.</param>
    /// <param name="value">All 64 bits.</param>
    public void WriteControl(int offset, ulong value)
    {
        if (offset <= VfControlLayout.Misc)
        {
            // The others follow the guest's own registers: a guest must not let itself be told of anew (reading 99).
            Volatile.Write(ref _errors, 0);
        }

        switch (offset)
        {
            case VfControlLayout.DeviceMap:
                _deviceMap = value & VfControlLayout.MapMask;
                Map(value, _parts.Ids.SetDevice);
                break;
            case VfControlLayout.DomainMap:
                _domainMap = value & VfControlLayout.MapMask;
                Map(value, _parts.Ids.SetDomain);
                break;
            case VfControlLayout.Misc:
                Volatile.Write(ref _misc, VfControlLayout.TranslateDevID.InPlace(value));
                break;
            default:
                WriteGuestRegisters(offset, value);
                break;
        }
    }

    /// <summary>RESET_VMMIO of the command buffer alone (reading 102).</summary>
    public void ResetCommands()
    {
        _registers.Clear(RegisterMap.Control, ControlRegister.CmdBufEn);
        _registers.Clear(RegisterMap.Control, ControlRegister.ComWaitIntEn);
        _registers.Clear(RegisterMap.Status, StatusRegister.ComWaitInt);
        _registers[RegisterMap.CommandBufferBase] = 0;
        _ring.Restart();
    }

    /// <summary>Nothing runs any more, for whoever still knows this guest; no interrupt of it is delivered.</summary>
    public void Retire()
    {
        _registers[RegisterMap.Control] = 0;
        UpdateRunBits();
        Interlocked.Exchange(ref _interrupts, 0);
    }

    private void Map(ulong value, Action<VirtualIommu, ushort, bool, ushort> set)
    {
        if (VfControlLayout.Write.IsSet(value))
        {
            set(
                this,
                (ushort)VfControlLayout.GuestId.Get(value),
                VfControlLayout.Valid.IsSet(value),
                (ushort)VfControlLayout.HostId.Get(value));
        }
    }

    /// <summary>A ring restarts when its place or length changes, and only then: the registers hold its enables too (reading 91).</summary>
    private void WriteGuestRegisters(int offset, ulong value)
    {
        ulong command = _registers[RegisterMap.CommandBufferBase];
        ulong events = _registers[RegisterMap.EventLogBase];
        ulong pprs = _registers[RegisterMap.PprLogBase];
        foreach (var (at, field, register, guestField) in VfControlLayout.Fields)
        {
            if (at == offset)
            {
                _registers[register] = guestField.With(_registers[register], field.Get(value));
            }
        }

        if (command != _registers[RegisterMap.CommandBufferBase])
        {
            _ring.Restart();
        }

        if (events != _registers[RegisterMap.EventLogBase])
        {
            _eventRing.Restart();
        }

        if (pprs != _registers[RegisterMap.PprLogBase])
        {
            _pprRing.Restart();
        }

        UpdateRunBits();
    }

    private void UpdateRunBits()
    {
        _ring.Update();
        _eventRing.Update();
        _pprRing.Update();
    }
}
