using System.Globalization;
using FastNest.Reference;
using FastNest.Requests;
using FastNest.Tests.Captures;
using Xunit;

namespace FastNest.Tests.Reference;

/// <summary>A stock driver's register accesses from reset on: what it reads back, and the commands it gets executed.</summary>
public class DriverReplayTests
{
    public static TheoryData<string> Folders => new(CaptureFolder.Names.Where(n => CaptureFolder.Open(n).Steps().Count != 0));

    [Theory]
    [MemberData(nameof(Folders))]
    public void DriverSeesWhatItSawAndItsCommandsRun(string name)
    {
        CaptureFolder folder = CaptureFolder.Open(name);
        IReadOnlyDictionary<ulong, ulong> registers = folder.Registers();
        ReferenceMemory memory = new();
        foreach ((ulong address, byte[] bytes) in folder.Memory())
            memory.Load(address, bytes);
        ReferenceIommu iommu = new(memory, registers[0x30], registers[0x1A0]);
        IReadOnlyList<CapturedStep> steps = folder.Steps();
        List<(ulong Low, ulong High, ulong Spa)> expected = [];
        List<string> differences = [];
        for (int i = 0; i < steps.Count; i++)
        {
            if (steps[i].IsCommand)
                continue;
            for (int c = i + 1; c < steps.Count && steps[c].IsCommand; c++)
            {
                (ulong low, ulong high) = steps[c].Raw ?? Encode(steps[c]);
                ulong spa = (iommu.Read(0x08, 8) & 0x000F_FFFF_FFFF_F000) + steps[c].Head;
                memory.Put(spa, low);
                memory.Put(spa + 8, high);
                if (low >> 60 == 1)
                    memory.Add(low & 0x000F_FFFF_FFFF_FFF8, 8);
                expected.Add((low, high, spa));
            }

            if (steps[i].IsWrite)
                iommu.Write(steps[i].Offset, steps[i].Size, steps[i].Value);
            else if (iommu.Read(steps[i].Offset, steps[i].Size) is ulong read && read != steps[i].Value)
                differences.Add($"read {read:x}: {steps[i].Line}");
        }

        Assert.True(differences.Count == 0, $"{differences.Count}\n" + string.Join("\n", differences.Take(10)));
        Assert.Equal(expected, iommu.ExecutedCommands.Select(c => (c.Low, c.High, c.Spa)));
        Assert.True(expected.Count > 1000);
        foreach (ulong offset in new ulong[] { 0x00, 0x08, 0x10, 0x18, 0x38, 0x2000, 0x2008, 0x2010, 0x2018 })
            Assert.Equal(registers[offset], iommu.Read(offset, 8));
    }

    // The commands of which only the operands are known.
    private static (ulong Low, ulong High) Encode(CapturedStep step)
    {
        using var json = System.Text.Json.JsonDocument.Parse(step.Line);
        string Text(string name) => json.RootElement.TryGetProperty(name, out var value) ? value.GetString()! : "0";
        ulong Number(string name) => ulong.Parse(Text(name).Replace("0x", "", StringComparison.Ordinal), NumberStyles.HexNumber, CultureInfo.InvariantCulture);
        switch (step.Name)
        {
            case "completion_wait": return (1UL << 60 | Number("store") | 1, Number("data"));
            case "devtab_inval":
                Assert.True(DeviceId.TryParse(Text("devid"), out DeviceId device));
                return (2UL << 60 | device.Value, 0);
            case "pages_inval": return (3UL << 60 | Number("domid") << 32, 0x7FFF_FFFF_FFFF_F003);
            case "intr_inval": return (5UL << 60, 0);
            case "all_inval": return (8UL << 60, 0);
            default: throw new InvalidDataException(step.Line);
        }
    }
}
