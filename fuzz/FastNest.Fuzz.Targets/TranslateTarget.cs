using FastNest.Engine;
using FastNest.Reference;
using FastNest.Requests;

namespace FastNest.Fuzz.Targets;

/// <summary>
/// A machine with tables of both stages, device table entries and PASID tables that bytes choose, and requests to it: every strategy, with
/// caches, tiny ones and none, twice, alone and in batches, answers as the reference does.
/// </summary>
internal sealed class TranslateTarget : IFuzzTarget
{
    private const int Requests = 256;
    private const int Rounds = 2;

    private static readonly CacheOptions[] Caches =
    [
        new() { ContextEntries = 64, IotlbSets = 64, NestedTlbSets = 16, GuestTableEntries = 64, HostTableEntries = 64 },
        CacheOptions.Smallest,
    ];

    public string Name => "translate";

    public string Description => "tables of both stages, DTEs, GCR3 tables and requests: every strategy and cache size against the reference";

    public void Run(ReadOnlyMemory<byte> input, FuzzTally tally) => Play(new(input), tally);

    /// <summary>Builds a machine and asks it.</summary>
    public static void Play(Dice dice, FuzzTally tally)
    {
        bool consistent = !dice.OneIn(4); // software that is not may confuse caches, so it is asked without any
        using var machine = new RandomTables(dice, consistent);
        var requests = new TranslationRequest[Requests];
        var expected = new ReferenceAnswer[Requests];
        for (int i = 0; i < requests.Length; i++)
        {
            requests[i] = machine.Request();
            expected[i] = machine.Twins.Reference.Translate(in requests[i]);
        }

        var results = new TranslationResult[Requests];
        foreach (WalkStrategy strategy in WalkStrategies.Supported)
        {
            foreach (CacheOptions caches in consistent ? Caches : [CacheOptions.None])
            {
                using TranslationPort port = machine.Twins.Engine.OpenPort(caches, strategy);
                for (int round = 0; round < Rounds; round++)
                {
                    Array.Fill(results, TranslationResult.Success(0xBAD_BAD0, 13, Access.Execute, 0xBAD)); // none may be left out
                    int pieces = round == 0 ? Requests : dice.Between(1, 64);
                    for (int done = 0; done < requests.Length; done += pieces)
                    {
                        int count = Math.Min(pieces, requests.Length - done);
                        port.Translate(requests.AsSpan(done, count), results.AsSpan(done, count));
                    }

                    for (int i = 0; i < requests.Length; i++)
                    {
                        if (!Twins.IsSame(in requests[i], expected[i], in results[i]))
                        {
                            // Once more, for the words that are not made for each of many answers.
                            Twins.AssertSame(in requests[i], expected[i], in results[i], $"{strategy}, {caches}, round {round}, request {i}");
                        }
                    }

                    tally.Translations += requests.Length;
                }
            }
        }

        foreach (ref readonly TranslationResult result in results.AsSpan())
        {
            tally.Note((ulong)result.Reason | (ulong)result.Stage << 8 | (ulong)result.PageShift << 16 | (ulong)result.Permissions << 24 | (ulong)result.Attempted << 32);
        }
    }
}
