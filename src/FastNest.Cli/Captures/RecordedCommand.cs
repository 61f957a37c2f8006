namespace FastNest.Cli.Captures;

/// <summary>One command that the recorded machine executed.</summary>
/// <param name="Line">The line in <c>commands.jsonl</c>.</param>
/// <param name="Order">Its place among accesses and commands.</param>
/// <param name="Head">Its byte offset in the ring.</param>
/// <param name="Bytes">Its sixteen bytes.</param>
internal sealed record RecordedCommand(int Line, long Order, ulong Head, CommandBytes Bytes)
{
    private const ulong EntrySize = 16;
    private const ulong LargestRing = EntrySize << 15;

    private static readonly string[] Required = ["n", "head", "tail", "ev"];

    public static List<RecordedCommand> ReadAll(string path) => CaptureFile.ReadLines(path, ReadOne);

    private static RecordedCommand ReadOne(ref StrictReader json)
    {
        const string expectedRaw = "32 hexadecimal digits";
        long order = 0;
        ulong head = 0;
        string command = "";
        CommandBytes? raw = null;
        var operands = new CommandOperands();
        HashSet<string> missing = [.. Required];
        json.BeginObject();
        while (json.NextField(out string name))
        {
            missing.Remove(name);
            switch (name)
            {
                case "n":
                    order = json.Number(long.MaxValue);
                    break;
                case "head":
                    head = Pointer(ref json);
                    break;
                case "tail":
                    Pointer(ref json);
                    break;
                case "ev":
                    command = json.Text("a command's name");
                    break;
                case "raw":
                    raw = CommandBytes.FromHex(json.Text(expectedRaw));
                    json.Require(raw is not null, expectedRaw);
                    break;
                case "devid":
                    operands = operands with { Device = json.Device() };
                    break;
                case "domid":
                    operands = operands with { Domain = json.Hex(16) };
                    break;
                case "store":
                    operands = operands with { Store = json.Hex(52) };
                    json.Require(operands.Store % 8 == 0, "an address that is a multiple of 8");
                    break;
                case "data":
                    operands = operands with { Data = json.Hex(64) };
                    break;
                default:
                    throw json.UnknownField("n, head, tail, ev, raw, devid, domid, store, data");
            }
        }

        if (missing.Count > 0)
        {
            throw json.Error($"expected the field \"{Required.First(missing.Contains)}\"");
        }

        CommandBytes bytes = raw
            ?? operands.Encode(command)
            ?? throw json.Error($"command \"{command}\": expected \"raw\", or one of {CommandOperands.Known} with its operands");
        return new(json.Line, order, head, bytes);
    }

    private static ulong Pointer(ref StrictReader json)
    {
        ulong pointer = json.Hex(64);
        json.Require(pointer % EntrySize == 0 && pointer < LargestRing, $"a multiple of {EntrySize} below 0x{LargestRing:x}");
        return pointer;
    }
}
