using Xunit;

namespace FastNest.Tests.Cli;

/// <summary>A copy of the capture that comes with the tool, to be changed by a test.</summary>
public sealed class EditedCapture : IDisposable
{
    public EditedCapture()
    {
        Folder = Directory.CreateTempSubdirectory("fastnest-").FullName;
        foreach (string file in Directory.GetFiles(Shipped))
        {
            File.Copy(file, At(Path.GetFileName(file)));
        }
    }

    public static string Shipped => Path.Combine(AppContext.BaseDirectory, "Captures", "Data", "amd-a-nvme-virtioblk-strict");

    public string Folder { get; }

    public string At(string file) => Path.Combine(Folder, file);

    public void Delete(string file) => File.Delete(At(file));

    public void Truncate(string file, int length) => File.WriteAllBytes(At(file), File.ReadAllBytes(At(file))[..length]);

    public void Write(string file, string text) => File.WriteAllText(At(file), text);

    /// <summary>Replaces the first occurrence of a text, which must occur.</summary>
    public void Replace(string file, string from, string to)
    {
        string text = File.ReadAllText(At(file));
        int at = text.IndexOf(from, StringComparison.Ordinal);
        Assert.True(at >= 0, $"{file} does not hold {from}");
        File.WriteAllText(At(file), text[..at] + to + text[(at + from.Length)..]);
    }

    /// <summary>Changes one line, counted from 1.</summary>
    public void ChangeLine(string file, int line, Func<string, string> change)
    {
        string[] lines = File.ReadAllLines(At(file));
        string changed = change(lines[line - 1]);
        Assert.NotEqual(lines[line - 1], changed);
        lines[line - 1] = changed;
        File.WriteAllLines(At(file), lines);
    }

    public void Dispose() => Directory.Delete(Folder, recursive: true);
}
