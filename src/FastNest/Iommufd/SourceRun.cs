using FastNest.Memory;

namespace FastNest.Iommufd;

/// <summary>Pages that follow each other in one region of physical memory.</summary>
internal readonly record struct SourceRun(ulong Physical, ulong Pages, MemoryRegion Region);
