namespace FastNest.Engine;

/// <summary>What becomes of a device's interrupt messages.</summary>
internal enum MessagePolicy : byte
{
    /// <summary>They pass.</summary>
    Forward,

    /// <summary>They are refused, or the part of the context entry that governs them is malformed.</summary>
    Refuse,
}
