using FastNest.Requests;

namespace FastNest.Walks;

/// <summary>Why a walk stopped short.</summary>
/// <param name="Reason"><see cref="FaultReason.None"/> when it did not.</param>
/// <param name="Stage">Whose fault it is.</param>
/// <param name="Address">The address the fault is about, in that stage's input, or a physical one for an unreadable entry.</param>
/// <param name="Attempted">What was being done.</param>
internal readonly record struct WalkFault(FaultReason Reason, TranslationStage Stage, ulong Address, Access Attempted);
