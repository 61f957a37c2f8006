using System.Security.Cryptography;
using FastNest.Amd.Viommu;
using FastNest.Dma;
using FastNest.Engine;
using FastNest.Iommufd;
using FastNest.Iommufd.AmdHost;
using FastNest.Requests;
using FastNest.Tests.Properties;
using FsCheck.Xunit;
using Xunit;

namespace FastNest.Tests.Iommufd.AmdHost;

/// <summary>
/// A VM that writes anything to its memory, its ring, its VF page, its trapped registers and its entries, through the objects, beside
/// one that works on. The other's whole life, what its devices reach and move, its completions, logs, registers and memory, is the
/// same as beside a VM that does nothing; and the hostile one reaches nothing but its own.
/// </summary>
public sealed class HostileVmProperties
{
    [Property(Arbitrary = [typeof(Seed)], MaxTest = 40)]
    public void AHostileVmIsNotNoticedByAnother(Seed seed)
    {
        ArgumentNullException.ThrowIfNull(seed);
        Assert.Equal(World.Play(seed.Value, hostile: false).Diary, World.Play(seed.Value, hostile: true).Diary);
    }

    /// <summary>What the property says is not said of nothing.</summary>
    [Fact]
    public void HostileVmsGetAlongWay()
    {
        Deeds total = default;
        for (int seed = 0; seed < 20; seed++)
        {
            total += World.Play(seed, hostile: true).Deeds;
        }

        Assert.True(
            total is { Reached: > 100, Refused: > 100, Executed: > 100, Illegal: > 20, Nested: > 20, Declined: > 20 },
            total.ToString());
    }

    /// <summary>What the hostile VM came to.</summary>
    private readonly record struct Deeds(int Reached, int Refused, long Executed, int Illegal, int Nested, int Declined)
    {
        public static Deeds operator +(Deeds left, Deeds right) => new(
            left.Reached + right.Reached, left.Refused + right.Refused, left.Executed + right.Executed,
            left.Illegal + right.Illegal, left.Nested + right.Nested, left.Declined + right.Declined);
    }

    private sealed class World : IDisposable
    {
        private const uint HostileDevice = 0x0310;
        private const uint SteadyDevice = 0x0318;
        private const ushort VirtualDevice = 0x0020;
        private const ushort Domain = 7;
        private const ulong Page = 0x5_0000; // behind the first tables of either
        private const ulong CommandBase = 0x0008;
        private const int Rounds = 30;

        private readonly AmdHostMachine _machine = new();
        private readonly AmdHostDevice _device;
        private readonly HostedGuest _hostile;
        private readonly HostedGuest _steady;
        private readonly ulong _context;
        private readonly ulong _leaf;
        private readonly TranslationPort _port;
        private readonly DmaPort _dma;
        private readonly Dice _dice;
        private readonly Dice _calm;
        private readonly List<string> _diary = [];
        private Deeds _deeds;

        private World(int seed)
        {
            _dice = new(seed);
            _calm = new(~seed);
            _device = _machine.AddDevice(HostileDevice);
            AmdHostDevice steady = _machine.AddDevice(SteadyDevice);
            _hostile = _machine.NewGuest(_device).Start();
            _steady = _machine.NewGuest(steady).Start();
            _context = _hostile.NewContext(Page).Gcr3;
            _hostile.Give(_device, VirtualDevice, HostedGuest.Entry(_context, Domain));
            (ulong gcr3, _leaf) = _steady.NewContext(Page);
            _steady.Give(steady, VirtualDevice, HostedGuest.Entry(gcr3, Domain));
            _port = _machine.Iommu.Iommu.OpenPort();
            _dma = new(_port);
        }

        private ViommuHardware Hardware => _machine.Iommu.Iommu.Viommu!;

        public static (string[] Diary, Deeds Deeds) Play(int seed, bool hostile)
        {
            using var world = new World(seed);
            for (int round = 0; round < Rounds; round++)
            {
                for (int i = world._dice.Below(24); hostile && i > 0; i--)
                {
                    world.Disturb();
                }

                for (int i = 0; i < 4; i++)
                {
                    world.Hardware.RunGuests();
                }

                world.Work(round);
            }

            world.Close(hostile);
            return ([.. world._diary], world._deeds);
        }

        public void Dispose()
        {
            _port.Dispose();
            _machine.Dispose();
        }

