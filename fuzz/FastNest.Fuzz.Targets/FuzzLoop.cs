namespace FastNest.Fuzz.Targets;

/// <summary>
/// Feeds one target with inputs, and keeps those that showed something new to change them further. What it does depends on the seed
/// and on the inputs it begins with alone.
/// </summary>
internal sealed class FuzzLoop
{
    private const int MostKept = 4096;
    private const int MostFindings = 16;
    private const int Attempts = 200;

    private readonly IFuzzTarget _target;
    private readonly FuzzMutator _mutator;
    private readonly List<byte[]> _kept = [];
    private readonly List<FuzzFinding> _findings = [];
    private readonly Queue<byte[]> _first;

    /// <param name="target">What is fed.</param>
    /// <param name="seed">Chooses the inputs.</param>
    /// <param name="first">Inputs to begin with.</param>
    public FuzzLoop(IFuzzTarget target, int seed, IEnumerable<byte[]> first)
    {
        _target = target;
        _mutator = new(seed);
        _first = new(first);
    }

    public FuzzTally Tally { get; } = new();

    /// <summary>How many inputs were fed.</summary>
    public long Runs { get; private set; }

    /// <summary>Inputs that were worth keeping.</summary>
    public IReadOnlyList<byte[]> Kept => _kept;

    public IReadOnlyList<FuzzFinding> Findings => _findings;

    /// <summary>Whether there is no point in going on: enough was found.</summary>
    public bool IsFull => _findings.Count >= MostFindings;

    /// <summary>Feeds one input.</summary>
    public void Step()
    {
        byte[] input = _first.Count > 0 ? _first.Dequeue() : _mutator.Next(_kept);
        int before = Tally.Features;
        string? message = Try(_target, input, Tally);
        Runs++;
        if (message is not null)
        {
            _findings.Add(new(_target.Name, Shorten(input), message));
        }
        else if (Tally.Features > before && _kept.Count < MostKept)
        {
            _kept.Add(input);
        }
    }

    /// <summary>Feeds a target with one input.</summary>
    /// <returns>What was thrown, or null.</returns>
    public static string? Try(IFuzzTarget target, ReadOnlyMemory<byte> input, FuzzTally tally)
    {
        try
        {
            target.Run(input, tally);
            return null;
        }
#pragma warning disable CA1031 // Whatever is thrown is a finding.
        catch (Exception exception)
#pragma warning restore CA1031
        {
            return exception is DisagreementException ? exception.Message : exception.ToString();
        }
    }

    /// <summary>Leaves out what is not needed to fail, for as long as that is quick.</summary>
    private byte[] Shorten(byte[] input)
    {
        int attempts = Attempts;
        for (int piece = input.Length / 2; piece > 0; piece /= 2)
        {
            for (int at = 0; at < input.Length && attempts > 0; attempts--)
            {
                byte[] shorter = [.. input.AsSpan(0, at), .. input.AsSpan(Math.Min(input.Length, at + piece))];
                if (Try(_target, shorter, new()) is not null)
                {
                    input = shorter;
                }
                else
                {
                    at += piece;
                }
            }
        }

        return input;
    }
}
