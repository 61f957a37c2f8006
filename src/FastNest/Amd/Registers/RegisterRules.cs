namespace FastNest.Amd.Registers;

/// <summary>What software may do to each register, given the features offered. Immutable, by slot.</summary>
internal sealed class RegisterRules
{
    private readonly ulong _segmentLimit;

    public RegisterRules(IommuFeatures features)
    {
        foreach (Register register in RegisterMap.All)
        {
            if (!register.IsOffered(features))
            {
                continue;
            }

            int slot = RegisterMap.Slot(register.Offset);
            int shift = register.Offset % sizeof(ulong) * 8;
            Reset[slot] |= register.Reset << shift;
            Writable[slot] |= register.Writable << shift;
            WriteOneToClear[slot] |= register.WriteOneToClear << shift;
        }

        Writable[RegisterMap.Slot(RegisterMap.Control.Offset)] = features.WritableControl();
        _segmentLimit = features.Get(ExtendedFeature.DevTblSegSup);
        Reset[RegisterMap.Slot(RegisterMap.ExtendedFeatures.Offset)] = features.ExtendedFeatures;
        Reset[RegisterMap.Slot(RegisterMap.ExtendedFeatures2.Offset)] = features.ExtendedFeatures2;
    }

    public ulong[] Reset { get; } = new ulong[RegisterMap.Slots];

    public ulong[] Writable { get; } = new ulong[RegisterMap.Slots];

    public ulong[] WriteOneToClear { get; } = new ulong[RegisterMap.Slots];

    /// <summary>More segments than are offered count as one (reading 52).</summary>
    public ulong WithLegalSegments(ulong control) =>
        ControlRegister.DevTblSegEn.Get(control) > _segmentLimit ? ControlRegister.DevTblSegEn.With(control, 0) : control;
}
