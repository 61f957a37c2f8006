namespace FastNest.Caches;

/// <summary>Which tables a tag stands for: each stage's root with its level in the low bits; 0 without that stage.</summary>
internal readonly record struct TableRoots(ulong Host, ulong Guest);
