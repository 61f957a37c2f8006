using FastNest.Amd;
using FastNest.Amd.Events;
using FastNest.Engine;
using FastNest.Memory;
using FastNest.Reference;
using FastNest.Requests;
using FastNest.Tests.Reference;
using Xunit;

namespace FastNest.Tests.Properties;

/// <summary>
/// An IOMMU over <see cref="HistoryTables"/> and its history: what software does is done to the engine and told to the
/// history, and every answer of the engine must be one that the history allows. Memory is twofold; what the engine marks in
/// its own is told to the history too.
/// </summary>
internal sealed class HistoryMachine : IDisposable
{
    private const ulong CommandRing = 0x2000;
    private const ulong Semaphore = 0x3000;
    private const ulong MarkControl = 1UL << 48 | 1UL << 54; // GDUpdateDis, GAUpdateDis

    private static readonly CacheOptions[] Caches =
    [
        CacheOptions.None,
        CacheOptions.Smallest,
        new(),
        new() { ContextEntries = 2, IotlbSets = 2, IotlbWays = 1, NestedTlbSets = 2, NestedTlbWays = 1, GuestTableEntries = 2, HostTableEntries = 2, Tags = 9 },
        new() { ContextEntries = 4, IotlbSets = 1, IotlbWays = 4, NestedTlbSets = 1, NestedTlbWays = 4, GuestTableEntries = 8, HostTableEntries = 8, Tags = 5 },
        new() { IotlbSets = 0 },
        new() { IotlbSets = 0, NestedTlbSets = 0 },
        new() { NestedTlbSets = 0, HostTableEntries = 0 },
        new() { GuestTableEntries = 0, ContextEntries = 0 },
    ];

    private readonly Dice _dice;
    private readonly bool _marks;
    private readonly GuestPhysicalSpace _space = new();
    private readonly ReferenceMemory _model = new();
    private readonly ReferenceHistory _history;
    private readonly ReferenceIommu _now;
    private readonly AmdIommu _iommu;
    private readonly TranslationPort[] _ports;
    private readonly HistoryTables _tables;
    private readonly List<string> _log = [];
    private readonly List<(TranslationRequest Request, int Port)> _recent = [];
    private ulong _control;
    private ulong _tail;
    private ulong _ticket;

    public HistoryMachine(Dice dice)
    {
        _dice = dice;
        _marks = dice.OneIn(3);
        _space.AddOwned(0, HistoryTables.MemorySize);
        _model.Add(0, HistoryTables.MemorySize);
        IommuFeatures features = IommuFeatures.Built;
        _iommu = new(_space, new() { Features = features });
        _history = new(_model, features.ExtendedFeatures, features.ExtendedFeatures2);
        _now = new(_model, features.ExtendedFeatures, features.ExtendedFeatures2);
        _tables = new(dice, _marks, Put);
        WriteRegister(Mmio.DeviceTableBase, HistoryTables.DeviceTable);
        WriteRegister(Mmio.CommandBase, CommandRing | 8UL << 56);
        _control = Mmio.IommuEn | Mmio.CmdBufEn | Mmio.GTEn | (dice.OneIn(2) ? 1UL << 58 : 0) | (_marks ? 3UL << 46 : MarkControl);
        WriteRegister(Mmio.Control, _control);
        _ports = [.. Caches.Select(caches => _iommu.OpenPort(caches, dice.From(WalkStrategies.Supported)))];
    }

    /// <summary>Answers that were not the present state's, by port.</summary>
    public int[] Stale { get; } = new int[Caches.Length];

    /// <summary>Those of them that came through guest tables.</summary>
    public int StaleNested { get; private set; }

    public int Answers { get; private set; }

    public int Granted { get; private set; }

    /// <summary>The port without caches.</summary>
    public static int Uncached => 0;

    public void Dispose()
    {
        Array.ForEach(_ports, static port => port.Dispose());
        _space.Dispose();
    }

    public void Step(int step)
    {
        switch (_dice.Below(24))
        {
            case < 6:
                Change();
                break;
            case < 9:
                Invalidate();
                break;
            case 9 when _dice.OneIn(4):
                ChangeSettings();
                break;
            default:
                Translate();
                break;
        }

        if (step % 50 == 49)
        {
            // Lest everything become possible.
            Send(Bits.InvalidateAll());
            Wait();
        }
    }

