using System.Buffers.Binary;
using System.Globalization;
using System.Text.Json;

namespace FastNest.Tests.Captures;

/// <summary>One case: memory, registers, and requests with their answers.</summary>
public sealed class CaptureFolder
{
    private const int HeaderBytes = 64;
    private const uint Loadable = 1;

    private CaptureFolder(string path) => Path = path;

    public string Path { get; }

    public static string Root => System.IO.Path.Combine(AppContext.BaseDirectory, "Captures", "Data");

    /// <summary>Every folder that was copied beside the tests.</summary>
    public static IEnumerable<string> Names => Directory.GetDirectories(Root).Select(d => System.IO.Path.GetFileName(d)).Order();

    public static CaptureFolder Open(string name) => new(System.IO.Path.Combine(Root, name));

    /// <summary>The runs of memory that exist: physical address and bytes.</summary>
    public IReadOnlyList<(ulong Address, byte[] Bytes)> Memory()
    {
        byte[] file = File.ReadAllBytes(System.IO.Path.Combine(Path, "memory.elf"));
        ulong table = Read64(file, 32);
        int entryBytes = BinaryPrimitives.ReadUInt16LittleEndian(file.AsSpan(54));
        int count = BinaryPrimitives.ReadUInt16LittleEndian(file.AsSpan(56));
        if (file.Length < HeaderBytes || Read64(file, 0) >> 32 != 0x00010102)
            throw new InvalidDataException("not a little-endian ELF64 file");
        List<(ulong, byte[])> runs = [];
        for (int i = 0; i < count; i++)
        {
            int header = (int)table + i * entryBytes;
            if (BinaryPrimitives.ReadUInt32LittleEndian(file.AsSpan(header)) != Loadable)
                continue;
            ulong offset = Read64(file, header + 8);
            ulong inFile = Read64(file, header + 32);
            byte[] bytes = new byte[Read64(file, header + 40)];
            file.AsSpan((int)offset, (int)inFile).CopyTo(bytes);
            runs.Add((Read64(file, header + 24), bytes));
        }

        return runs;
    }

    /// <summary>The registers while the machine was stopped, by offset.</summary>
    public IReadOnlyDictionary<ulong, ulong> Registers()
    {
        using JsonDocument json = JsonDocument.Parse(File.ReadAllBytes(System.IO.Path.Combine(Path, "registers.json")));
        return json.RootElement.GetProperty("regs").EnumerateObject().ToDictionary(r => Hex(r.Name), r => Hex(r.Value.GetString()!));
    }

    /// <summary>The requests with the architecture's answers.</summary>
    public IReadOnlyList<CapturedRequest> Requests() => Lines("requests.jsonl").Select(CapturedRequest.Parse).ToList();

    /// <summary>Requests that the recorded machine answered otherwise; their architectural answers.</summary>
    public IReadOnlyList<CapturedRequest> RecordedErrors() => Lines("recorded-errors.jsonl").Select(CapturedRequest.Parse).ToList();

    /// <summary>The driver's register accesses and the machine's commands, in one order.</summary>
    public IReadOnlyList<CapturedStep> Steps() => Lines("mmio.jsonl").Select(CapturedStep.Access)
        .Concat(Lines("commands.jsonl").Select(CapturedStep.Command))
        .OrderBy(s => s.Order)
        .ToList();

    internal static ulong Hex(string text) =>
        ulong.Parse(text.AsSpan(text.StartsWith("0x", StringComparison.Ordinal) ? 2 : 0), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture);

    private static ulong Read64(byte[] file, int offset) => BinaryPrimitives.ReadUInt64LittleEndian(file.AsSpan(offset));

    private IEnumerable<JsonElement> Lines(string name)
    {
        string file = System.IO.Path.Combine(Path, name);
        if (!File.Exists(file))
            yield break;
        foreach (string line in File.ReadLines(file))
        {
            using JsonDocument json = JsonDocument.Parse(line);
            yield return json.RootElement.Clone();
        }
    }
}
