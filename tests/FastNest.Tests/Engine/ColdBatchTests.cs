using FastNest.Engine;
using FastNest.Requests;
using FastNest.Tests.Machine;
using Xunit;

namespace FastNest.Tests.Engine;

/// <summary>Batches of one requester without caches: one address among many whose walk is out of the ordinary, at any place.</summary>
public sealed class ColdBatchTests : IDisposable
{
    private const uint Device = 9;
    private const ulong Domain = 5;
    private const ulong Second = 0x8000_0000;
    private const ulong Top = 0x1_0000_0000;
    private const ulong Page = 0x2_0000_0000;
    private const ulong Features = Mmio.BuiltEfr | Mmio.GTSup | Mmio.HASup | HdSup | GIoSup | 1UL << 53 | 1UL << 61;
    private const ulong HdSup = 1UL << 52;
    private const ulong GIoSup = 1UL << 48;
    private const ulong NoMarks = 1UL << 48 | 1UL << 54;
    private const ulong HostMarks = 3UL << 46; // HADUpdate
    private const ulong MarkedHost = 3UL << 7; // HAD
    private const ulong WithoutPasid = 1UL << 54; // GIoV
    private const ulong User = 7;
    private const ulong Accessed = 1UL << 5;
    private const ulong Dirty = 1UL << 6;
    private const int Batch = 40;

    private readonly TestMachine _machine = new(Features);
    private ulong _host;
    private ulong _tables = Top + 0x1000;

    public static TheoryData<WalkStrategy> Strategies => new(WalkStrategies.Supported);

    /// <summary>What is done to an address's walk.</summary>
    public static TheoryData<string> Oddities =>
    [
        "nothing",
        "absent 1", "absent 2", "absent 3", "absent 4",
        "read-only 1", "read-only 2", "read-only 3", "read-only 4",
        "no-execute 1", "no-execute 2", "no-execute 3", "no-execute 4",
        "supervisor 1", "supervisor 4",
        "large 2", "large 3",
        "host refuses table 1", "host refuses table 2", "host refuses table 3",
        "host refuses page", "host refuses writes", "host lacks page", "host lacks table", "host refuses in table",
        "host page of 2 MiB",
        "table elsewhere", "host table elsewhere", "host table nowhere",
        "page beyond the host's reach", "table beyond the host's reach",
        "address beyond the guest's reach",
        "message",
    ];

    public void Dispose() => _machine.Dispose();

    [Theory]
    [MemberData(nameof(Oddities))]
    public void AnOddAddressIsAnsweredAsIfItWereAlone(string oddity)
    {
        Build(_machine, Mmio.GTEn | NoMarks, WithoutPasid);
        ulong odd = Prepare(oddity);
        using TranslationPort scalar = _machine.Iommu.OpenPort(CacheOptions.None, WalkStrategy.Scalar);
        foreach (WalkStrategy strategy in WalkStrategies.Supported)
        {
            using TranslationPort port = _machine.Iommu.OpenPort(CacheOptions.None, strategy);
            foreach (Access access in new[] { Access.Read, Access.Write, Access.Read | Access.Execute })
            {
                foreach (Requester requester in new Requester[] { new(new(Device)), new(new(Device), 0), new(new(Device), 0, Privileged: true) })
                {
                    for (int place = 0; place < Batch; place++)
                    {
                        Check(scalar, port, requester, access, odd, place, $"{strategy}, {oddity}, {access}, {requester}, at {place}");
                    }
                }
            }
        }
    }

    /// <summary>Marks that are not set yet are set in the end, wherever they are lacking.</summary>
    [Theory]
    [MemberData(nameof(Strategies))]
    public void MarksThatLackAreSet(WalkStrategy strategy)
    {
        Build(_machine, Mmio.GTEn | HostMarks, MarkedHost);
        ulong[] iovas = [.. Enumerable.Range(0, 16).Select(static lane => Iova(lane))];
        ulong[] entries = [.. iovas.SelectMany(EntriesOf).Distinct()];
        using TranslationPort scalar = _machine.Iommu.OpenPort(CacheOptions.None, WalkStrategy.Scalar);
        using TranslationPort port = _machine.Iommu.OpenPort(CacheOptions.None, strategy);
        Write(scalar, iovas);
        foreach (ulong entry in entries)
        {
            ulong marked = _machine.Peek(entry);
            Assert.NotEqual(0UL, marked & Accessed);
            _machine.Poke(entry, marked & ~(Accessed | Dirty));
            Write(scalar, iovas);
            ulong expected = _machine.Peek(entry);
            _machine.Poke(entry, marked & ~(Accessed | Dirty));
            Write(port, iovas);
            Assert.Equal(expected, _machine.Peek(entry));
        }
    }

