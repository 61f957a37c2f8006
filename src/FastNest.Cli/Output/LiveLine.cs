using Spectre.Console;

namespace FastNest.Cli.Output;

/// <summary>A line on standard error that is written over again and again; nothing where that is no terminal.</summary>
/// <param name="error">Where errors go.</param>
internal sealed class LiveLine(TextWriter error)
{
    private int _width;

    /// <summary>Whether someone sees it.</summary>
    public bool IsSeen { get; } = new AnsiConsoleOutput(error).IsTerminal && !Console.IsErrorRedirected;

    /// <summary>Shows a text in the place of the last one.</summary>
    public void Show(string text)
    {
        if (IsSeen)
        {
            error.Write('\r' + text.PadRight(_width));
            _width = text.Length;
        }
    }

    /// <summary>Takes the text away.</summary>
    public void Clear()
    {
        if (_width > 0)
        {
            error.Write('\r' + new string(' ', _width) + '\r');
            _width = 0;
        }
    }
}
