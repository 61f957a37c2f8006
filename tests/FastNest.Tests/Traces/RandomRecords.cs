using FastNest.Amd.Pprs;
using FastNest.Engine;
using FastNest.Requests;
using FastNest.Traces;

namespace FastNest.Tests.Traces;

/// <summary>Records that may follow each other, but mean nothing.</summary>
internal sealed class RandomRecords(Dice dice)
{
    private ulong _address = 0x1000;
    private TranslationRequest _last = new(new DeviceId(1), 0x1000, Access.Read);

    public static int Kinds => 14;

    public TraceHeader Header() => new(
        new(dice.Word(), dice.Word(), dice.OneIn(2), dice.OneIn(2)),
        new() { Device = new((uint)dice.Below(1 << 16)), Turn = dice.Between(1, 1 << 20) });

    public TraceRecord Next() => dice.Below(Kinds) switch
    {
        0 => new RegionAdded(Page(), ((ulong)dice.Below(1 << 20) + 1) << 12, dice.OneIn(2)),
        1 => new RegionRemoved(Page()),
        2 => new RegisterRead(Window(), dice.Field(20, 0), 1 << dice.Below(4), Value()),
        3 => new RegisterWritten(Window(), dice.Word(), 1 << dice.Below(4), Value()),
        4 => new RegisterRestored(dice.Field(13, 3) & 0x3FF8, Value()),
        5 => Words(),
        6 => new MemoryWritten(dice.OneIn(2) ? dice.Word() : _address, Bytes(dice.Between(1, 5000))),
        7 => Port(),
        8 => new PortClosed(dice.Below(1 << 20)),
        9 => Requests(),
        10 => Page(dice.OneIn(2)),
        11 => dice.OneIn(2) ? new GuestsRun() : new DirtyTaken((ushort)dice.Below(1 << 16), dice.OneIn(2)),
        12 => new DeviceAnswered(dice.OneIn(2)),
        _ => new MemoryHashed(Page(), Page(), dice.Word()),
    };

    private ulong Page() => dice.Field(51, 12);

    private RegisterWindow Window() => (RegisterWindow)dice.Below(3);

    private ulong Value() => dice.OneIn(2) ? dice.Word() : (ulong)dice.Below(256);

    private byte[] Bytes(int length) => [.. Enumerable.Range(0, length).Select(_ => (byte)dice.Below(256))];

    /// <summary>As tables and rings are written: near each other, and like each other.</summary>
    private MemoryWritten Words()
    {
        _address = dice.OneIn(4) ? dice.Word() & ~7UL : _address + (ulong)dice.Below(64) * 8;
        ulong word = dice.Word();
        byte[] bytes = [.. Enumerable.Range(0, dice.Between(1, 20)).SelectMany(i => BitConverter.GetBytes(dice.OneIn(4) ? 0 : word + (ulong)i * 0x1000))];
        return new(_address, bytes);
    }

    private PortOpened Port() => new(
        dice.Below(1 << 20),
        new()
        {
            ContextEntries = Size(16),
            IotlbSets = Size(20),
            IotlbWays = dice.Between(1, 16),
            NestedTlbSets = Size(20),
            NestedTlbWays = dice.Between(1, 16),
            GuestTableEntries = Size(20),
            HostTableEntries = Size(20),
        },
        (WalkStrategy)dice.Below(6));

    private int Size(int bits) => dice.OneIn(4) ? 0 : 1 << dice.Between(0, bits);

    private RequestsTranslated Requests()
    {
        bool isBound = dice.OneIn(2);
        var requests = new TranslationRequest[dice.Between(1, 40)];
        var answers = new TranslationResult[requests.Length];
        for (int i = 0; i < requests.Length; i++)
        {
            _last = isBound && i > 0 ? _last : Requester();
            _last = (isBound ? _last with { Kind = RequestKind.Untranslated } : _last) with { Iova = Iova() };
            requests[i] = _last;
            answers[i] = Answer(_last.Iova);
        }

        return new(dice.Below(1 << 20), isBound, requests, answers);
    }

    private TranslationRequest Requester()
    {
        if (dice.OneIn(2))
        {
            return _last;
        }

        var access = (Access)dice.Below(8);
        var device = new DeviceId(dice.OneIn(8) ? (uint)dice.Word() : (uint)dice.Below(4));
        TranslationRequest request = dice.OneIn(2) ? new(device, 0, access) : new(device, (uint)dice.Below(1 << 20), 0, access, dice.OneIn(2));
        return request with { Kind = (RequestKind)dice.Below(3) };
    }

    private ulong Iova() => dice.Below(4) switch
    {
        0 => dice.Word(),
        1 => _last.Iova + 0x1000,
        _ => 0x10_0000 + (ulong)dice.Below(0x8000),
    };

    private TranslationResult Answer(ulong iova) => dice.Below(6) switch
    {
        0 => TranslationResult.Success(dice.Word(), dice.Between(12, 64), (Access)dice.Below(8), (ushort)dice.Below(1 << 16)),
        1 => TranslationResult.Message(iova + (ulong)dice.Below(2)),
        2 => TranslationResult.Fault((FaultReason)dice.Between(1, (int)FaultReason.AtsForbidden), dice.Word(), (Access)dice.Below(8), (TranslationStage)dice.Below(3), (ushort)dice.Below(9)),
        _ => TranslationResult.Success(iova + 0x7000_0000, 12, Access.ReadWrite, 3),
    };

    private PageRequested Page(bool hasPasid) => new(new PageRequest(
        new((uint)dice.Word()), hasPasid ? (uint)dice.Below(1 << 20) : null, dice.Word(), (Access)dice.Below(8), dice.Below(512), dice.OneIn(2), dice.OneIn(2)));
}