    private void Put(ulong address, ulong value)
    {
        Assert.Equal(MemoryStatus.Ok, _space.Store64(address, value));
        Assert.True(_history.TryWrite64(address, value));
        _log.Add($"[{address:x}] = {value:x}");
    }

    private void WriteRegister(ulong offset, ulong value)
    {
        _iommu.Write(offset, 8, value);
        _history.WriteRegister(offset, 8, value);
        _now.Write(offset, 8, value);
        _log.Add($"register {offset:x} = {value:x}");
    }

    private void ChangeSettings()
    {
        switch (_dice.Below(4))
        {
            case 0:
                // What stands while the IOMMU is off is never read.
                WriteRegister(Mmio.Control, _control & ~Mmio.IommuEn);
                for (int i = _dice.Below(4); i > 0; i--)
                {
                    Change();
                    Translate();
                }

                WriteRegister(Mmio.Control, _control);
                return;
            case 1:
                ulong limit = _dice.From(HistoryTables.Iovas);
                WriteRegister(Mmio.ExclusionLimit, limit);
                WriteRegister(Mmio.ExclusionBase, limit | _dice.Of(0UL, 1UL, 3UL));
                break;
            default:
                _control ^= _dice.Of(Mmio.GTEn, 1UL << 58);
                WriteRegister(Mmio.Control, _control);
                break;
        }

        if (_dice.OneIn(2))
        {
            Send(Bits.InvalidateAll());
            Wait();
        }
    }

    private void Invalidate()
    {
        for (int i = _dice.Between(1, 3); i > 0; i--)
        {
            ushort domain = (ushort)_dice.Between(1, 2);
            bool guest = _dice.OneIn(2);
            bool pde = !_dice.OneIn(3);
            int bits = _dice.Of(12, 12, 13, 14, 21, 22, 30, 64, 64);
            ulong address = _dice.From(guest ? HistoryTables.Iovas : HistoryTables.Gpas);
            uint pasid = _dice.From(HistoryTables.Pasids);
            uint device = (uint)_dice.Below(HistoryTables.Devices);
            if (_recent.Count != 0 && !_dice.OneIn(3))
            {
                // What is likely to be cached, after a change of what it came from.
                Change();
                TranslationRequest recent = _dice.From(_recent).Request;
                (device, domain) = (recent.Device.Value, (ushort)(recent.Device.Value < 2 ? 1 : 2));
                (pasid, address) = guest ? (recent.Pasid, recent.Iova & ~0xFFFUL) : (pasid, address);
            }

            Send(_dice.Below(20) switch
            {
                0 => Bits.InvalidateAll(),
                <= 4 => Bits.InvalidateDevice(device),
                5 => _dice.Of(Bits.Command(4, device, 0), Bits.Command(5, device), Bits.Command(6, device | (ulong)pasid << 32, address | 4)),
                _ => HistoryRig.InvalidatePages(domain, address, bits, guest ? pasid : null, pde),
            });
            if (_dice.OneIn(4))
            {
                Change();
                Translate(); // submitted but not known to be completed
            }
        }

        if (!_dice.OneIn(6))
        {
            Wait();
            for (int i = 0; i < _recent.Count; i++)
            {
                TranslationRequest again = _recent[i].Request;
                Translate(in again, _recent[i].Port);
            }
        }
    }

    private void Send((ulong Low, ulong High) command)
    {
        _log.Add($"command {command.Low:x} {command.High:x}");
        _history.Submit(command.Low, command.High);
        Assert.Equal(MemoryStatus.Ok, _space.Store64(CommandRing + _tail, command.Low));
        Assert.Equal(MemoryStatus.Ok, _space.Store64(CommandRing + _tail + 8, command.High));

        // A damaged entry may lead a walk even here.
        Assert.True(_history.TryWrite64(CommandRing + _tail, command.Low) && _history.TryWrite64(CommandRing + _tail + 8, command.High));
        _tail = (_tail + 16) & 0xFFF;
        _iommu.Write(Mmio.CommandTail, 4, _tail);
        TellMarks(); // a prefetch may mark
    }

