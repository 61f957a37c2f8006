using FastNest.Reference;
using FastNest.Requests;
using FastNest.Tests.Captures;
using Xunit;

namespace FastNest.Tests.Reference;

/// <summary>The reference agrees with every recorded and generated answer.</summary>
public class CaptureTests
{
    public static TheoryData<string> Folders => new(CaptureFolder.Names);

    [Theory]
    [MemberData(nameof(Folders))]
    public void AgreesWithEveryRequest(string name)
    {
        CaptureFolder folder = CaptureFolder.Open(name);
        ReferenceIommu iommu = Restore(folder);
        List<string> disagreements = [];
        int judged = 0;
        foreach (CapturedRequest captured in folder.Requests().Concat(folder.RecordedErrors()))
        {
            ReferenceAnswer answer = iommu.Translate(captured.Request);
            judged++;
            if (Disagreement(captured, answer) is string words)
                disagreements.Add($"{words}\n  {captured.Line}\n  {answer.Verdict}");
        }

        Assert.True(disagreements.Count == 0, $"{disagreements.Count} of {judged}\n" + string.Join("\n", disagreements.Take(20)));
        Assert.True(judged >= 1000);
    }

    [Theory]
    [MemberData(nameof(Folders))]
    public void TheWholeRegionOfAnAnswerIsAnsweredAlike(string name)
    {
        CaptureFolder folder = CaptureFolder.Open(name);
        ReferenceIommu iommu = Restore(folder);
        foreach (TranslationRequest request in folder.Requests().Select(r => r.Request))
        {
            ReferenceAnswer answer = iommu.Translate(request);
            if (answer.OutputAddress is not ulong output || answer.PageShift == 64)
                continue;
            ulong size = 1UL << answer.PageShift, first = request.Iova & ~(size - 1);
            foreach (ulong iova in new[] { first, first + size / 2 & ~7UL, first + size - 1 })
            {
                ReferenceAnswer other = iommu.Translate(request with { Iova = iova });
                // An exclusion range may lie inside a page.
                if (other.Verdict == answer.Verdict)
                    Assert.Equal((output - request.Iova + iova, answer.PageShift, answer.Permissions), (other.OutputAddress, other.PageShift, other.Permissions));
                else
                    Assert.StartsWith("in the exclusion range", other.Verdict, StringComparison.Ordinal);
            }
        }
    }

    internal static ReferenceIommu Restore(CaptureFolder folder)
    {
        ReferenceMemory memory = new();
        foreach ((ulong address, byte[] bytes) in folder.Memory())
            memory.Load(address, bytes);
        IReadOnlyDictionary<ulong, ulong> registers = folder.Registers();
        ReferenceIommu iommu = new(memory, 0, 0);
        foreach ((ulong offset, ulong value) in registers)
            iommu.RestoreRegister(offset, value);
        return iommu;
    }

    private static string? Disagreement(CapturedRequest captured, ReferenceAnswer answer)
    {
        if (captured.Spa != answer.OutputAddress)
            return $"answered {answer.OutputAddress:x}";
        if (captured.Event is not null && captured.Event != EventName(answer.Event?.Code))
            return $"event {answer.Event?.Code}";
        foreach ((string flag, bool value) in captured.Flags)
        {
            if (Flag(answer.Event!, flag) != value)
                return $"flag {flag}";
        }

        return null;
    }

    private static string EventName(ReferenceEventCode? code) => code switch
    {
        ReferenceEventCode.IllegalDeviceTableEntry => "ILLEGAL_DEV_TABLE_ENTRY",
        ReferenceEventCode.IoPageFault => "IO_PAGE_FAULT",
        ReferenceEventCode.DeviceTableHardwareError => "DEV_TAB_HARDWARE_ERROR",
        ReferenceEventCode.PageTableHardwareError => "PAGE_TAB_HARDWARE_ERROR",
        ReferenceEventCode.InvalidDeviceRequest => "INVALID_DEVICE_REQUEST",
        _ => "none",
    };

    private static bool Flag(ReferenceEvent e, string name) => name switch
    {
        "gn" => e.GN,
        "pr" => e.PR,
        "rw" => e.RW,
        "pe" => e.PE,
        "rz" => e.RZ,
        _ => throw new ArgumentException(name, nameof(name)),
    };
}
