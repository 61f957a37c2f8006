namespace FastNest.Fuzz.Targets;

/// <summary>An input that a target could not take.</summary>
/// <param name="Target">The target.</param>
/// <param name="Input">The input, made as short as was quickly possible.</param>
/// <param name="Message">What was thrown.</param>
public sealed record FuzzFinding(string Target, ReadOnlyMemory<byte> Input, string Message);
