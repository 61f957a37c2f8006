using System.Text.Encodings.Web;
using System.Text.Json;
using Spectre.Console;

namespace FastNest.Cli.Output;

/// <summary>Where results and errors go: with colours and a progress bar on a terminal, plain text elsewhere.</summary>
internal sealed class Terminal
{
    private const int UnboundedWidth = 4096;

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan Refresh = TimeSpan.FromMilliseconds(100);

    private static readonly JsonSerializerOptions Json = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.CamelCase,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping, // No HTML is near.
    };

    private readonly bool _isTerminal;

    public Terminal(TextWriter output)
    {
        var target = new AnsiConsoleOutput(output);
        Output = output;
        _isTerminal = target.IsTerminal;
        Console = AnsiConsole.Create(new()
        {
            Out = target,
            Ansi = _isTerminal ? AnsiSupport.Detect : AnsiSupport.No,
            ColorSystem = _isTerminal ? ColorSystemSupport.Detect : ColorSystemSupport.NoColors,
            Interactive = _isTerminal ? InteractionSupport.Detect : InteractionSupport.No,
            Enrichment = new() { UseDefaultEnrichers = false },
        });
        if (!_isTerminal)
        {
            // A pipe has no width: lines are broken by whoever reads them.
            Console.Profile.Width = UnboundedWidth;
        }
    }

    public TextWriter Output { get; }

    public IAnsiConsole Console { get; }

    public void WriteJson<T>(T value) => Output.WriteLine(JsonSerializer.Serialize(value, Json));

    /// <summary>Writes a report as JSON, or as text.</summary>
    public void Write<T>(T report, bool json, Action<Terminal, T> text)
    {
        if (json)
        {
            WriteJson(report);
        }
        else
        {
            text(this, report);
        }
    }

    /// <summary>Does work; on a terminal that shows text, a bar appears when it takes longer than a second.</summary>
    /// <param name="title">What is done.</param>
    /// <param name="isText">Whether the result is shown as text.</param>
    /// <param name="work">The work.</param>
    public T Run<T>(string title, bool isText, Func<WorkMeter, T> work)
    {
        var meter = new WorkMeter();
        if (!_isTerminal || !isText)
        {
            return work(meter);
        }

        var task = Task.Run(() => work(meter));
        if (((IAsyncResult)task).AsyncWaitHandle.WaitOne(Patience))
        {
            return task.GetAwaiter().GetResult();
        }

        Console.Progress().AutoClear(true).Start(progress =>
        {
            ProgressTask bar = progress.AddTask(Markup.Escape(title), maxValue: 1);
            do
            {
                bar.Value = meter.Done;
            }
            while (!((IAsyncResult)task).AsyncWaitHandle.WaitOne(Refresh));
        });
        return task.GetAwaiter().GetResult();
    }
}
