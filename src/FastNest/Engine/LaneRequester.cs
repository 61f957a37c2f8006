namespace FastNest.Engine;

/// <summary>What requests of one requester take with them into a batch.</summary>
/// <param name="Who">The requester, as requests hold it.</param>
/// <param name="Bound">What is needed where everything is known; see <see cref="LaneBound"/>.</param>
/// <param name="Roots">The top tables, for walks.</param>
internal readonly record struct LaneRequester(ulong Who, ulong Bound, LaneRoots Roots);

/// <summary>The top tables of the first stage and of the second.</summary>
internal readonly record struct LaneRoots(ulong First, ulong Second);
