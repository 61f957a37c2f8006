using FastNest.Amd.Registers;
using FastNest.Layouts;

namespace FastNest.Cli.Vms;

/// <summary>A VM's registers with their names, and how often they were used.</summary>
/// <param name="vm">The VM.</param>
internal sealed class CountedRegisters(VirtualMachine vm)
{
    /// <summary>Reads and writes so far.</summary>
    public int Accesses { get; private set; }

    public ulong Read(Register register, int size)
    {
        Accesses++;
        return vm.Read((ulong)register.Offset, size);
    }

    public void Write(Register register, int size, ulong value)
    {
        Accesses++;
        vm.Write((ulong)register.Offset, size, value);
    }

    /// <summary>Writes the lower half of a register, then the upper.</summary>
    public void WriteHalves(Register register, ulong value)
    {
        Accesses += 2;
        vm.Write((ulong)register.Offset, sizeof(uint), (uint)value);
        vm.Write((ulong)register.Offset + sizeof(uint), sizeof(uint), value >> 32);
    }

    /// <summary>Reads Control and writes it with one field changed.</summary>
    public void Change(BitField field, ulong value) =>
        Write(RegisterMap.Control, sizeof(ulong), field.With(Read(RegisterMap.Control, sizeof(ulong)), value));
}
