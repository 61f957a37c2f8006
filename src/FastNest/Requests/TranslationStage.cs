namespace FastNest.Requests;

/// <summary>The part of a translation to which a fault belongs.</summary>
public enum TranslationStage : byte
{
    /// <summary>No table walk was under way.</summary>
    None,

    /// <summary>The first stage: the guest's tables, from device address to guest physical address.</summary>
    Guest,

    /// <summary>The second stage: the host's tables, to system physical address.</summary>
    Host,
}
