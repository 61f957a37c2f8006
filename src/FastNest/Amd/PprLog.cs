using FastNest.Amd.Registers;
using FastNest.Rings;

namespace FastNest.Amd;

/// <summary>The registers of the PPR log; offered only on request, as nothing writes to the log yet.</summary>
internal sealed class PprLog(RegisterFile registers)
{
    private RingGeometry _ring;

    public void Restart()
    {
        registers[RegisterMap.PprHead] = 0;
        registers[RegisterMap.PprTail] = 0;
        Update();
    }

    public void ReducePointers()
    {
        registers[RegisterMap.PprHead] = _ring.Reduce(registers[RegisterMap.PprHead]);
        registers[RegisterMap.PprTail] = _ring.Reduce(registers[RegisterMap.PprTail]);
    }

    public void Update()
    {
        ulong control = registers[RegisterMap.Control];
        _ring = RingRegisters.Geometry(registers[RegisterMap.PprLogBase]);
        registers.Assign(
            RegisterMap.Status,
            StatusRegister.PprLogRun,
            ControlRegister.IommuEn.IsSet(control)
                && ControlRegister.PprLogEn.IsSet(control)
                && !registers.IsSet(RegisterMap.Status, StatusRegister.PprOverflow)
                && _ring.Length != 0);
    }
}