    private static void Write(TranslationPort port, ulong[] iovas)
    {
        var results = new TranslationResult[iovas.Length];
        port.Translate(new Requester(new(Device), 0), iovas, Access.Write, results);
        Assert.All(results, result => Assert.True(result.Succeeded));
    }

    private static void Check(
        TranslationPort scalar, TranslationPort port, Requester requester, Access access, ulong odd, int place, string context)
    {
        ulong[] iovas = [.. Enumerable.Range(0, Batch).Select(lane => lane == place ? odd : Iova(lane))];
        var expected = new TranslationResult[Batch];
        var actual = new TranslationResult[Batch];
        Array.Fill(actual, TranslationResult.Success(0xBAD_B000, 13, Access.Execute, 0xBAD));
        scalar.Translate(requester, iovas, access, expected);
        port.Translate(requester, iovas, access, actual);
        Assert.True(expected[(place + 1) % Batch].Succeeded, context);
        Assert.True(expected.SequenceEqual(actual), context);
    }

    /// <summary>Where a usual address lies: each in a table of its own.</summary>
    private static ulong Iova(int lane) => 0x40_0000_0000 + ((ulong)lane << 21) + ((ulong)lane << 12) + (ulong)lane;

    private void Build(TestMachine machine, ulong control, ulong flags)
    {
        machine.Start(control);
        machine.Memory.AddOwned(Second, 0x10_0000);
        _host = machine.NewTable();
        Back(Top);
        for (int lane = 0; lane < Batch; lane++)
        {
            Map(Iova(lane), Page + ((ulong)lane << 21));
        }

        ulong gcr3 = machine.NewTable();
        machine.Poke(gcr3, Top | 1);
        machine.SetDte(Device, Bits.DteLow(_host, 4) | Bits.GuestLow(gcr3) | flags, Domain | Bits.GuestMiddle(gcr3));
    }

    /// <summary>Gives a page of the guest's some memory, of which nobody else has any.</summary>
    private ulong Back(ulong page)
    {
        ulong memory = _machine.NewTable();
        _machine.SetEntry(_host, 4, page, 1, Bits.Pte(memory));
        return memory;
    }

    private void Map(ulong iova, ulong page)
    {
        Back(page);
        Set(iova, 1, page | User);
    }

    /// <summary>Where the guest's entry of a level stands, all tables above it made as needed.</summary>
    private ulong Slot(ulong iova, int level)
    {
        ulong table = Top;
        for (int at = 4; at > level; at--)
        {
            ulong slot = Bits.Slot(MemoryOf(table), at, iova);
            if ((_machine.Peek(slot) & 1) == 0)
            {
                Back(_tables);
                _machine.Poke(slot, _tables | User);
                _tables += 0x1000;
            }

            table = _machine.Peek(slot) & 0xF_FFFF_FFFF_F000;
        }

        return Bits.Slot(MemoryOf(table), level, iova);
    }

    private void Set(ulong iova, int level, ulong entry) => _machine.Poke(Slot(iova, level), entry);

    private void Change(ulong iova, int level, Func<ulong, ulong> change) => Set(iova, level, change(_machine.Peek(Slot(iova, level))));

    /// <summary>Where the host's entry of a level stands.</summary>
    private ulong HostSlot(ulong page, int level)
    {
        ulong table = _host;
        for (int at = 4; at > level; at--)
        {
            table = _machine.Peek(Bits.Slot(table, at, page)) & 0xF_FFFF_FFFF_F000;
        }

        return Bits.Slot(table, level, page);
    }

    private ulong MemoryOf(ulong page) => _machine.Peek(HostSlot(page, 1)) & 0xF_FFFF_FFFF_F000;

