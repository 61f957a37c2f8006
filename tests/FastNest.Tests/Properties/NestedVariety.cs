using FastNest.Reference;
using Xunit;

namespace FastNest.Tests.Properties;

/// <summary>Counts which ways translations through guest tables have taken, to judge a generator by.</summary>
internal sealed class NestedVariety
{
    private readonly Dictionary<string, int> _seen = [];

    public void Note(ReferenceAnswer answer)
    {
        ReferenceStep[] guest = [.. answer.Steps.Where(static step => step.Stage == ReferenceStage.Guest)];
        if (answer.OutputAddress is null || guest.Length == 0)
        {
            return;
        }

        ReferenceStep[] pasids = [.. guest.Where(static step => step.Name.StartsWith("GCR3", StringComparison.Ordinal))];
        int page = 12 + 9 * (guest[^1].Level - 1);
        Count(answer.Request.HasPasid ? "PASID" : "GIoV");
        Count($"GLX {pasids.Length - 1}");
        Count($"guest L{guest[pasids.Length].Level}");
        Count(pasids[0].Gpa is null ? "PASID table of the system" : "PASID table of the guest");
        Count($"{answer.Request.Kind}");
        Count($"page 2^{page}, {(answer.PageShift < page ? "fractured" : "whole")}");
        Count($"page 2^{page}, host {(answer.Steps[^1].Stage == ReferenceStage.Host ? $"L{answer.Steps[^1].Level}" : "off")}");
    }

    public void AssertVaried()
    {
        AssertSeen(1500, "PASID");
        AssertSeen(25, "GIoV");
        AssertSeen(150, "GLX 0", "GLX 1", "GLX 2", "guest L4", "guest L5", "Untranslated", "Translation");
        AssertSeen(400, "PASID table of the guest", "PASID table of the system");
        AssertSeen(100, "page 2^12, whole", "page 2^21, whole", "page 2^30, whole", "page 2^30, fractured");
        AssertSeen(35, "page 2^21, fractured");
        foreach (int page in (int[])[12, 21, 30])
        {
            AssertSeen(10, $"page 2^{page}, host L1", $"page 2^{page}, host L2", $"page 2^{page}, host L3", $"page 2^{page}, host off");
        }
    }

    private void AssertSeen(int atLeast, params ReadOnlySpan<string> ways)
    {
        foreach (string way in ways)
        {
            Assert.True(_seen.GetValueOrDefault(way) >= atLeast, $"{way}: {_seen.GetValueOrDefault(way)}, of {string.Join("; ", _seen)}");
        }
    }

    private void Count(string what) => _seen[what] = _seen.GetValueOrDefault(what) + 1;
}
