using System.Globalization;
using FastNest.Cli.Vms;
using Spectre.Console;

namespace FastNest.Cli.Output;

/// <summary>Shows what VMs did.</summary>
internal static class VmText
{
    private static readonly (string What, Func<VmFigures, long> Get)[] Rows =
    [
        ("register accesses at the start", vm => vm.Boot.Accesses),
        ("  of registers that a VM has not", vm => vm.Boot.Absent),
        ("  reads recorded otherwise", vm => vm.Boot.ReadsDiffer),
        ("commands", vm => vm.Commands),
        ("  recorded that a VM is not offered", vm => vm.Boot.CommandsNotOffered),
        ("  invalidations", vm => vm.Invalidations),
        ("  waits", vm => vm.Waits),
        ("buffers changed", vm => vm.Remaps),
        ("translations", vm => vm.Translations),
        ("DMA reads", vm => vm.DmaReads),
        ("DMA writes", vm => vm.DmaWrites),
        ("DMA bytes", vm => vm.DmaBytes),
        ("faults", vm => vm.Faults),
        ("events in its own log", vm => vm.Events),
        ("events from its VMM", vm => vm.HostFaults),
        ("migrations", vm => vm.Migrations),
    ];

    private static readonly (string What, Func<VmFigures, long> Get)[] Wrongs =
    [
        ("stale reads", vm => vm.StaleReads),
        ("stale writes", vm => vm.StaleWrites),
        ("foreign reads", vm => vm.ForeignReads),
        ("foreign events", vm => vm.ForeignEvents),
        ("lost writes", vm => vm.LostWrites),
        ("faults of what was mapped", vm => vm.WrongFaults),
        ("waits without completion", vm => vm.Timeouts + vm.Boot.CompletionsMissed + vm.Boot.HeadsBehind),
    ];

    public static void Write(Terminal terminal, VmReport report)
    {
        string boot = report.Capture ?? "built-in driver";
        terminal.Console.MarkupLineInterpolated(
            CultureInfo.InvariantCulture, $"[bold]{boot}[/]: {report.Vms.Count} VMs, {report.Seconds:F1} s, {report.Wrong} wrong");
        Table table = new() { Border = TableBorder.Simple };
        table.AddColumn("what");
        foreach (VmFigures vm in report.Vms)
        {
            table.AddColumn(new TableColumn($"VM {vm.Vm}").RightAligned());
        }

        AddRows(table, report, Rows, mustBeZero: false);
        AddRows(table, report, Wrongs, mustBeZero: true);
        terminal.Console.Write(table);
        Complain(terminal, "events of the host's log that concern no VM", report.HostEvents);
        Complain(terminal, "commands that were not executed", report.CommandsMissed);
    }

    /// <summary>What there is so far, in a line.</summary>
    public static string Live(VmReport report)
    {
        return string.Create(
            CultureInfo.InvariantCulture,
            $"{report.Seconds:F1} s: {Sum(vm => vm.Commands) / 1e6:F2} M commands, {Sum(vm => vm.Translations) / 1e6:F0} M translations, "
            + $"{Sum(vm => vm.DmaBytes) / 1e9:F1} GB, {Sum(vm => vm.Migrations)} migrations, {report.Wrong} wrong");

        double Sum(Func<VmFigures, long> get) => report.Vms.Sum(get);
    }

    private static void AddRows(Table table, VmReport report, (string What, Func<VmFigures, long> Get)[] rows, bool mustBeZero)
    {
        foreach ((string what, Func<VmFigures, long> get) in rows)
        {
            table.AddRow([new Text(what), .. report.Vms.Select(get).Select(value => new Text(Number(value), Colour(value, mustBeZero)))]);
        }
    }

    private static void Complain(Terminal terminal, string what, long value)
    {
        if (value != 0)
        {
            terminal.Console.MarkupLineInterpolated(CultureInfo.InvariantCulture, $"[red]{what}: {value}[/]");
        }
    }

    private static string Number(long value) => value.ToString("N0", CultureInfo.InvariantCulture);

    private static Style Colour(long value, bool mustBeZero) => !mustBeZero ? Style.Plain : value == 0 ? Color.Green : Color.Red;
}
