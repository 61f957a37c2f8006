using FastNest.Layouts;

namespace FastNest.Amd.Registers;

/// <summary>
/// The values behind the MMIO space. Software's accesses are serialised by the caller; hardware's own changes, from
/// whichever thread they come, are atomic per register.
/// </summary>
internal sealed class RegisterFile
{
    private readonly ulong[] _values;
    private readonly RegisterRules _rules;

    /// <summary>Makes registers in their reset state.</summary>
    /// <param name="features">What is offered.</param>
    public RegisterFile(IommuFeatures features)
        : this(new RegisterRules(features))
    {
    }

    /// <summary>Makes registers in their reset state.</summary>
    /// <param name="rules">What software may do to them; many files may share them.</param>
    public RegisterFile(RegisterRules rules)
    {
        _rules = rules;
        _values = [.. rules.Reset];
    }

    /// <summary>A 64-bit register as hardware sees it.</summary>
    public ulong this[Register register]
    {
        get => Volatile.Read(ref Slot(register));
        set => Volatile.Write(ref Slot(register), value);
    }

    public bool IsSet(Register register, BitField field) => field.IsSet(this[register]);

    public void Set(Register register, BitField field) => Interlocked.Or(ref Slot(register), field.Mask);

    public void Clear(Register register, BitField field) => Interlocked.And(ref Slot(register), ~field.Mask);

    public void Assign(Register register, BitField field, bool value)
    {
        if (value)
        {
            Set(register, field);
        }
        else
        {
            Clear(register, field);
        }
    }

    /// <summary>What software reads: 0 for a reserved offset or an access that is not 1, 2, 4 or 8 aligned bytes (reading 53).</summary>
    public ulong Read(ulong offset, int size)
    {
        if (!RegisterLanes.IsAccess(offset, size, RegisterMap.Aperture))
        {
            return 0;
        }

        return RegisterLanes.Extract(Volatile.Read(ref _values[RegisterMap.Slot((int)offset)]), offset, size);
    }

    /// <summary>Takes a write of software; bits that it may not change stay.</summary>
    /// <returns>The register written, null if the write had no effect.</returns>
    public Register? Write(ulong offset, int size, ulong value)
    {
        if (!RegisterLanes.IsAccess(offset, size, RegisterMap.Aperture)
            || RegisterMap.At((int)offset) is not { } register
            || (register.LockedBy is { } run && IsSet(RegisterMap.Status, run)))
        {
            return null;
        }

        value = RegisterLanes.Place(value, offset, size);
        int index = RegisterMap.Slot((int)offset);
        ref ulong slot = ref _values[index];
        ulong writable = _rules.Writable[index] & RegisterLanes.Mask(offset, size);
        if (writable != 0)
        {
            // Hardware changes no bit that software may write, so nothing is lost between the read and the write.
            ulong merged = (Volatile.Read(ref slot) & ~writable) | (value & writable);
            Volatile.Write(ref slot, register == RegisterMap.Control ? _rules.WithLegalSegments(merged) : merged);
        }

        Interlocked.And(ref slot, ~(value & _rules.WriteOneToClear[index]));
        return register;
    }

    /// <summary>
    /// Puts in what a stopped machine's register held. Readings 52 and 59 hold for that too: where software writes a register
    /// whole, bits that it could not have set do nothing.
    /// </summary>
    public void Restore(Register register, ulong value)
    {
        if (register == RegisterMap.Control || (register.Writable != 0 && register.Width == sizeof(ulong)))
        {
            value &= _rules.Writable[RegisterMap.Slot(register.Offset)];
        }

        this[register] = register == RegisterMap.Control ? _rules.WithLegalSegments(value) : value;
    }

    private ref ulong Slot(Register register) => ref _values[RegisterMap.Slot(register.Offset)];
}
