namespace FastNest.Requests;

/// <summary>What the address type field of a PCIe request says.</summary>
public enum RequestKind : byte
{
    /// <summary>A memory request with an untranslated address.</summary>
    Untranslated,

    /// <summary>
    /// An ATS translation request: no memory is touched, the answer says what the device may do at which address.
    /// </summary>
    Translation,

    /// <summary>A memory request whose address is one that an ATS answer gave.</summary>
    Translated,
}
