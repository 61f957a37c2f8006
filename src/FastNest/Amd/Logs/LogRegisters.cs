using FastNest.Amd.Registers;
using FastNest.Layouts;

namespace FastNest.Amd.Logs;

/// <summary>The registers and bits by which software and hardware share one log.</summary>
/// <param name="Base">Where the ring lies.</param>
/// <param name="Head">Software's pointer.</param>
/// <param name="Tail">Hardware's pointer.</param>
/// <param name="Enable">Control: the log is wanted.</param>
/// <param name="InterruptEnable">Control: it may interrupt.</param>
/// <param name="Run">Status: it runs.</param>
/// <param name="Overflow">Status: an entry was lost.</param>
/// <param name="Arrival">Status: an entry was written.</param>
/// <param name="Interrupt">How it interrupts.</param>
internal sealed record LogRegisters(
    Register Base,
    Register Head,
    Register Tail,
    BitField Enable,
    BitField InterruptEnable,
    BitField Run,
    BitField Overflow,
    BitField Arrival,
    IommuInterrupt Interrupt)
{
    public static LogRegisters Event { get; } = new(
        RegisterMap.EventLogBase,
        RegisterMap.EventHead,
        RegisterMap.EventTail,
        ControlRegister.EventLogEn,
        ControlRegister.EventIntEn,
        StatusRegister.EventLogRun,
        StatusRegister.EventOverflow,
        StatusRegister.EventLogInt,
        IommuInterrupt.EventLog);

    public static LogRegisters Ppr { get; } = new(
        RegisterMap.PprLogBase,
        RegisterMap.PprHead,
        RegisterMap.PprTail,
        ControlRegister.PprLogEn,
        ControlRegister.PprIntEn,
        StatusRegister.PprLogRun,
        StatusRegister.PprOverflow,
        StatusRegister.PprInt,
        IommuInterrupt.PprLog);
}
