namespace FastNest.Cli.Replays;

/// <summary>The registers and bits that a replay of a driver looks at (48882 section 3.4).</summary>
internal static class DriverRegister
{
    public const ulong CommandBase = 0x0008;
    public const ulong EventBase = 0x0010;
    public const ulong Control = 0x0018;
    public const ulong PprBase = 0x0038;
    public const ulong GALogBase = 0x00E0;
    public const ulong PprBaseB = 0x00F0;
    public const ulong EventBaseB = 0x00F8;
    public const ulong CommandHead = 0x2000;
    public const ulong CommandTail = 0x2008;
    public const ulong EventHead = 0x2010;
    public const ulong EventTail = 0x2018;
    public const ulong Status = 0x2020;

    public const ulong IommuEn = 1UL << 0;
    public const ulong CmdBufEn = 1UL << 12;
    public const ulong IrtCacheDis = 1UL << 59;
    public const ulong GstBufferTrpMode = 1UL << 60;

    public const ulong CmdBufRun = 1UL << 4;

    public const ulong EntrySize = 16;

    /// <summary>The base registers of every ring.</summary>
    public static readonly ulong[] Bases = [CommandBase, EventBase, PprBase, GALogBase, PprBaseB, EventBaseB];

    public static ulong RingAddress(ulong baseRegister) => baseRegister & 0x000F_FFFF_FFFF_F000;

    /// <summary>The ring's length in bytes; 0 when its code is reserved.</summary>
    public static ulong RingLength(ulong baseRegister)
    {
        int code = (int)(baseRegister >> 56 & 0xF);
        return code < 8 ? 0 : EntrySize << code;
    }
}
