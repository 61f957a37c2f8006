using FastNest.Requests;

namespace FastNest.Caches;

/// <summary>A table met on the way down.</summary>
/// <param name="Address">Its address as entries name it: physical, or guest physical for a guest's table.</param>
/// <param name="Physical">Where it stands in memory.</param>
/// <param name="Level">Its level.</param>
/// <param name="Rights">What was gathered on the way to it.</param>
internal readonly record struct CachedTable(ulong Address, ulong Physical, byte Level, Access Rights);
