namespace FastNest.Cli.Bench;

/// <summary>How large the pages of a bench machine are.</summary>
public enum PageSizes
{
    /// <summary>4 KiB in both stages.</summary>
    Small,

    /// <summary>2 MiB in both stages.</summary>
    Large,

    /// <summary>Of each four runs of 2 MiB, one is large in both stages, one in each alone, and one in none.</summary>
    Mixed,
}
