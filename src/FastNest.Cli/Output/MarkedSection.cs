namespace FastNest.Cli.Output;

/// <summary>The part of a Markdown file that a tool writes, between two marks.</summary>
internal static class MarkedSection
{
    public const string Begin = "<!-- bench -->\n";
    public const string End = "<!-- /bench -->";

    /// <summary>Why a file has no such part; null when it has one.</summary>
    public static string? Complaint(string file)
    {
        if (!File.Exists(file))
        {
            return $"--into {file}: no such file";
        }

        (int start, int end) = Find(File.ReadAllText(file));
        return start < 0 || end < start ? $"--into {file}: expected a line {Begin.TrimEnd()} and after it one {End}" : null;
    }

    /// <summary>Writes text between the marks.</summary>
    public static void Replace(string file, string text)
    {
        string content = File.ReadAllText(file);
        (int start, int end) = Find(content);
        File.WriteAllText(file, content[..(start + Begin.Length)] + text + content[end..]);
    }

    private static (int Begin, int End) Find(string content)
    {
        int start = content.IndexOf(Begin, StringComparison.Ordinal);
        return (start, start < 0 ? -1 : content.IndexOf(End, start, StringComparison.Ordinal));
    }
}
