using FastNest.Requests;

namespace FastNest.Caches;

/// <summary>A page as the tables map it, before the context's own permissions.</summary>
/// <param name="Output">The output address, aligned to the page's size.</param>
/// <param name="Shift">log2 of its size, 12 to 63.</param>
/// <param name="Permissions">What the tables permit.</param>
internal readonly record struct IotlbPage(ulong Output, byte Shift, Access Permissions);
