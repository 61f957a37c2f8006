namespace FastNest.Iommufd.Drivers;

/// <summary>How hardware reaches the memory of a queue.</summary>
internal enum QueueMemory
{
    /// <summary>By physical addresses: the pages are pinned and contiguous.</summary>
    Physical,

    /// <summary>By the VM's addresses, through the nest parent: nothing is pinned.</summary>
    Guest,
}
