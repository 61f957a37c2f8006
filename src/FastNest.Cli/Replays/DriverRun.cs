namespace FastNest.Cli.Replays;

/// <summary>A run of pages that a driver needs.</summary>
/// <param name="Start">Its physical address, a multiple of 4096.</param>
/// <param name="Length">Bytes, a multiple of 4096.</param>
internal readonly record struct DriverRun(ulong Start, ulong Length);
