using FastNest.Amd.Commands;
using FastNest.Amd.Pprs;
using FastNest.Amd.Registers;
using FastNest.Memory;
using FastNest.Requests;

namespace FastNest.Amd.Viommu;

/// <summary>What every guest of one IOMMU shares.</summary>
/// <param name="Iommu">The IOMMU's own device, whose host table translates private addresses.</param>
/// <param name="Host">The host's registers.</param>
/// <param name="Features">What guests' hardware offers.</param>
/// <param name="Memory">Memory behind host tables.</param>
/// <param name="Readers">Whom a COMPLETION_WAIT waits for.</param>
/// <param name="Errors">What the host is told.</param>
/// <param name="Effects">What commands do.</param>
/// <param name="Mail">Answers to devices.</param>
/// <param name="Interrupts">Interrupts on their way to guests.</param>
internal sealed record ViommuParts(
    DeviceId Iommu,
    RegisterFile Host,
    IommuFeatures Features,
    ViommuMemory Memory,
    ReadSections Readers,
    HostErrors Errors,
    CommandEffects Effects,
    DeviceMail Mail,
    GuestInterruptQueue Interrupts)
{
    /// <summary>What guests may do to their registers.</summary>
    public RegisterRules RegisterRules { get; } = new(Features);

    /// <summary>Which of a guest's commands are legal.</summary>
    public CommandRules CommandRules { get; } = new(Features);

    /// <summary>The ids of guests.</summary>
    public IdMap Ids { get; } = new(Memory, Errors, Iommu);

    /// <summary>GstBufferTRPMode.</summary>
    public bool RingsAreGuestPhysical => Host.IsSet(RegisterMap.Control, ControlRegister.GstBufferTRPMode);

    /// <summary>Whether guests have logs of their own (reading 92).</summary>
    public bool ServesGuests => Host.IsSet(RegisterMap.Control, ControlRegister.ViommuEn);

    /// <summary>Whether guests' commands are executed (reading 92).</summary>
    public bool RunsCommands => ServesGuests && Host.IsSet(RegisterMap.Control, ControlRegister.IommuEn)
        && Host.IsSet(RegisterMap.Control, ControlRegister.VCmdEn);
}
