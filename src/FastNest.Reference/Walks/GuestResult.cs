using FastNest.Requests;

namespace FastNest.Reference.Walks;

/// <summary>A granted translation through the guest stage, and through the host stage beneath it.</summary>
internal sealed record GuestResult(ulong Spa, int Shift, Access Permissions, IReadOnlyList<ReferenceUpdate> Updates);
