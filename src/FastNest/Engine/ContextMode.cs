namespace FastNest.Engine;

/// <summary>How the requests of a device are treated.</summary>
internal enum ContextMode : byte
{
    /// <summary>Refused, for the reason in the context.</summary>
    Refused,

    /// <summary>Passed on untranslated and unchecked.</summary>
    PassThrough,

    /// <summary>Translated by the host stage alone; with no levels, addresses stay as they are.</summary>
    Host,

    /// <summary>Translated by the guest stage over the host stage.</summary>
    Nested,
}
