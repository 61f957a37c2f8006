using FastNest.Requests;

namespace FastNest.Engine;

/// <summary>A second stage: from guest physical, or for a device without guest tables from device addresses, to memory.</summary>
internal struct HostSpace
{
    /// <summary>The physical address of the top table.</summary>
    public ulong Root;

    /// <summary>Tags what is cached of it.</summary>
    public uint Tag;

    /// <summary>The domain that invalidations name.</summary>
    public ushort Domain;

    /// <summary>The level of the top table; 0 when the stage leaves addresses as they are.</summary>
    public byte Levels;

    /// <summary>What the context itself permits.</summary>
    public Access Permissions;

    public MarkPolicy Marks;
}
