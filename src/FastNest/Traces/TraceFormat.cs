namespace FastNest.Traces;

/// <summary>The constants of the format; README.md beside this file describes it.</summary>
internal static class TraceFormat
{
    public const ushort Version = 1;

    /// <summary>Bytes of one memory record.</summary>
    public const int MaximumBytes = 1 << 20;

    /// <summary>Requests of one record; a multiple of what a port translates between two looks at the invalidations.</summary>
    public const int MaximumRequests = 1 << 16;

    public const int MaximumTurn = 1 << 20;

    public const int PageShift = 12;

    public static ReadOnlySpan<byte> Magic => "FNTRACE\u001a"u8;

    public static ulong ZigZag(long value) => (ulong)(value << 1 ^ value >> 63);

    public static long UnZigZag(ulong value) => (long)(value >> 1) ^ -(long)(value & 1);

    /// <summary>Bytes that a number takes.</summary>
    public static int LengthOf(ulong value) => (70 - (int)ulong.LeadingZeroCount(value | 1)) / 7;
}

/// <summary>The low four bits of a record's first byte.</summary>
internal enum TraceKind : byte
{
    End,
    RegionAdded,
    RegionRemoved,
    RegisterRead,
    RegisterWritten,
    RegisterRestored,
    MemoryWords,
    MemoryBytes,
    PortOpened,
    PortClosed,
    Requests,
    PageRequested,
    GuestsRun,
    DirtyTaken,
    DeviceAnswered,
    MemoryHashed,
}
