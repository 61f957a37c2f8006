using System.Buffers.Binary;
using System.Text.Json;

namespace FastNest.Tests.Captures;

/// <summary>A register access of the driver, or a command that the machine executed.</summary>
public sealed class CapturedStep
{
    public required long Order { get; init; }

    /// <summary>Whether this is a command; else it is a register access.</summary>
    public bool IsCommand { get; init; }

    public bool IsWrite { get; init; }

    public ulong Offset { get; init; }

    public int Size { get; init; }

    public ulong Value { get; init; }

    /// <summary>Where the command stood in the ring.</summary>
    public ulong Head { get; init; }

    /// <summary>The recorder's name of the command.</summary>
    public string Name { get; init; } = "";

    /// <summary>The command's two quadwords where they could be sampled.</summary>
    public (ulong Low, ulong High)? Raw { get; init; }

    /// <summary>The line itself.</summary>
    public required string Line { get; init; }

    internal static CapturedStep Access(JsonElement line) => new()
    {
        Order = line.GetProperty("n").GetInt64(),
        IsWrite = line.GetProperty("op").GetString() == "w",
        Offset = CaptureFolder.Hex(line.GetProperty("off").GetString()!),
        Size = line.GetProperty("size").GetInt32(),
        Value = CaptureFolder.Hex(line.GetProperty("val").GetString()!),
        Line = line.GetRawText(),
    };

    internal static CapturedStep Command(JsonElement line)
    {
        (ulong, ulong)? raw = null;
        if (line.TryGetProperty("raw", out JsonElement text) && text.ValueKind == JsonValueKind.String)
        {
            byte[] bytes = Convert.FromHexString(text.GetString()!);
            raw = (BinaryPrimitives.ReadUInt64LittleEndian(bytes), BinaryPrimitives.ReadUInt64LittleEndian(bytes.AsSpan(8)));
        }

        return new()
        {
            Order = line.GetProperty("n").GetInt64(),
            IsCommand = true,
            Head = CaptureFolder.Hex(line.GetProperty("head").GetString()!),
            Name = line.GetProperty("ev").GetString()!,
            Raw = raw,
            Line = line.GetRawText(),
        };
    }
}