        /// <summary>What the steady VM does, and what it sees of it.</summary>
        private void Work(int round)
        {
            ulong page = Page + (ulong)_calm.Below(16) * 0x1000;
            _steady.Poke(_leaf, page | 7);
            _steady.SendAndWait(Bits.Command(3, (ulong)Domain << 32 | 0, 0x9006));
            byte[] bytes = BitConverter.GetBytes(_calm.Word());
            DmaResult written = _dma.Write(new Requester(new(SteadyDevice)), 0x9000 + (ulong)_calm.Below(0xFF8), bytes);
            Assert.True(written.Succeeded);
            Assert.Equal(_steady.Memory + page, written.Translation.Address & ~0xFFFUL);
            _diary.Add($"{round}: {_machine.Translate(SteadyDevice, _calm.Of<ulong>(0x9000, 0xA000, 1UL << 40, _calm.Word()), _calm.Of(Access.Read, Access.Write))}");
            if (_calm.OneIn(4))
            {
                _steady.Send(Bits.Command(_calm.Between(9, 15)));
                Settle(_steady);
            }

            _diary.AddRange(_steady.DrainEvents().Select(static entry => $"event {entry.Low:x} {entry.High:x}"));
            _diary.AddRange(_steady.DrainPprs().Select(static entry => $"ppr {entry.Low:x} {entry.High:x}"));
            for (ulong register = 0; register < 0x40; register += 8)
            {
                _diary.Add($"{register:x}: {_steady.Viommu.Page.Read(register, 8):x} {_steady.Viommu.Mmio.Read(register, 8):x}");
            }

            var memory = new byte[HostedGuest.MemorySize];
            _machine.Memory.Read(_steady.Memory, memory, out _);
            _diary.Add($"memory {Convert.ToHexString(SHA256.HashData(memory))}");
        }

        /// <summary>An illegal command stopped the ring: it is taken off, moved to its start and turned on again.</summary>
        private static void Settle(HostedGuest guest)
        {
            const ulong on = 1 | 1 << 2 | 1 << 3 | 1 << 4 | 1 << 12 | 7 << 13;
            guest.Viommu.Mmio.Write(Mmio.Control, 8, 0);
            guest.Viommu.Mmio.Write(CommandBase, 8, HostedGuest.CommandRing | 8UL << 56);
            guest.Viommu.Page.Write(0x00, 8, 0);
            guest.Viommu.Page.Write(0x08, 8, 0);
            guest.Viommu.Page.Write(0x20, 8, ulong.MaxValue);
            guest.Viommu.Mmio.Write(Mmio.Control, 8, on);
        }

        /// <summary>The hostile VM's driver comes to its senses, and all of it works again; nothing of it is in the host's hands.</summary>
        private void Close(bool hostile)
        {
            _deeds = _deeds with { Executed = Hardware.CommandsExecuted };
            Settle(_hostile);
            _hostile.SendAndWait(Bits.Command(3, (ulong)Domain << 32, 0x7FFF_FFFF_FFFF_F007));
            Assert.All(_machine.DeviceTlbs, one => Assert.Equal(new DeviceId(HostileDevice), one.Device));
            Assert.All(_machine.Responses, one => Assert.Equal(new DeviceId(HostileDevice), one.Device));
            if (!hostile)
            {
                Assert.Empty(_machine.DeviceTlbs);
            }

            _diary.AddRange(_machine.Events.Where(static one => one.Device == new DeviceId(SteadyDevice)).Select(static one => one.ToString()));
        }

        private void Disturb()
        {
            switch (_dice.Below(11))
            {
                case 0:
                    _hostile.Poke((ulong)_dice.Below((int)HostedGuest.MemorySize / 8) * 8, _dice.Word());
                    break;
                case 1:
                    _hostile.Viommu.Page.Write(
                        _dice.Of<ulong>(0, 8, 0x10, 0x18, 0x20, 0x30, 0x38, 0x80, 0x1008, (ulong)_dice.Below(0x3000), _dice.Word()),
                        _dice.Of(1, 2, 4, 8, 3),
                        _dice.Word());
                    break;
                case 2:
                    _hostile.Viommu.Mmio.Write(_dice.Of<ulong>(8, 0x10, 0x18, 0x38, (ulong)_dice.Below(0x4000), _dice.Word()), _dice.Of(1, 4, 8), _dice.Word());
                    break;
                case 3:
                    _hostile.Viommu.Mmio.Read(_dice.Of((ulong)_dice.Below(0x4000), _dice.Word()), _dice.Of(1, 2, 4, 8, 5));
                    break;
                case 4:
                    Settle(_hostile);
                    break;
                case 5:
                    Nest();
                    break;
                case 6 or 7:
                    Reach();
                    break;
                case 8:
                    Rebuild();
                    break;
                default:
                    Command();
                    break;
            }
        }

