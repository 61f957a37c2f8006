using System.Text.Json.Serialization;
using FastNest.Amd.Events;
using FastNest.Cli.Captures;
using FastNest.Cli.Replays;
using FastNest.Reference;
using FastNest.Requests;

namespace FastNest.Cli.Explanations;

/// <summary>The JSON form of an explanation: addresses and raw values as hexadecimal strings.</summary>
internal sealed record ExplanationJson(
    string Capture,
    string Device,
    uint? Pasid,
    string Iova,
    string Access,
    bool Privileged,
    IReadOnlyList<StepJson> Steps,
    string Verdict,
    AnswerJson Reference,
    IReadOnlyList<AnswerJson> Engine,
    bool Agrees)
{
    public static ExplanationJson Of(Explanation explanation)
    {
        TranslationRequest request = explanation.Request;
        return new(
            explanation.Capture,
            request.Device.ToString(),
            request.HasPasid ? request.Pasid : null,
            $"0x{request.Iova:x}",
            AccessWord.Of(request.Access),
            request.Privileged,
            [.. explanation.Reference.Steps.Select(StepJson.Of)],
            explanation.Reference.Verdict,
            AnswerJson.Of(null, explanation.Expected, null),
            [.. explanation.Engine.Select(given => AnswerJson.Of(given.By, given.Answer, given.Agrees))],
            explanation.AllAgree);
    }
}

/// <summary>One entry read.</summary>
internal sealed record StepJson(
    string Name,
    string Stage,
    int Level,
    string? Gpa,
    string Spa,
    IReadOnlyList<string> Raw,
    IReadOnlyDictionary<string, string> Fields,
    string Permissions,
    string Note)
{
    public static StepJson Of(ReferenceStep step) => new(
        step.Name,
        step.Stage.ToString().ToLowerInvariant(),
        step.Level,
        step.Gpa is { } gpa ? $"0x{gpa:x}" : null,
        $"0x{step.Spa:x}",
        [.. step.Raw.Select(quadword => $"0x{quadword:x16}")],
        step.Fields.ToDictionary(field => field.Name, field => $"0x{field.Value:x}"),
        AccessWord.Of(step.Permissions),
        step.Note);
}

/// <summary>One answer.</summary>
internal sealed record AnswerJson(
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] string? Strategy,
    string? Spa,
    int PageShift,
    string Permissions,
    bool Message,
    EventJson? Event,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] bool? Agrees)
{
    public static AnswerJson Of(string? strategy, Answer answer, bool? agrees) => new(
        strategy,
        answer.Spa is { } spa ? $"0x{spa:x}" : null,
        answer.PageShift,
        AccessWord.Of(answer.Permissions),
        answer.IsMessage,
        answer.Spa is null ? EventJson.Of(answer.Event) : null,
        agrees);
}

/// <summary>The event of a refusal.</summary>
internal sealed record EventJson(string Name, IReadOnlyDictionary<string, int> Flags, string Address, IReadOnlyList<string> Raw)
{
    public static EventJson Of(IommuEvent entry) => new(
        EventText.Name(entry.Code),
        EventFlag.All.ToDictionary(flag => flag.Name, flag => flag.Get(entry) ? 1 : 0),
        $"0x{entry.Word1:x}",
        [$"0x{entry.Word0:x16}", $"0x{entry.Word1:x16}"]);
}
