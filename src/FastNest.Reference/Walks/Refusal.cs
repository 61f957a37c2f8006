namespace FastNest.Reference.Walks;

/// <summary>A refusal: its event, if there is one, and the reason in words.</summary>
internal sealed record Refusal(ReferenceEvent? Event, string Verdict);
