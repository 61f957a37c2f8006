using FastNest.Amd.Events;
using FastNest.Requests;

namespace FastNest.Cli.Captures;

/// <summary>One request with the answer that it must get.</summary>
/// <param name="Place">The file's name and the line.</param>
/// <param name="Request">What is asked.</param>
/// <param name="Spa">The full output address; null when it must be refused.</param>
/// <param name="Fault">What is certain about the refusal; null when nothing was recorded.</param>
/// <param name="Rule">The rule that the recorded machine broke; null when it kept to the architecture.</param>
internal sealed record RecordedRequest(string Place, TranslationRequest Request, ulong? Spa, RecordedFault? Fault, string? Rule)
{
    public string Expected => Spa is { } spa ? $"0x{spa:x}" : Fault?.ToString() ?? "refused";

    /// <summary>Whether an answer is the one that must be given.</summary>
    /// <param name="spa">The output address; null when refused.</param>
    /// <param name="entry">The event of a refusal.</param>
    public bool Agrees(ulong? spa, IommuEvent entry) => spa == Spa && (spa is not null || Fault is null || Fault.Agrees(entry));
}
