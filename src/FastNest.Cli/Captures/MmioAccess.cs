using FastNest.Amd;

namespace FastNest.Cli.Captures;

/// <summary>One access of the driver to a register.</summary>
/// <param name="Line">The line in <c>mmio.jsonl</c>.</param>
/// <param name="Order">Its place among accesses and commands.</param>
/// <param name="IsWrite">Whether it is a write.</param>
/// <param name="Offset">Bytes from the start of the MMIO space.</param>
/// <param name="Size">1, 2, 4 or 8 bytes.</param>
/// <param name="Value">What was written or read.</param>
internal sealed record MmioAccess(int Line, long Order, bool IsWrite, ulong Offset, int Size, ulong Value)
{
    private static readonly string[] Fields = ["n", "op", "off", "size", "val"];

    public static List<MmioAccess> ReadAll(string path) => CaptureFile.ReadLines(path, ReadOne);

    private static MmioAccess ReadOne(ref StrictReader json)
    {
        const string expectedSize = "1, 2, 4 or 8";
        long order = 0;
        bool isWrite = false;
        ulong offset = 0;
        int size = 0;
        ulong value = 0;
        HashSet<string> missing = [.. Fields];
        json.BeginObject();
        while (json.NextField(out string name))
        {
            missing.Remove(name);
            switch (name)
            {
                case "n":
                    order = json.Number(long.MaxValue);
                    break;
                case "op":
                    string op = json.Text("\"r\" or \"w\"");
                    json.Require(op is "r" or "w", "\"r\" or \"w\"");
                    isWrite = op == "w";
                    break;
                case "off":
                    offset = json.Hex(64);
                    json.Require(offset < AmdIommu.MmioSize, $"an offset below 0x{AmdIommu.MmioSize:x}");
                    break;
                case "size":
                    size = (int)json.Number(8);
                    json.Require(size is 1 or 2 or 4 or 8, expectedSize);
                    break;
                case "val":
                    value = json.Hex(64);
                    break;
                default:
                    throw json.UnknownField(string.Join(", ", Fields));
            }
        }

        if (missing.Count > 0)
        {
            throw json.Error($"expected the field \"{Fields.First(missing.Contains)}\"");
        }

        if (offset % (ulong)size != 0 || !Quantity.Fits(value, size * 8))
        {
            throw json.Error($"expected an offset that is a multiple of {size} and a value of at most {size * 8} bits");
        }

        return new(json.Line, order, isWrite, offset, size, value);
    }
}
