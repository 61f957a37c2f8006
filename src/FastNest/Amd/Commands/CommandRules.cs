using FastNest.Amd.Registers;

namespace FastNest.Amd.Commands;

/// <summary>Which commands are legal, given the features offered (reading 46).</summary>
internal sealed class CommandRules
{
    private readonly ulong[] _reserved0 = new ulong[16];
    private readonly ulong[] _reserved1 = new ulong[16];

    public CommandRules(IommuFeatures features)
    {
        Array.Fill(_reserved0, ulong.MaxValue);
        foreach ((Opcode opcode, Layouts.BitField? feature, Layouts.BitLayout layout) in CommandLayout.Commands)
        {
            if (feature is null || features.Has(feature.Value))
            {
                _reserved0[(int)opcode] = layout.Reserved(0);
                _reserved1[(int)opcode] = layout.Reserved(1);
            }
        }

        if (!features.Has(ExtendedFeature.InvIotlbTypeSup))
        {
            _reserved1[(int)Opcode.InvalidateIotlbPages] |= CommandLayout.InvalidationType.Mask;
        }
    }

    /// <summary>An opcode that is not offered has every bit reserved, of which its own is set (opcode 0 has a rule of its own).</summary>
    public bool IsLegal(in Command command)
    {
        int opcode = (int)command.Opcode;
        return opcode != 0 && (command.Word0 & _reserved0[opcode]) == 0 && (command.Word1 & _reserved1[opcode]) == 0;
    }
}
