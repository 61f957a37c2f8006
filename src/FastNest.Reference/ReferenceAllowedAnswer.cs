using FastNest.Requests;

namespace FastNest.Reference;

/// <summary>What of an answer a device or software can tell.</summary>
/// <param name="OutputAddress">The full output address; null when refused.</param>
/// <param name="PageShift">log2 of the region that the answer holds for; 0 when refused.</param>
/// <param name="Permissions">What is granted; nothing when refused.</param>
/// <param name="IsMessage">Whether it is a write to the interrupt window.</param>
/// <param name="Event">The event of a refusal, before any suppression; null when there is none.</param>
public readonly record struct ReferenceAllowedAnswer(
    ulong? OutputAddress, int PageShift, Access Permissions, bool IsMessage, ReferenceEvent? Event)
{
    /// <summary>What can be told of an answer of the reference.</summary>
    /// <param name="answer">The answer.</param>
    public static ReferenceAllowedAnswer Of(ReferenceAnswer answer)
    {
        ArgumentNullException.ThrowIfNull(answer);
        return new(answer.OutputAddress, answer.PageShift, answer.Permissions, answer.IsMessage, answer.Event);
    }
}
