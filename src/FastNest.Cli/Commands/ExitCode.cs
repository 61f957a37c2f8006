namespace FastNest.Cli.Commands;

/// <summary>What the tool tells its caller.</summary>
internal static class ExitCode
{
    public const int Agreed = 0;
    public const int Disagreed = 1;
    public const int BadInput = 2;
}
