using FastNest.Reference.Registers;
using FastNest.Reference.Rings;

namespace FastNest.Reference.Viommu;

/// <summary>One guest's registers, rings and logs (sections 8.3 and 8.4).</summary>
internal sealed class Guest
{
    private const int Misc = 2;
    private static readonly ulong Map = Bits.Bit(0) | Bits.Mask(29, 14) | Bits.Mask(61, 46);
    private static readonly ulong Base = Bits.Mask(51, 12);

    /// <summary>What each VF control register keeps: DevID map, DomID map, misc, event B, command, event, PPR, PPR B.</summary>
    private static readonly ulong[] Kept =
    [
        Map, Map, Bits.Mask(31, 16), Base, Base | Bits.Mask(9, 8) | Bits.Mask(3, 0), Base | Bits.Mask(11, 0),
        Bits.Mask(55, 16) | Bits.Mask(15, 0), Base,
    ];

    private readonly ulong[] _control = new ulong[8];
    private readonly RegisterFile _registers = new(irtCacheDisSticks: false, gstBufferTrpModeSticks: false);
    private readonly RingRegisters _commandRing;
    private readonly RingRegisters _eventRing;
    private readonly RingRegisters _pprRing;
    private readonly RegisterFront _front;

    public Guest(ushort id, GuestService service, HostReach reach)
    {
        Id = id;
        _registers.Set(RegisterMap.ExtendedFeature, service.GuestFeatures);
        _registers.Set(RegisterMap.ControlOffset, 1); // reading 92
        _commandRing = new(_registers, RegisterMap.CommandBufferBase, RegisterMap.CmdBufHead, RegisterMap.CmdBufTail);
        _eventRing = new(_registers, RegisterMap.EventLogBase, RegisterMap.EventLogHead, RegisterMap.EventLogTail);
        _pprRing = new(_registers, RegisterMap.PprLogBase, RegisterMap.PprLogHead, RegisterMap.PprLogTail);
        GuestMemory events = new(
            this, service, reach, 0x40_0000_0000, () => _eventRing.Base, isLog: true, (_, _) => service.LogOutOfReach(this, source: 2));
        GuestMemory pprs = new(
            this, service, reach, 0x30_0000_0000, () => _pprRing.Base, isLog: true, (_, _) => service.LogOutOfReach(this, source: 3));
        GuestMemory commands = new(
            this, service, reach, 0x28_0000_0000, () => _commandRing.Base, isLog: false,
            (address, isStore) => service.RingOutOfReach(this, address, isStore));
        Events = new(events, _registers, _eventRing, Interrupts);
        Pprs = new(pprs, _registers, _pprRing, Interrupts);
        Commands = new(this, service, commands, _registers, _commandRing, Events, service.Executed, service.Responses, Interrupts);
        _front = new(_registers, _commandRing, _eventRing, _pprRing, Commands, Events, Pprs);
    }

    public ushort Id { get; }

    public List<ReferenceInterrupt> Interrupts { get; } = [];

    public EventLog Events { get; }

    public PprLog Pprs { get; }

    public GuestCommandRing Commands { get; }

    public Control Control => _registers.Control;

    /// <summary>The code of an automatic answer, 2080h.</summary>
    public int AutoResponse => (int)Bits.Field(_registers.Get(0x2080), 3, 0);

    /// <summary>The error sources that the host has been told of. // reading 99</summary>
    public HashSet<int> Told { get; } = [];

    /// <summary>The newest page fault that the host was told of instead. // reading 101</summary>
    public ReferenceEvent? Withheld { get; set; }

    // reading 93
    public ushort? TranslateDevice => Bits.Field(_control[Misc], 31, 16) is not 0 and var device ? (ushort)device : null;

    public ulong ReadVf(ulong offset, int size) => _front.Read(0x2000 + offset, size);

    public void WriteVf(ulong offset, int size, ulong value) => _front.Write(0x2000 + offset, size, value);

    public ulong ReadControl(int index) => _control[index];

    /// <summary>Writes a VF control register.</summary>
    /// <returns>The map entry to be written, if there is one.</returns>
    public (ushort GuestId, ushort HostId, bool Valid)? WriteControl(int index, ulong value)
    {
        _control[index] = value & Kept[index];
        if (index <= Misc)
        {
            Told.Clear();
            return index < Misc && Bits.IsSet(value, 63)
                ? ((ushort)Bits.Field(value, 61, 46), (ushort)Bits.Field(value, 29, 14), Bits.IsSet(value, 0))
                : null;
        }

        SetBase(_commandRing, _control[4] & Base, Bits.Field(_control[4], 3, 0));
        SetBase(_eventRing, _control[5] & Base, Bits.Field(_control[5], 3, 0));
        SetBase(_pprRing, (_control[6] >> 4) & Base, Bits.Field(_control[6], 3, 0)); // trap 33
        ulong control = 1;
        Move(4, 8, 12);
        Move(4, 9, 4);
        Move(5, 8, 2);
        Move(5, 9, 3);
        Move(6, 8, 13);
        Move(6, 9, 14);
        Move(6, 10, 15);
        Move(6, 13, 39);
        Move(6, 15, 42);
        _registers.Set(RegisterMap.ControlOffset, control);
        Commands.ControlWritten();
        Events.ControlWritten();
        Pprs.ControlWritten();
        return null;

        void Move(int from, int bit, int to) => control |= Bits.Put(Bits.IsSet(_control[from], bit), to);
    }

    // RESET_VMMIO with vCmd alone. // reading 102
    public void ResetCommands()
    {
        WriteControl(4, 0);
        _commandRing.Head = _commandRing.Tail = 0;
        _registers.StatusBits &= ~Bits.Bit(2);
    }

    // reading 91
    private void SetBase(RingRegisters ring, ulong address, ulong code)
    {
        ulong value = address | code << 56;
        if (_registers.Get(ring.BaseOffset) == value)
            return;
        _registers.Set(ring.BaseOffset, value);
        ring.Head = ring.Tail = 0;
    }
}
