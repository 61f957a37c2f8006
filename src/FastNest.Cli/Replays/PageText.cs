namespace FastNest.Cli.Replays;

/// <summary>Page sizes in words.</summary>
internal static class PageText
{
    private static readonly string[] Units = ["bytes", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];

    public static string Size(int shift) => shift >= 64 ? "everything" : $"{1 << (shift % 10)} {Units[shift / 10]}";
}
