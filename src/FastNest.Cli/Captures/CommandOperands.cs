using FastNest.Requests;

namespace FastNest.Cli.Captures;

/// <summary>What a trace tells of a command whose bytes could not be sampled.</summary>
internal sealed record CommandOperands
{
    public const string Known = "completion_wait, devtab_inval, pages_inval, iotlb_inval, intr_inval, prefetch_pages, ppr_exec, all_inval";

    /// <summary>Every address (S=1, all address bits up to 62 set), directories too (PDE=1), as drivers send it.</summary>
    private const ulong WholeSpace = 0x7FFF_FFFF_FFFF_F003;

    private const ulong WholeSpaceOfDevice = 0x7FFF_FFFF_FFFF_F001;

    public DeviceId? Device { get; init; }

    public ulong? Domain { get; init; }

    public ulong? Store { get; init; }

    public ulong? Data { get; init; }

    /// <summary>Builds a command of this name; null when the name is unknown or an operand that decides is missing.</summary>
    public CommandBytes? Encode(string command) => command switch
    {
        "completion_wait" when Store is { } store && Data is { } data => new(Code(1) | store | 1, data),
        "devtab_inval" when Device is { } device => new(Code(2) | device.Value, 0),
        "pages_inval" when Domain is { } domain => new(Code(3) | domain << 32, WholeSpace),
        "iotlb_inval" => new(Code(4) | DeviceBits << 32 | DeviceBits, WholeSpaceOfDevice),
        "intr_inval" => new(Code(5) | DeviceBits, 0),
        "prefetch_pages" or "prefetch" => new(Code(6) | DeviceBits, 0),
        "ppr_exec" => new(Code(7) | DeviceBits, 0),
        "all_inval" => new(Code(8), 0),
        _ => null,
    };

    /// <summary>The device where the trace tells it; it decides nothing in these commands.</summary>
    private ulong DeviceBits => Device?.Value ?? 0;

    private static ulong Code(ulong opcode) => opcode << 60;
}
