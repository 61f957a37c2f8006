using FastNest.Cli.Vms;
using Spectre.Console;

namespace FastNest.Cli.Output;

/// <summary>Shows what VMs did.</summary>
internal static class VmText
{
    private static readonly (string Title, Func<VmCounters, long> Count, bool IsWrong)[] Rows =
    [
        ("trapped register accesses", static vm => vm.Traps, false),
        ("commands run by hardware", static vm => vm.Commands, false),
        ("pages mapped", static vm => vm.Maps, false),
        ("pages unmapped", static vm => vm.Unmaps, false),
        ("times the host moved 2 MiB", static vm => vm.Moves, false),
        ("translations", static vm => vm.Translations, false),
        ("bytes of DMA", static vm => vm.DmaBytes, false),
        ("DMA refused", static vm => vm.Refused, false),
        ("events logged", static vm => vm.Events, false),
        ("times the log was full", static vm => vm.Overflows, false),
        ("stale after completion", static vm => vm.Stale, true),
        ("of another VM", static vm => vm.Foreign, true),
        ("refused though mapped", static vm => vm.Lost, true),
        ("completions missing", static vm => vm.Late, true),
    ];

    public static void Write(Terminal terminal, VmReport report)
    {
        Table table = new() { Border = TableBorder.Simple };
        table.AddColumn($"in {report.Seconds:f1} s");
        foreach (VmCounters vm in report.Vms)
        {
            table.AddColumn(new TableColumn(vm.Name).RightAligned());
        }

        foreach ((string title, Func<VmCounters, long> count, bool isWrong) in Rows)
        {
            table.AddRow([new Text(title), .. report.Vms.Select(vm => new Text($"{count(vm)}", Colour(isWrong, count(vm))))]);
        }

        terminal.Console.Write(table);
        terminal.Console.MarkupLineInterpolated($"pages still pinned: {report.Pinned}; wrong in all: {report.Wrong}");
    }

    /// <summary>One line while it runs.</summary>
    public static string Line(VmReport report) => string.Join(
        "; ",
        report.Vms.Select(static vm => $"{vm.Name}: {vm.Commands} commands, {vm.Translations} translations, {vm.Moves} moves, {vm.Stale + vm.Foreign + vm.Lost} wrong"));

    private static Color Colour(bool isWrong, long count) => !isWrong ? Color.Default : count == 0 ? Color.Green : Color.Red;
}
