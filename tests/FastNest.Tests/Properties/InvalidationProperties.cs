using FastNest.Amd;
using FastNest.Engine;
using FastNest.Reference;
using FastNest.Requests;
using FsCheck.Xunit;
using Xunit;

namespace FastNest.Tests.Properties;

/// <summary>
/// Histories of changes, invalidations and translations with small caches: every answer is one that the tables gave at some
/// time since the last completed invalidation that covers it. Each entry on the way may be of its own time: the device's
/// since its own invalidation, tables and pages since the page's. To replay, see <see cref="Seed"/>.
/// </summary>
public sealed class InvalidationProperties
{
    private const ulong DeviceTable = 0x1000;
    private const ulong CommandRing = 0x20_0000;
    private const ulong Semaphore = 0x22_0000;
    private const ulong Pool = 0x10_0000;
    private const int Devices = 3;
    private const ushort Domains = 2;

    /// <summary>Domain d: root of level 3, a table of level 2, and two tables of level 1 that take turns.</summary>
    private static ulong Root(int domain) => Pool + (ulong)domain * 0x10000;

    private static ulong Directory(int domain) => Root(domain) + 0x1000;

    private static ulong Leaves(int domain, int table) => Root(domain) + 0x2000 + (ulong)table * 0x1000;

    [Property(Arbitrary = [typeof(Seed)], MaxTest = 150)]
    public void AnAnswerIsNeverOlderThanTheLastInvalidationThatCoversIt(Seed seed)
    {
        ArgumentNullException.ThrowIfNull(seed);
        var history = new History(new Dice(seed.Value));
        using (history)
        {
            for (int step = 0; step < 250; step++)
            {
                history.Step(step);
            }
        }
    }

    private sealed class History : IDisposable
    {
        private readonly Dice _dice;
        private readonly Twins _twins = new(Mmio.BuiltEfr);
        private readonly TranslationPort[] _ports;
        private readonly Dictionary<ulong, List<(int Time, ulong Value)>> _values = [];
        private readonly int[] _deviceCleared = new int[Devices];
        private readonly Dictionary<(int Domain, ulong Page), int> _pageCleared = [];
        private readonly int[] _domainCleared = new int[Domains];
        private readonly List<string> _log = [];
        private int _now;
        private ulong _ticket;

        public History(Dice dice)
        {
            _dice = dice;
            _twins.Add(DeviceTable, 1);
            _twins.Add(Pool, 32);
            _twins.Add(CommandRing, 1);
            _twins.Add(Semaphore, 1);
            for (int domain = 0; domain < Domains; domain++)
            {
                Set(Root(domain), Bits.Pde(Directory(domain), 2));
                for (ulong slot = 0; slot < 2; slot++)
                {
                    Set(Directory(domain) + slot * 8, RandomDirectory(domain));
                    for (int table = 0; table < 2; table++)
                    {
                        for (ulong page = 0; page < 4; page++)
                        {
                            Set(Leaves(domain, table) + page * 8, RandomLeaf());
                        }
                    }
                }
            }

            for (int device = 0; device < Devices; device++)
            {
                SetDevice(device);
            }

            _twins.Write(Mmio.DeviceTableBase, DeviceTable);
            _twins.Write(Mmio.CommandBase, CommandRing | 8UL << 56);
            _twins.Write(Mmio.Control, Mmio.IommuEn | Mmio.CmdBufEn);
            _ports =
            [
                _twins.Engine.OpenPort(null, AnyStrategy()),
                _twins.Engine.OpenPort(new() { ContextEntries = 1, IotlbSets = 1, IotlbWays = 1, HostTableEntries = 1 }, AnyStrategy()),
                _twins.Engine.OpenPort(new() { ContextEntries = 4, IotlbSets = 2, IotlbWays = 2, HostTableEntries = 2, Tags = 6 }, AnyStrategy()),
                _twins.Engine.OpenPort(new() { ContextEntries = 4, IotlbSets = 64, IotlbWays = 4, HostTableEntries = 0 }, AnyStrategy()),
                _twins.Engine.OpenPort(new() { ContextEntries = 4, IotlbSets = 0, HostTableEntries = 64 }, AnyStrategy()),
            ];
        }

