using Xunit;

namespace FastNest.Tests.Cli;

/// <summary>Each case breaks one thing in a good capture; the error must name where.</summary>
public sealed class BadInputTests
{
    [Theory]
    [InlineData("memory.elf", false)]
    [InlineData("registers.json", false)]
    [InlineData("requests.jsonl", false)]
    [InlineData("mmio.jsonl", true)]
    [InlineData("commands.jsonl", true)]
    public void Missing_file(string file, bool driver)
    {
        using EditedCapture capture = new();
        capture.Delete(file);

        Replay(capture, driver).AssertRefused(file, "missing");
    }

    [Theory]
    [InlineData(0)]
    [InlineData(63)]
    [InlineData(100)]
    [InlineData(50_000)]
    public void Truncated_memory(int length)
    {
        using EditedCapture capture = new();
        capture.Truncate("memory.elf", length);

        Replay(capture).AssertRefused("memory.elf", "offset 0x");
    }

    [Fact]
    public void Memory_beyond_52_bits()
    {
        using EditedCapture capture = new();
        byte[] elf = File.ReadAllBytes(capture.At("memory.elf"));
        int table = BitConverter.ToInt32(elf, 32);
        for (int header = table; ; header += 56)
        {
            if (BitConverter.ToUInt32(elf, header) == 1)
            {
                elf[header + 24 + 6] = 0x10;
                break;
            }
        }

        File.WriteAllBytes(capture.At("memory.elf"), elf);

        Replay(capture).AssertRefused("memory.elf", "52-bit");
    }

    [Theory]
    [InlineData("\"device\":", "\"device\"", "requests.jsonl:3", "correct JSON")]
    [InlineData("\"access\":\"read\"", "\"access\":\"read\",\"flavour\":1", "unknown field \"flavour\"", "device, pasid, iova")]
    [InlineData("\"access\":\"read\"", "\"access\":\"read\",\"access\":\"read\"", "\"access\" occurs twice")]
    [InlineData("\"access\":\"read\"", "\"access\":\"rw\"", "\"access\"", "read, write or execute", "\"rw\"")]
    [InlineData("\"access\":\"read\",", "", "expected the field \"access\"")]
    [InlineData("\"device\":\"00:02.0\"", "\"device\":\"00:02.9\"", "\"device\"", "\"00:02.9\"")]
    [InlineData("\"pasid\":null", "\"pasid\":1048576", "\"pasid\"", "1048575")]
    [InlineData("\"pasid\":null", "\"pasid\":-1", "\"pasid\"", "-1")]
    [InlineData("\"iova\":\"0x", "\"iova\":\"0x123456789", "\"iova\"", "64 bits")]
    [InlineData("\"iova\":\"0x", "\"iova\":\"", "\"iova\"", "hexadecimal")]
    [InlineData("\"iova\":\"0x", "\"iova\":\"0xg", "\"iova\"", "hexadecimal")]
    [InlineData("\"spa\":\"0x7401000\"", "\"spa\":\"0x10000000000000\"", "\"spa\"", "52 bits")]
    [InlineData("\"spa\":\"0x7401000\"", "\"spa\":7401000", "\"spa\"", "hexadecimal")]
    [InlineData("\"fault\":null", "\"fault\":{}", "\"spa\"", "\"fault\"")]
    [InlineData("\"fault\":null", "\"fault\":{\"xx\":1}", "unknown field \"xx\"")]
    [InlineData("\"fault\":null", "\"fault\":{\"pr\":2}", "\"pr\"", "0 to 1")]
    [InlineData("\"fault\":null", "\"fault\":{\"event\":\"EARTHQUAKE\"}", "\"event\"", "EARTHQUAKE")]
    [InlineData("\"privileged\":false", "\"privileged\":0", "\"privileged\"", "true or false")]
    [InlineData("\"trace\"}", "\"trace\"} {}", "correct JSON")]
    [InlineData("\"source\":\"trace\"}", "\"rule\":\"x\"}", "unknown field \"rule\"; expected one of device, pasid, iova, access, privileged, spa, fault, source")]
    [InlineData("\"source\":\"trace\"", "\"source\":\"\\ud800\"", "Unicode", "ud800")]
    [InlineData("\"source\"", "\"\\udc00\"", "Unicode")]
    [InlineData("\"iova\":\"0x", "\"iova\":\"\\ud800", "Unicode")]
    [InlineData("\"spa\":\"0x7401000\"", "\"spa\":\"\\ud800\"", "Unicode")]
    public void Wrong_request(string from, string to, params string[] named)
    {
        using EditedCapture capture = new();
        capture.ChangeLine("requests.jsonl", 3, line => line.Replace(from, to, StringComparison.Ordinal));

        Replay(capture).AssertRefused([Path.Combine(capture.Folder, "requests.jsonl:3: "), .. named]);
    }

