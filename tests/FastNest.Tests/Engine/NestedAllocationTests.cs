using FastNest.Amd;
using FastNest.Dma;
using FastNest.Engine;
using FastNest.Requests;
using FastNest.Tests.Machine;
using Xunit;

namespace FastNest.Tests.Engine;

public class NestedAllocationTests
{
    private const uint Device = 0x20;
    private const uint Pasid = 1;
    private const ulong Gcr3 = 0x70_0000;
    private const ulong GuestRoot = 0x71_0000;
    private const ulong GuestEntry = 0x7;

    [Theory]
    [InlineData("default")]
    [InlineData("smallest")]
    [InlineData("none")]
    public void ANestedBatchAllocatesNothingEvenWhenItSetsAccessedAndDirty(string caches)
    {
        using var machine = new TestMachine(IommuFeatures.Built.ExtendedFeatures, IommuFeatures.Built.ExtendedFeatures2);
        ulong host = machine.NewTable();
        for (ulong page = 0; page < 8; page++)
        {
            machine.SetEntry(host, 3, page << 21, 2, Bits.Pte(page << 21));
        }

        machine.Poke(Gcr3 + Pasid * 8, GuestRoot | 1);
        machine.Poke(GuestRoot, (GuestRoot + 0x1000) | GuestEntry);
        machine.Poke(GuestRoot + 0x1000, (GuestRoot + 0x2000) | GuestEntry);
        machine.Poke(GuestRoot + 0x2000, (GuestRoot + 0x3000) | GuestEntry);
        for (ulong page = 0; page < 512; page++)
        {
            machine.Poke(GuestRoot + 0x3000 + page * 8, page << 12 | GuestEntry);
        }

        machine.SetDte(Device, Bits.DteLow(host, 3) | Bits.GuestLow(Gcr3), 5 | Bits.GuestMiddle(Gcr3));
        machine.Start(1UL << 16 | 1UL << 58);
        CacheOptions options = caches switch
        {
            "default" => new(),
            "smallest" => CacheOptions.Smallest,
            _ => CacheOptions.None,
        };
        using TranslationPort port = machine.Iommu.OpenPort(options);
        ulong[] iovas = [.. Enumerable.Range(0, 1024).Select(static i => (ulong)(i * 7 % 512) << 12)];
        var results = new TranslationResult[iovas.Length];
        var requester = new Requester(new(Device), Pasid);
        for (int i = 0; i < 40; i++)
        {
            port.Translate(requester, iovas.AsSpan(0, 512), Access.Write, results);
        }

        void ClearHalfTheMarks()
        {
            for (ulong page = 0; page < 512; page += 2)
            {
                machine.Poke(GuestRoot + 0x3000 + page * 8, page << 12 | GuestEntry);
            }
        }

        Assert.Equal(0, Allocations.Least(ClearHalfTheMarks, () => port.Translate(requester, iovas, Access.Write, results)));
        Assert.All(results, static result => Assert.True(result.Succeeded));
    }

    public static TheoryData<WalkStrategy> Strategies => [.. WalkStrategies.Supported];

    /// <summary>
    /// Requests that go side by side only with their like, refused ones and ATS requests among them; transfers, lists of them,
    /// and ranges.
    /// </summary>
    [Theory]
    [MemberData(nameof(Strategies))]
    public void NothingElseAllocatesEither(WalkStrategy strategy)
    {
        using var machine = new TestMachine(IommuFeatures.Built.ExtendedFeatures, IommuFeatures.Built.ExtendedFeatures2);
        ulong root = machine.NewTable();
        for (ulong page = 0; page < 64; page++)
        {
            machine.Map(root, 3, page << 12, 0x80_0000 + (page << 12));
        }

        ulong host = machine.NewTable();
        for (ulong page = 0; page < 8; page++)
        {
            machine.SetEntry(host, 4, page << 21, 2, Bits.Pte(page << 21));
        }

        machine.Poke(Gcr3 + Pasid * 8, GuestRoot | 1);
        for (ulong level = 0; level < 3; level++)
        {
            machine.Poke(GuestRoot + level * 0x1000, (GuestRoot + (level + 1) * 0x1000) | GuestEntry);
        }

        for (ulong page = 0; page < 64; page++)
        {
            machine.Poke(GuestRoot + 0x3000 + page * 8, (0x80_0000 + (page << 12)) | GuestEntry);
        }

        machine.SetDte(Device, Bits.DteLow(root, 3), 5 | 1UL << 32);
        machine.SetDte(Device + 1, Bits.DteLow(root, 3) & ~Bits.IW, 6 | 1UL << 32);
        machine.SetDte(Device + 2, Bits.DteLow(machine.NewTable(), 2), 7);
        machine.SetDte(Device + 4, Bits.DteLow(host, 4) | Bits.GuestLow(Gcr3), 8 | 1UL << 32 | Bits.GuestMiddle(Gcr3));
        machine.Start(Mmio.GTEn | 1UL << 58);
        using TranslationPort port = machine.Iommu.OpenPort(new(), strategy);
        var dma = new DmaPort(port);
        Requester[] requesters = [new(new(Device)), new(new(Device + 4), Pasid)];
        TranslationRequest[] requests = [.. Enumerable.Range(0, 300).Select(Request)];
        var results = new TranslationResult[requests.Length];
        var runs = new TranslatedRun[8];
        var buffer = new byte[0x3000];
        DmaSegment[] list = [new(0x10, 0x1800), new(0x3000, 0x10), new(0x7F_F000, 0x100)];
        void Everything()
        {
            port.Translate(requests, results);
            foreach (Requester requester in requesters)
            {
                dma.Write(requester, 0x123, buffer);
                dma.Read(requester, 0x3_E000, buffer);
                dma.Write(requester, list, buffer);
                dma.Read(requester, list, buffer);
                port.TranslateRange(requester, 0x1000, 0x2_0000, Access.Read, runs, out _, out _);
            }
        }

        for (int i = 0; i < 40; i++)
        {
            Everything();
        }

        Assert.Equal(0, Allocations.Least(() => machine.DrainEvents(), Everything));
        Assert.All(
            requests.Zip(results).GroupBy(static pair => (pair.First.Device, pair.First.Kind)).Where(static group => group.Key.Device.Value is Device or Device + 4),
            static group => Assert.Equal([false, true], group.Select(static pair => pair.Second.Succeeded).Distinct().Order()));
    }

    /// <summary>Of five devices in turn, some beyond what they have mapped, one in seven for a device's own cache.</summary>
    private static TranslationRequest Request(int i)
    {
        var device = new DeviceId(Device + (uint)i % 5);
        ulong iova = (ulong)i % 83 << 12;
        Access access = i % 3 == 0 ? Access.Write : Access.Read;
        RequestKind kind = i % 7 == 0 ? RequestKind.Translation : RequestKind.Untranslated;
        return device.Value == Device + 4
            ? new(device, Pasid, iova, access) { Kind = kind }
            : new(device, iova, access) { Kind = kind };
    }
}