    private void Wait()
    {
        Send(Bits.StoreWait(Semaphore, ++_ticket));
        Assert.Equal(MemoryStatus.Ok, _space.Load64(Semaphore, out ulong stored));
        Assert.Equal(_ticket, stored);
        Assert.True(_history.TryWrite64(Semaphore, stored));
        _history.CompleteWait();
    }

    /// <summary>Changes what a request just used, or anything.</summary>
    private void Change() => _tables.Change(
        _recent.Count == 0 ? [] : _now.Translate(_dice.From(_recent).Request).Steps.Select(static step => step.Spa));

    /// <summary>A request, mostly one that the same port had lately.</summary>
    private void Translate()
    {
        (TranslationRequest request, int port) = _recent.Count > 4 && !_dice.OneIn(3) ? _dice.From(_recent) : (_tables.Request(), _dice.Below(_ports.Length));
        Translate(in request, port);
        if (_recent.Count == 8)
        {
            _recent.RemoveAt(_dice.Below(8));
        }

        _recent.Add((request, port));
    }

    /// <summary>Alone, several times over, or among others: batches take other ways through the engine.</summary>
    private void Translate(in TranslationRequest request, int port)
    {
        int more = _marks && port == Uncached ? 0 : _dice.Of(0, 0, 0, 3, 8);
        bool bound = _dice.OneIn(4);
        var requests = new TranslationRequest[1 + more];
        bool same = _dice.OneIn(3);
        for (int i = 0; i <= more; i++)
        {
            TranslationRequest other = i == 0 || same || _recent.Count == 0 ? request : _dice.From(_recent).Request;
            requests[i] = bound ? request with { Kind = RequestKind.Untranslated, Iova = other.Iova } : other;
        }

        ReferenceAllowedAnswer[] present = [.. requests.Select(one => ReferenceAllowedAnswer.Of(_now.Translate(in one)))];
        var results = new TranslationResult[requests.Length];
        if (bound)
        {
            var requester = new Requester(request.Device, request.HasPasid ? request.Pasid : null, request.Privileged);
            _ports[port].Translate(requester, requests.Select(static one => one.Iova).ToArray(), request.Access, results);
        }
        else
        {
            _ports[port].Translate(requests, results);
        }

        if (more != 0)
        {
            TellMarks(); // one of a batch may see what another marked
        }

        for (int i = 0; i < requests.Length; i++)
        {
            Check(in requests[i], in results[i], present[i], port);
        }

        TellMarks();
    }

    private void Check(in TranslationRequest request, in TranslationResult result, ReferenceAllowedAnswer present, int port)
    {
        ReferenceAllowedAnswer answer = Told(in request, in result);
        bool stale = answer != present;
        if (stale)
        {
            IReadOnlyCollection<ReferenceAllowedAnswer> allowed = _history.Allowed(in request);
            Assert.True(
                port != Uncached && allowed.Contains(answer),
                $"port {port}, {request}: {answer} is none of\n{string.Join('\n', allowed)}\npresent: {present}\n{string.Join('\n', _log.TakeLast(80))}");
        }

        Answers++;
        Granted += result.Succeeded ? 1 : 0;
        Stale[port] += stale ? 1 : 0;
        StaleNested += stale && request.HasPasid ? 1 : 0;
        _log.Add($"port {port}, {request}: {answer}");
    }

    private static ReferenceAllowedAnswer Told(in TranslationRequest request, in TranslationResult result)
    {
        if (result.Succeeded)
        {
            return new(result.Address, result.PageShift, result.Permissions, result.IsMessage, null);
        }

        IommuEvent entry = AmdIommu.Describe(in request, in result);
        return new(null, 0, Access.None, false, entry.Code == EventCode.None ? null : new(entry.Word0, entry.Word1));
    }

    private void TellMarks()
    {
        foreach (ulong address in _tables.Entries)
        {
            _space.Load64(address, out ulong mine);
            _model.TryRead64(address, out ulong model);
            if (mine != model)
            {
                Assert.True(_history.TryWrite64(address, mine));
                _log.Add($"marked [{address:x}] = {mine:x}");
            }
        }
    }
}
