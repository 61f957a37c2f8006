using FastNest.Engine;
using FastNest.Requests;
using FastNest.Tests.Machine;
using Xunit;

namespace FastNest.Tests.Walks;

/// <summary>Whatever the strategy, answers are those of walks one by one without caches.</summary>
internal static class AsScalar
{
    private const int Rounds = 3;

    public static TheoryData<WalkStrategy> Strategies => new(WalkStrategies.Supported);

    public static TranslationResult[] Check(TestMachine machine, WalkStrategy strategy, params TranslationRequest[] requests)
    {
        using TranslationPort scalar = machine.Iommu.OpenPort(CacheOptions.None, WalkStrategy.Scalar);
        TranslationResult[] expected = [.. requests.Select(request => scalar.Translate(in request))];
        foreach (CacheOptions caches in (CacheOptions[])[CacheOptions.None, CacheOptions.Smallest, new() { IotlbSets = 0 }, new()])
        {
            using TranslationPort port = machine.Iommu.OpenPort(caches, strategy);
            var results = new TranslationResult[requests.Length];
            for (int round = 0; round < Rounds; round++)
            {
                port.Translate(requests, results);
                Assert.Equal(expected, results);
                CheckBound(port, requests, expected);
            }
        }

        return expected;
    }

    /// <summary>The same requests as batches of one requester each.</summary>
    private static void CheckBound(TranslationPort port, TranslationRequest[] requests, TranslationResult[] expected)
    {
        foreach (var group in requests.Zip(expected).GroupBy(pair => pair.First with { Iova = 0 }))
        {
            TranslationRequest key = group.Key;
            ulong[] iovas = [.. group.Select(pair => pair.First.Iova)];
            var results = new TranslationResult[iovas.Length];
            port.Translate(new Requester(key.Device, key.HasPasid ? key.Pasid : null, key.Privileged), iovas, key.Access, results);
            Assert.Equal(group.Select(pair => pair.Second), results);
        }
    }

    /// <summary>Each address for reading, for writing and for fetching.</summary>
    public static TranslationRequest[] Of(uint device, params ulong[] iovas) =>
    [
        .. iovas.Concat(iovas).SelectMany(iova => new[] { Access.Read, Access.Write, Access.Execute, Access.ReadWrite }
            .Select(access => new TranslationRequest(new(device), iova, access))),
    ];

    /// <summary>The same with a PASID, with and without privilege.</summary>
    public static TranslationRequest[] OfPasid(uint device, uint pasid, params ulong[] iovas) =>
    [
        .. iovas.Concat(iovas).SelectMany(iova => new[] { Access.Read, Access.Write, Access.Execute, Access.ReadWrite }
            .SelectMany(access => new[] { false, true }.Select(privileged => new TranslationRequest(new(device), pasid, iova, access, privileged)))),
    ];
}