    [Theory]
    [InlineData("", "requests.jsonl:1", "at least one request")]
    [InlineData("\n", "requests.jsonl:1", "correct JSON")]
    [InlineData("[]", "requests.jsonl:1", "object")]
    [InlineData("null", "requests.jsonl:1", "object")]
    [InlineData("\u0000", "requests.jsonl:1", "correct JSON")]
    public void Requests_that_are_none(string text, params string[] named)
    {
        using EditedCapture capture = new();
        capture.Delete("recorded-errors.jsonl");
        capture.Write("requests.jsonl", text);

        Replay(capture).AssertRefused(named);
    }

    [Fact]
    public void Wrong_recorded_error()
    {
        using EditedCapture capture = new();
        capture.ChangeLine("recorded-errors.jsonl", 2, line => line.Replace("\"rule\"", "\"law\"", StringComparison.Ordinal));

        Replay(capture).AssertRefused("recorded-errors.jsonl:2: ", "unknown field \"law\"; expected one of device, pasid, iova, access, privileged, spa, recorded, rule");
    }

    [Theory]
    [InlineData("\"note\"", "\"notes\"", "registers.json:3: ", "unknown field \"notes\"", "mmio_base, regs, note, pci_config_hex")]
    [InlineData("\"mmio_base\": \"0xfed80000\"", "\"mmio_base\": \"0x10000000000000\"", "registers.json:2: ", "52 bits")]
    [InlineData("\"0x10\"", "\"0x1f8\"", "registers.json:7: ", "register 0x1f8")]
    [InlineData("\"0x10\"", "\"0x12\"", "registers.json:7: ", "register \"0x12\"", "multiple of 4")]
    [InlineData("\"0x10\"", "\"0x4000\"", "registers.json:7: ", "register \"0x4000\"", "below 0x4000")]
    [InlineData("\"0x10\"", "\"ten\"", "registers.json:7: ", "register \"ten\"")]
    [InlineData("\"0x10\"", "\"0x8\"", "registers.json:7: ", "\"0x8\" occurs twice")]
    [InlineData("\"0x10\"", "\"0x08\"", "registers.json:7: ", "register 0x8: occurs twice")]
    [InlineData("\"0x0\": \"0x51ee001\"", "\"0x0\": \"forty\"", "registers.json:5: ", "hexadecimal", "\"forty\"")]
    [InlineData("\"0x0\": \"0x51ee001\"", "\"0x0\": 7", "registers.json:5: ", "hexadecimal")]
    [InlineData("\"0x0\": \"0x51ee001\"", "\"0x0\" \"0x51ee001\"", "registers.json:5: ", "correct JSON")]
    [InlineData("\"regs\": {", "\"note\": {", "registers.json:4: ", "\"note\" occurs twice")]
    [InlineData("\"pci_config_hex\": \"2", "\"pci_config_hex\": \"", "\"pci_config_hex\"", "even number")]
    public void Wrong_registers(string from, string to, params string[] named)
    {
        using EditedCapture capture = new();
        capture.Replace("registers.json", from, to);

        Replay(capture).AssertRefused(named);
    }

