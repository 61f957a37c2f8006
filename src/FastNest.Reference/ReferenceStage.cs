namespace FastNest.Reference;

/// <summary>The part of a translation that an entry belongs to.</summary>
public enum ReferenceStage
{
    /// <summary>The device table.</summary>
    Device,

    /// <summary>The PASID table and the guest's own tables.</summary>
    Guest,

    /// <summary>The host's tables.</summary>
    Host,
}
