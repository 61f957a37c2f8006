namespace FastNest.Fuzz.Targets;

/// <summary>Something that is fed bytes, which alone determine what is done.</summary>
internal interface IFuzzTarget
{
    /// <summary>What it is called on the command line.</summary>
    string Name { get; }

    /// <summary>What is fed, and what is compared.</summary>
    string Description { get; }

    /// <summary>Does what bytes say. Whatever is thrown is a finding.</summary>
    /// <param name="input">Any bytes.</param>
    /// <param name="tally">Counts what was done, and notes in what way it was new.</param>
    void Run(ReadOnlyMemory<byte> input, FuzzTally tally);
}
