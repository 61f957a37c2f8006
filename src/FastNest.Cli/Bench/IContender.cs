namespace FastNest.Cli.Bench;

/// <summary>What is measured: it translates all of a scenario's requests, in batches.</summary>
internal interface IContender : IDisposable
{
    string Name { get; }

    /// <summary>Translates everything once.</summary>
    void Run();

    /// <summary>Whether the last answers are those of the machine's tables.</summary>
    bool IsRight();
}
