namespace FastNest.Engine;

/// <summary>What requests of one requester take with them into a batch: its context in little more than one cache line.</summary>
/// <param name="Who">The requester, as requests hold it; 0 for none.</param>
/// <param name="CheckedAt">The tick at which its context was last seen to be alive.</param>
/// <param name="Shape">What requests that are walked side by side must have in common: <see cref="LaneShape.Key"/>.</param>
/// <param name="Needs">What pages must grant.</param>
/// <param name="Tag">The tag of the first stage if there is one, else of the second.</param>
/// <param name="HostTag">The tag of the second stage.</param>
/// <param name="Root">The top table of the first stage.</param>
/// <param name="HostRoot">The top table of the second.</param>
/// <param name="Answers">What answers tell: see <see cref="LaneAnswers"/>.</param>
internal readonly record struct LaneRequester(
    ulong Who,
    ulong CheckedAt,
    ulong Shape,
    ulong Needs,
    ulong Tag,
    ulong HostTag,
    ulong Root,
    ulong HostRoot,
    ulong Answers);