        /// <summary>Commands that look like such, wherever the ring is by now.</summary>
        private void Command()
        {
            ulong tail = _hostile.Viommu.Page.Read(0x08, 8) & 0xFF0;
            ulong start = _hostile.Viommu.Mmio.Read(CommandBase, 8) & (HostedGuest.MemorySize - 0x1000);
            for (int i = _dice.Below(6); i > 0; i--, tail = (tail + 16) & 0xFF0)
            {
                _hostile.Poke(
                    start + tail,
                    (ulong)_dice.Below(16) << 60 | _dice.Of<ulong>(0, _dice.Word() & 0xFFF_FFFF_FFFF, (ulong)Domain << 32, VirtualDevice, 1 | Page));
                _hostile.Poke(start + tail + 8, _dice.Of<ulong>(0, _dice.Word(), 0x9006, 0x7FFF_FFFF_FFFF_F007));
            }

            int before = Events();
            _hostile.Viommu.Page.Write(0x08, _dice.Of(4, 8), tail);
            _deeds = _deeds with { Illegal = _deeds.Illegal + (Events() != before ? 1 : 0) };
        }

        private int Events() => (int)_hostile.Viommu.Page.Read(0x18, 8);

        /// <summary>The VMM forwards an entry of the VM's device table, whatever stands there.</summary>
        private void Nest()
        {
            ulong gcr3 = (ulong)_dice.Below((int)(HostedGuest.MemorySize / 0x1000)) * 0x1000;
            ulong[] entry = _dice.OneIn(3)
                ? [_dice.Word(), _dice.Word(), _dice.Word(), _dice.Word()]
                : HostedGuest.Entry(gcr3, (ushort)_dice.Of(Domain, _dice.Below(65536)), _dice.OneIn(3) ? _dice.Bit(0, 63) : 0);
            try
            {
                _hostile.Attach(_device, entry);
                _deeds = _deeds with { Nested = _deeds.Nested + 1 };
            }
            catch (IommufdException)
            {
                _deeds = _deeds with { Declined = _deeds.Declined + 1 };
            }
        }

        /// <summary>Tables that lead somewhere, where the first were: in its memory, or to where others' is.</summary>
        private void Rebuild()
        {
            for (ulong table = _context; table < _context + 0x4000; table += 0x1000)
            {
                ulong index = table == _context ? 0 : 0x9000UL >> (12 + 9 * (int)((_context + 0x4000 - table) / 0x1000)) & 511;
                _hostile.Poke(table + index * 8, (table + 0x1000) | (table == _context ? 1UL : 7));
            }

            _hostile.Poke(_context + 0x4000 + 9 * 8, _dice.Of(Page, Page, _dice.Word() & 0xF_F000, _steady.Memory, _dice.Word()) | 7);
            _hostile.Attach(_device, HostedGuest.Entry(_context, Domain));
            Settle(_hostile);
            _hostile.SendAndWait(Bits.Command(3, (ulong)Domain << 32, 0x7FFF_FFFF_FFFF_F007));
            Reach(new Requester(new(HostileDevice)).Request(0x9000, Access.Read));
        }

        /// <summary>DMA of the hostile VM's device: to its own memory, or nowhere.</summary>
        private void Reach()
        {
            ulong iova = _dice.Of<ulong>(0x9000, 0x9000, 0x9000, _dice.Word(), (ulong)_dice.Below(1 << 20), _steady.Memory, _hostile.Memory);
            uint? pasid = _dice.OneIn(2) ? null : (uint)_dice.Below(4);
            TranslationRequest request = new Requester(new(HostileDevice), pasid).Request(iova, _dice.Of(Access.Read, Access.Write, Access.ReadWrite));
            Reach(request with { Kind = _dice.Of(RequestKind.Untranslated, RequestKind.Untranslated, RequestKind.Translated, RequestKind.Translation) });
        }

        private void Reach(in TranslationRequest request)
        {
            TranslationResult result = _port.Translate(in request);
            if (result.Succeeded && !result.IsMessage)
            {
                Assert.InRange(result.Address, _hostile.Memory, _hostile.Memory + HostedGuest.MemorySize - 1);
                _deeds = _deeds with { Reached = _deeds.Reached + 1 };
            }
            else
            {
                _deeds = _deeds with { Refused = _deeds.Refused + 1 };
            }
        }
    }
}