    private void ChangeHost(ulong page, int level, Func<ulong, ulong> change)
    {
        ulong slot = HostSlot(page, level);
        _machine.Poke(slot, change(_machine.Peek(slot)));
    }

    /// <summary>The entries that an address's walk reads.</summary>
    private IEnumerable<ulong> EntriesOf(ulong iova)
    {
        ulong table = Top;
        for (int level = 4; ; level--)
        {
            for (int host = 4; host > 0; host--)
            {
                yield return HostSlot(table, host);
            }

            if (level == 0)
            {
                yield break;
            }

            ulong slot = Bits.Slot(MemoryOf(table), level, iova);
            yield return slot;
            table = _machine.Peek(slot) & 0xF_FFFF_FFFF_F000;
        }
    }

    /// <summary>An address with tables of its own on every level, and what is odd about them.</summary>
    private ulong Prepare(string oddity)
    {
        const ulong odd = 0x1280_0060_5000 | 0x123;
        const ulong page = 0x3_0000_0000;
        Map(odd, page);
        string[] words = oddity.Split(' ');
        int level = words[^1].Length == 1 ? words[^1][0] - '0' : 1;
        ulong Table(int of) => _machine.Peek(Slot(odd, of + 1)) & 0xF_FFFF_FFFF_F000;
        switch (words[0])
        {
            case "absent":
                Change(odd, level, static entry => entry & ~1UL);
                break;
            case "read-only":
                Change(odd, level, static entry => entry & ~2UL);
                break;
            case "no-execute":
                Change(odd, level, static entry => entry | 1UL << 63);
                break;
            case "supervisor":
                Change(odd, level, static entry => entry & ~4UL);
                break;
            case "large":
                ulong size = 1UL << Bits.LevelShift(level);
                Set(odd, level, size | User | 0x80);
                Back(size | (odd & (size - 1) & ~0xFFFUL));
                break;
            case "message":
                Map(0xFEE0_1000, page);
                return 0xFEE0_1000;
        }

        // Where a walk that takes a table for one in memory might read instead.
        for (ulong at = TestMachine.RamSize - 0x1000; at < TestMachine.RamSize; at += 8)
        {
            _machine.Poke(at, oddity == "table elsewhere" ? Page | User : Bits.Pte(MemoryOf(Page)));
        }

        switch (oddity)
        {
            case "host refuses table 1" or "host refuses table 2" or "host refuses table 3":
                ChangeHost(Table(level), 1, static entry => entry & ~Bits.IR);
                break;
            case "host refuses page":
                ChangeHost(page, 1, static entry => entry & ~Bits.IR);
                break;
            case "host refuses writes":
                ChangeHost(page, 1, static entry => entry & ~Bits.IW);
                break;
            case "host lacks page":
                ChangeHost(page, 1, static _ => 0);
                break;
            case "host lacks table":
                ChangeHost(page, 2, static _ => 0);
                break;
            case "host refuses in table":
                ChangeHost(page, 3, static entry => entry & ~Bits.IR);
                break;
            case "host page of 2 MiB":
                ChangeHost(page, 2, static _ => Bits.Pte(0x4000_0000));
                break;
            case "table elsewhere":
                Copy(MemoryOf(Table(1)), Second);
                ChangeHost(Table(1), 1, static _ => Bits.Pte(Second));
                break;
            case "host table elsewhere":
                Copy(HostSlot(page, 1) & ~0xFFFUL, Second);
                ChangeHost(page, 2, static _ => Bits.Pde(Second, 1));
                break;
            case "host table nowhere":
                ChangeHost(page, 2, static _ => Bits.Pde(TestMachine.Hole, 1));
                break;
            case "page beyond the host's reach":
                Change(odd, 1, static entry => entry | 1UL << 48);
                break;
            case "table beyond the host's reach":
                Change(odd, 2, static entry => entry | 1UL << 48);
                break;
            case "address beyond the guest's reach":
                return odd | 1UL << 50;
        }

        return odd;
    }

    private void Copy(ulong from, ulong to)
    {
        for (ulong at = 0; at < 0x1000; at += 8)
        {
            _machine.Poke(to + at, _machine.Peek(from + at));
        }
    }
}
