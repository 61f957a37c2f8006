namespace FastNest.Engine;

/// <summary>What requests that are walked side by side must have in common.</summary>
/// <param name="Mode">Host or nested.</param>
/// <param name="GuestLevels">Levels of the first stage.</param>
/// <param name="HostLevels">Levels of the second.</param>
/// <param name="GuestMarks">What is marked in the first stage.</param>
/// <param name="HostMarks">What is marked in the second.</param>
/// <param name="SignExtended">Whether addresses are sign-extended.</param>
/// <param name="ReadExecutes">Whether what can be read of the first stage can be fetched.</param>
internal readonly record struct LaneShape(
    ContextMode Mode,
    byte GuestLevels,
    byte HostLevels,
    MarkPolicy GuestMarks,
    MarkPolicy HostMarks,
    bool SignExtended,
    bool ReadExecutes)
{
    public static LaneShape Of(in TranslationContext context) => context.Mode == ContextMode.Nested
        ? new(
            context.Mode,
            context.Guest.Levels,
            context.Host.Levels,
            context.Guest.Marks,
            context.Host.Marks,
            context.Guest.SignExtended,
            !context.Guest.EnforcesExecute)
        : new(context.Mode, 0, context.Host.Levels, MarkPolicy.None, context.Host.Marks, false, false);

    /// <summary>How many bits a <see cref="Key"/> has.</summary>
    public const int KeyBits = 14;

    /// <summary>As one number, not 0, for a comparison per request.</summary>
    public ulong Key =>
        (ulong)Mode << 12 | (ulong)GuestLevels << 9 | (ulong)HostLevels << 6 | (ulong)GuestMarks << 4 | (ulong)HostMarks << 2
        | (SignExtended ? 2UL : 0) | (ReadExecutes ? 1UL : 0);
}
