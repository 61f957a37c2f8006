using FastNest.Amd;

namespace FastNest.Cli.Captures;

/// <summary>The registers of a stopped machine, from <c>registers.json</c>.</summary>
internal sealed class RegisterSnapshot
{
    private const ulong ExtendedFeatures = 0x30;
    private const ulong ExtendedFeatures2 = 0x1A0;
    private const string Known = "mmio_base, regs, note, pci_config_hex";

    private readonly SortedDictionary<ulong, RegisterValue> _values = [];
    private readonly HashSet<ulong> _offsets = [];

    private RegisterSnapshot(string path) => Path = path;

    public string Path { get; }

    /// <summary>The 64-bit registers by ascending offset.</summary>
    public IEnumerable<RegisterValue> Values => _values.Values;

    /// <summary>What the recorded machine offered.</summary>
    public IommuFeatures Features => new(At(ExtendedFeatures), At(ExtendedFeatures2));

    public static RegisterSnapshot Read(string path)
    {
        var snapshot = new RegisterSnapshot(path);
        var json = new StrictReader(CaptureFile.ReadAll(path), path, 1);
        bool hasRegisters = false;
        bool hasBase = false;
        json.BeginObject();
        while (json.NextField(out string name))
        {
            switch (name)
            {
                case "mmio_base":
                    json.Hex(52);
                    hasBase = true;
                    break;
                case "regs":
                    snapshot.ReadRegisters(ref json);
                    hasRegisters = true;
                    break;
                case "note":
                    json.Text("a text");
                    break;
                case "pci_config_hex":
                    const string expected = "an even number of hexadecimal digits";
                    string digits = json.Text(expected);
                    json.Require(digits.Length % 2 == 0 && digits.All(char.IsAsciiHexDigit), expected);
                    break;
                default:
                    throw json.UnknownField(Known);
            }
        }

        if (!hasRegisters || !hasBase)
        {
            throw json.Error($"expected the field \"{(hasBase ? "regs" : "mmio_base")}\"");
        }

        json.End();
        return snapshot;
    }

    /// <summary>Brings registers back; those that a machine has not must have held nothing.</summary>
    /// <param name="restore">Brings one back, if the machine has it: offset and value.</param>
    /// <exception cref="CaptureException">The machine lacks a register that held something.</exception>
    public void Restore(Func<ulong, ulong, bool> restore)
    {
        foreach (RegisterValue register in Values)
        {
            if (!restore(register.Offset, register.Value) && register.Value != 0)
            {
                throw new CaptureException(
                    Path,
                    register.Line,
                    $"register 0x{register.Offset:x}: expected the offset of a register, or value 0x0; found 0x{register.Value:x}");
            }
        }
    }

    private void ReadRegisters(ref StrictReader json)
    {
        json.BeginObject();
        while (json.NextField(out string name))
        {
            if (!Quantity.TryHex(name, out ulong offset) || offset % 4 != 0 || offset >= AmdIommu.MmioSize)
            {
                throw json.Error($"register \"{name}\": expected an offset below 0x{AmdIommu.MmioSize:x} and a multiple of 4, as \"0x18\"");
            }

            Add(ref json, offset, json.Hex(offset % 8 == 0 ? 64 : 32));
        }
    }

    /// <summary>A 32-bit register at the upper half of eight bytes is kept as part of them.</summary>
    private void Add(ref StrictReader json, ulong offset, ulong value)
    {
        ulong slot = offset & ~7UL;
        if (!_offsets.Add(offset))
        {
            throw json.Error($"register 0x{offset:x}: occurs twice");
        }

        ulong bits = offset == slot ? value : value << 32;
        RegisterValue other = _values.GetValueOrDefault(slot, new(slot, 0, json.Line));
        ulong upper = bits >> 32;
        ulong otherUpper = other.Value >> 32;
        if (upper != 0 && otherUpper != 0 && upper != otherUpper)
        {
            throw json.Error($"register 0x{offset:x}: contradicts the register on line {other.Line}");
        }

        _values[slot] = new(slot, other.Value | bits, json.Line);
    }

    private ulong At(ulong offset) => _values.TryGetValue(offset, out RegisterValue register) ? register.Value : 0;
}

/// <summary>One register with the line that gives it.</summary>
internal readonly record struct RegisterValue(ulong Offset, ulong Value, int Line);
