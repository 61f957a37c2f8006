using FastNest.Reference.Registers;

namespace FastNest.Reference.History;

/// <summary>The registers that requests depend on, at every time that one of them was written.</summary>
internal sealed class RegisterVersions(RegisterFile start)
{
    // GTEn, DevTblSegEn, HADUpdate, GDUpdateDis, GAUpdateDis, GCR3TRPMode.
    private static readonly ulong ControlOfWalks =
        Bits.Bit(16) | Bits.Mask(36, 34) | Bits.Mask(47, 46) | Bits.Bit(48) | Bits.Bit(54) | Bits.Bit(58);

    private readonly List<(int From, RegisterFile Registers)> _versions = [(0, start)];

    public RegisterFile Current => _versions[^1].Registers;

    public static bool Matters(ulong offset) => offset
        is RegisterMap.DeviceTableBase or RegisterMap.ControlOffset or RegisterMap.ExclusionBase or RegisterMap.ExclusionLimit
        or RegisterMap.ExtendedFeature or RegisterMap.ExtendedFeature2
        or (>= RegisterMap.DeviceTableSegment1 and <= 0x0130);

    /// <summary>A copy of the current registers that counts from <paramref name="time"/> on.</summary>
    public RegisterFile Next(int time)
    {
        _versions.Add((time, Current.Copy()));
        return Current;
    }

    public IEnumerable<(int From, int Until, RegisterFile Registers)> All()
    {
        for (int i = 0; i < _versions.Count; i++)
            yield return (_versions[i].From, i + 1 < _versions.Count ? _versions[i + 1].From : int.MaxValue, _versions[i].Registers);
    }

    /// <summary>What tells two versions apart once the device table entry is known.</summary>
    public static (ulong Control, ulong ExclusionBase, ulong ExclusionLimit, Features Features) Key(RegisterFile registers) => (
        registers.Control.Value & ControlOfWalks,
        registers.Get(RegisterMap.ExclusionBase),
        registers.Get(RegisterMap.ExclusionLimit),
        registers.Features);
}