    [Theory]
    [InlineData("{\"mmio_base\": \"0x0\"}", "\"regs\"")]
    [InlineData("{\"regs\": {}}", "\"mmio_base\"")]
    [InlineData("", "registers.json:1: ")]
    [InlineData("{\"mmio_base\": \"0x0\", \"regs\": {}} x", "correct JSON")]
    public void Registers_that_are_none(string text, params string[] named)
    {
        using EditedCapture capture = new();
        capture.Write("registers.json", text);

        Replay(capture).AssertRefused(named);
    }

    [Fact]
    public void Bytes_that_are_no_text()
    {
        using EditedCapture capture = new();
        File.WriteAllBytes(capture.At("registers.json"), [.. "{\"note\":\""u8, 0xFF, .. "\"}"u8]);

        Replay(capture).AssertRefused("registers.json:1: ", "Unicode");
    }

    [Theory]
    [InlineData("\"op\":\"r\"", "\"op\":\"x\"", "\"op\"", "\"r\" or \"w\"")]
    [InlineData("\"off\":\"0x18\"", "\"off\":\"0x4000\"", "\"off\"", "below 0x4000")]
    [InlineData("\"off\":\"0x18\"", "\"off\":\"0x14\"", "multiple of 8")]
    [InlineData("\"size\":8", "\"size\":3", "\"size\"", "1, 2, 4 or 8")]
    [InlineData("\"off\":\"0x18\",\"size\":8,\"val\":\"0x0\"", "\"off\":\"0x18\",\"size\":4,\"val\":\"0x100000000\"", "32 bits")]
    [InlineData("\"n\":910", "\"n\":909", "\"n\"", "more than 909")]
    [InlineData("\"size\":8,", "", "expected the field \"size\"")]
    [InlineData("\"size\":8", "\"size\":8,\"cpu\":0", "unknown field \"cpu\"")]
    public void Wrong_register_access(string from, string to, params string[] named)
    {
        using EditedCapture capture = new();
        capture.ChangeLine("mmio.jsonl", 2, line => line.Replace(from, to, StringComparison.Ordinal));

        Replay(capture, driver: true).AssertRefused(["mmio.jsonl:2: ", .. named]);
    }

    [Theory]
    [InlineData("\"ev\":\"devtab_inval\"", "\"ev\":\"conjure\"", "command \"conjure\"", "raw")]
    [InlineData(",\"devid\":\"00:00.1\"", "", "command \"devtab_inval\"", "operands")]
    [InlineData("\"devid\":\"00:00.1\"", "\"devid\":\"1\"", "\"devid\"")]
    [InlineData("\"head\":\"0x10\"", "\"head\":\"0x11\"", "\"head\"", "multiple of 16")]
    [InlineData("\"head\":\"0x10\"", "\"head\":\"0x2000\"", "\"head\"", "ring's length 0x2000")]
    [InlineData("\"devid\"", "\"raw\":\"0123\",\"devid\"", "\"raw\"", "32 hexadecimal digits")]
    [InlineData("\"devid\"", "\"store\":\"0x10000000000000\",\"devid\"", "\"store\"", "52 bits")]
    [InlineData("\"devid\"", "\"store\":\"0x4\",\"devid\"", "\"store\"", "multiple of 8")]
    [InlineData("\"devid\"", "\"mood\":\"good\",\"devid\"", "unknown field \"mood\"")]
    [InlineData("\"n\":1026", "\"n\":1023", "\"n\"", "more than 1023")]
    public void Wrong_command(string from, string to, params string[] named)
    {
        using EditedCapture capture = new();
        capture.ChangeLine("commands.jsonl", 2, line => line.Replace(from, to, StringComparison.Ordinal));

        Replay(capture, driver: true).AssertRefused(["commands.jsonl:2: ", .. named]);
    }

    private static ToolRun Replay(EditedCapture capture, bool driver = false) =>
        driver ? ToolRun.Of("replay", capture.Folder, "--driver", "--json") : ToolRun.Of("replay", capture.Folder, "--repeat", "1", "--json");
}
