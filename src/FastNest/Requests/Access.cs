namespace FastNest.Requests;

/// <summary>What a request does to memory, or what a translation permits.</summary>
[Flags]
public enum Access : byte
{
    /// <summary>Nothing.</summary>
    None = 0,

    /// <summary>Reads memory.</summary>
    Read = 1,

    /// <summary>Writes memory.</summary>
    Write = 2,

    /// <summary>Fetches instructions; needs read permission as well.</summary>
    Execute = 4,

    /// <summary>Reads and writes.</summary>
    ReadWrite = Read | Write,

    /// <summary>Every kind.</summary>
    All = Read | Write | Execute,
}
