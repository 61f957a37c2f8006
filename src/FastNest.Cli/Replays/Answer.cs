using FastNest.Amd;
using FastNest.Amd.Events;
using FastNest.Cli.Captures;
using FastNest.Reference;
using FastNest.Requests;

namespace FastNest.Cli.Replays;

/// <summary>An answer in the terms that the engine and the reference share.</summary>
/// <param name="Spa">The output address; null when refused.</param>
/// <param name="PageShift">log2 of the region for which it holds; 0 when refused.</param>
/// <param name="Permissions">What is granted.</param>
/// <param name="IsMessage">Whether it is an interrupt message.</param>
/// <param name="Event">The event of a refusal.</param>
internal readonly record struct Answer(ulong? Spa, int PageShift, Access Permissions, bool IsMessage, IommuEvent Event)
{
    public static Answer Of(in TranslationRequest request, in TranslationResult result) => new(
        result.Succeeded ? result.Address : null,
        result.PageShift,
        result.Permissions,
        result.IsMessage,
        AmdIommu.Describe(in request, in result));

    public static Answer Of(ReferenceAnswer answer) => new(
        answer.OutputAddress,
        answer.PageShift,
        answer.Permissions,
        answer.IsMessage,
        answer.Event is { } entry ? new(entry.Low, entry.High) : default);

    public override string ToString()
    {
        if (Spa is not { } spa)
        {
            return "refused: " + EventText.Describe(Event);
        }

        string kind = IsMessage ? "interrupt message" : $"{AccessWord.Of(Permissions)} within {PageText.Size(PageShift)}";
        return $"0x{spa:x}, {kind}";
    }
}