        private WalkStrategy AnyStrategy() => _dice.From(WalkStrategies.Supported);

        public void Dispose() => _twins.Dispose();

        public void Step(int step)
        {
            switch (_dice.Below(12))
            {
                case 0:
                    int domain = _dice.Below(Domains);
                    Set(Leaves(domain, _dice.Below(2)) + (ulong)_dice.Below(4) * 8, RandomLeaf());
                    break;
                case 1:
                    domain = _dice.Below(Domains);
                    Set(Directory(domain) + (ulong)_dice.Below(2) * 8, RandomDirectory(domain));
                    break;
                case 2 when _dice.OneIn(3):
                    SetDevice(_dice.Below(Devices));
                    break;
                case 3:
                    Invalidate();
                    break;
                default:
                    Translate(step);
                    break;
            }
        }

        private static IEnumerable<ulong> Pages => Enumerable.Range(0, 8).Select(static page => ((ulong)page & 4) << 19 | ((ulong)page & 3) << 12);

        private ulong RandomLeaf() => _dice.OneIn(4) ? 0 : Bits.Pte((ulong)_dice.Between(0x100, 0x1FF) << 12, _dice.Of(Bits.IR | Bits.IW, Bits.IR | Bits.IW, Bits.IR));

        private ulong RandomDirectory(int domain) => _dice.Below(6) switch
        {
            0 => 0,
            1 => Bits.Pte((ulong)_dice.Between(1, 100) << 30, _dice.Of(Bits.IR | Bits.IW, Bits.IR)),
            _ => Bits.Pde(Leaves(domain, _dice.Below(2)), 1, _dice.Of(Bits.IR | Bits.IW, Bits.IR | Bits.IW, Bits.IR)),
        };

        private void SetDevice(int device)
        {
            // One quadword decides, so that an entry has one value at a time: devices 0 and 1 of domain 0 differ in their rights only.
            ulong at = DeviceTable + (ulong)device * 32;
            int domain = device == 2 ? 1 : 0;
            if (!_values.ContainsKey(at + 8))
            {
                Set(at + 8, 0x10 + (ulong)domain);
            }

            Set(at, _dice.Below(6) switch
            {
                0 => Bits.V,
                1 => 0,
                2 => Bits.DteLow(Root(domain), 3, Bits.IR),
                _ => Bits.DteLow(Root(domain), 3),
            });
        }

        private void Set(ulong address, ulong value)
        {
            _now++;
            _twins.Store(address, value);
            if (!_values.TryGetValue(address, out List<(int, ulong)>? values))
            {
                _values[address] = values = [];
            }

            values.Add((_now, value));
            _log.Add($"{_now}: [{address:x}] = {value:x}");
        }

        private void Invalidate()
        {
            var commands = new List<(ulong, ulong)>();
            _now++;
            for (int i = _dice.Between(1, 3); i > 0; i--)
            {
                int domain = _dice.Below(Domains);
                switch (_dice.Below(8))
                {
                    case 0:
                        commands.Add(Bits.InvalidateAll());
                        Array.Fill(_deviceCleared, _now);
                        Array.Fill(_domainCleared, _now);
                        break;
                    case 1 or 2:
                        int device = _dice.Below(Devices);
                        commands.Add(Bits.InvalidateDevice((uint)device));
                        _deviceCleared[device] = _now;
                        break;
                    case 3:
                        commands.Add(Bits.InvalidatePages((ushort)(0x10 + domain), _dice.Of<ulong>(0x7FFF_FFFF_FFFF_F000, 0xFFFF_FFFF_FFFF_F000), true));
                        _domainCleared[domain] = _now;
                        break;
                    default:
                        bool sized = _dice.OneIn(2);
                        ulong address = _dice.From(Pages.ToArray());
                        int shift = sized ? _dice.Between(13, 24) : 12;
                        if (sized)
                        {
                            address = address & ~((1UL << shift) - 1) | (1UL << (shift - 1)) - 0x1000;
                        }

                        commands.Add(Bits.InvalidatePages((ushort)(0x10 + domain), address, sized));
                        foreach (ulong page in Pages.Where(page => page >> shift == address >> shift))
                        {
                            _pageCleared[(domain, page)] = _now;
                        }

                        break;
                }

                _log.Add($"{_now}: {commands[^1].Item1:x} {commands[^1].Item2:x}");
            }

            if (_dice.OneIn(15))
            {
                commands.AddRange(Enumerable.Repeat(Bits.InvalidatePages(0x99, 0, false), 200)); // a port may fall behind
            }

            commands.Add(Bits.StoreWait(Semaphore, ++_ticket));
            ulong tail = _twins.Engine.Read(Mmio.CommandTail, 8);
            foreach ((ulong low, ulong high) in commands)
            {
                _twins.Store(CommandRing + tail, low);
                _twins.Store(CommandRing + tail + 8, high);
                tail = (tail + 16) & 0xFFF;
            }

            _twins.Engine.Write(Mmio.CommandTail, 4, tail);
            Assert.Equal(_ticket, _twins.Load(Semaphore));
        }

        private void Translate(int step)
        {
            int device = _dice.Below(Devices);
            int domain = device == 2 ? 1 : 0;
            ulong page = _dice.From(Pages.ToArray());
            var request = new TranslationRequest(new((uint)device), page | _dice.Field(11, 0), _dice.Of(Access.Read, Access.Write));
            int port = _dice.Below(_ports.Length);
            TranslationResult result = Repeated.Ask(_ports[port], in request, _dice);
            HashSet<string> allowed = Allowed(in request, device, domain, page);
            Assert.True(
                allowed.Contains(Text(in request, in result)),
                $"step {step}, port {port}: {request} -> {Text(in request, in result)}, allowed {string.Join("; ", allowed)}\n{string.Join('\n', _log)}");
        }

        private HashSet<string> Allowed(in TranslationRequest request, int device, int domain, ulong page)
        {
            var allowed = new HashSet<string>();
            int since = Math.Max(_domainCleared[domain], _pageCleared.GetValueOrDefault((domain, page)));
            ulong entryAt = DeviceTable + (ulong)device * 32;
            ulong directoryAt = Directory(domain) + (page >> 21) * 8;
            foreach (ulong entry in Since(entryAt, _deviceCleared[device]))
            {
                _twins.Model.TryWrite64(entryAt, entry);
                foreach (ulong directory in Since(directoryAt, since))
                {
                    _twins.Model.TryWrite64(directoryAt, directory);
                    if ((directory >> 9 & 7) != 1)
                    {
                        allowed.Add(Text(_twins.Reference.Translate(in request)));
                        continue;
                    }

                    ulong leafAt = (directory & 0xF_FFFF_FFFF_F000) + (page >> 12 & 511) * 8;
                    foreach (ulong leaf in Since(leafAt, since))
                    {
                        _twins.Model.TryWrite64(leafAt, leaf);
                        allowed.Add(Text(_twins.Reference.Translate(in request)));
                    }
                }
            }

            return allowed;
        }

        /// <summary>What an entry was at a time and ever since.</summary>
        private IEnumerable<ulong> Since(ulong address, int time)
        {
            List<(int Time, ulong Value)> values = _values[address];
            int first = Math.Max(0, values.FindLastIndex(value => value.Time <= time));
            return values.Skip(first).Select(static value => value.Value).Distinct();
        }

        private static string Text(ReferenceAnswer answer) => answer.Event is { } entry
            ? $"{entry.Low:x} {entry.High:x}"
            : $"{answer.OutputAddress:x} 2^{answer.PageShift} {answer.Permissions}";

        private static string Text(in TranslationRequest request, in TranslationResult result)
        {
            var entry = AmdIommu.Describe(in request, in result);
            return result.Succeeded ? $"{result.Address:x} 2^{result.PageShift} {result.Permissions}" : $"{entry.Word0:x} {entry.Word1:x}";
        }
    }
}
