using FastNest.Requests;
using FastNest.Tests.Machine;
using FastNest.Tests.Properties;
using FsCheck.Xunit;
using Xunit;

namespace FastNest.Tests.Amd.Viommu;

/// <summary>Whatever one guest does, others and the host do not notice; and what a command costs.</summary>
public sealed class GuestIsolationTests
{
    private const ulong Canary = 0xC0FF_EE00_C0FF_EE00;

    /// <summary>
    /// A guest writes anything to its ring, its tables and its registers, while another works on: no exception escapes, no byte
    /// of the other's and the host's memory changes, the other's rings and translations are as before, and the host's log holds
    /// at most one event of each source.
    /// </summary>
    [Property(Arbitrary = [typeof(Seed)], MaxTest = 60)]
    public void AHostileGuestReachesNobody(Seed seed)
    {
        ArgumentNullException.ThrowIfNull(seed);
        var dice = new Dice(seed.Value);
        using var machine = new GuestMachine(turn: 8);
        TestGuest hostile = machine.AddGuest(5, 0x1000).Start();
        TestGuest good = machine.AddGuest(6, 0x1001).Start();
        GuestCommandTests.Attach(machine, hostile, 0x0310, domain: 0x77);
        GuestCommandTests.Attach(machine, good, 0x0318, domain: 0x78);
        hostile.MapDomain(1, 0x77);
        hostile.MapDevice(0x20, 0x0310);
        good.MapDomain(1, 0x78);
        good.MapDevice(0x20, 0x0318);
        good.Poke(0x8000, Canary);
        for (int round = 0; round < 40; round++)
        {
            for (int i = dice.Below(24); i > 0; i--)
            {
                Disturb(dice, hostile);
            }

            for (int i = dice.Below(20); i > 0 && machine.Viommu.RunGuests(); i--)
            {
            }

            machine.Translate(0x0310, dice.Of<ulong>(0x9000, dice.Word(), 0x1_0000));
            Assert.Equal(good.HostMemory + 0x5000, machine.Translate(0x0318, 0x9000).Address);
            good.SendAndWait(Bits.Command(3, 1UL << 32, 0x9006));
        }

        Assert.Equal(Canary, good.Peek(0x8000));
        Assert.Empty(good.DrainEvents());
        Assert.Empty(good.DrainPprs());
        Assert.Equal(good.Read(8), good.Read(0));
        Assert.All(machine.DeviceTlbs, invalidation => Assert.Equal(new DeviceId(0x0310), invalidation.Device));
        Assert.All(machine.Responses, response => Assert.Equal(new DeviceId(0x0310), response.Device));
        List<(ulong Low, ulong High)> events = machine.DrainEvents();
        Assert.True(events.Count(static entry => entry.Low >> 60 >= 0xB) <= 4, string.Join(", ", events));
        machine.Send(Bits.InvalidateAll());
    }

    [Fact]
    public void ACommandAllocatesNothing()
    {
        using var machine = new GuestMachine();
        machine.MapPrivate(GuestMachine.DirtyStatus);
        TestGuest guest = machine.AddGuest(5, 0x1000).Start();
        guest.MapDomain(1, 0x77);
        (ulong, ulong)[] commands =
        [
            .. Enumerable.Repeat(Bits.Command(3, 1UL << 32, 0x9006), 100), .. Enumerable.Repeat(Bits.StoreWait(TestGuest.Semaphore, 5), 20),
            .. Enumerable.Repeat(Bits.Command(3, 2UL << 32, 0x9006), 20), .. Enumerable.Repeat(Bits.InvalidateDevice(2), 20),
        ];
        ulong tail = 0;
        long executed = machine.Viommu.CommandsExecuted;
        long bytes = Allocations.Least(() => tail = guest.Queue(commands), () => guest.Write(0x08, tail, 4));
        Assert.Equal(0, bytes);
        Assert.Equal(5 * commands.Length, machine.Viommu.CommandsExecuted - executed);
    }

    /// <summary>Turns taken from the queue: as many guests as wait, not as there are.</summary>
    [Fact]
    public void GuestsWithoutCommandsAreNotLookedAt()
    {
        using var machine = new GuestMachine(turn: 1);
        for (ushort id = 100; id < 200; id++)
        {
            machine.Viommu.VfControl.Write((ulong)id * 64 + 0x20, 8, 0x308); // enabled, at an address that nobody translates
        }

        TestGuest guest = machine.AddGuest(5, 0x1000).Start();
        machine.Viommu.VfMmio.Write(150UL << 12 | 8, 4, 0x20);
        Assert.Equal(0xCUL << 60 | 1UL << 31 | 1UL << 16 | 150, Assert.Single(machine.DrainEvents()).Low);
        guest.Send(Bits.InvalidateDevice(1), Bits.InvalidateDevice(1));
        Assert.False(machine.Viommu.RunGuests());
        Assert.Equal(2, machine.Viommu.CommandsExecuted);
        Assert.Empty(machine.DrainEvents());
    }

    [Fact]
    public void GuestsPortsAndTheHostsRingRunAtOnce()
    {
        const int rounds = 1500;
        using var machine = new GuestMachine(turn: 16);
        TestGuest[] guests = [machine.AddGuest(5, 0x1000).Start(), machine.AddGuest(6, 0x1001).Start()];
        foreach (TestGuest guest in guests)
        {
            GuestCommandTests.Attach(machine, guest, 0x300u + guest.Id, domain: (ushort)(0x70 + guest.Id));
            guest.MapDomain(1, (ushort)(0x70 + guest.Id));
        }

        bool done = false;
        Worker[] workers =
        [
            .. guests.Select(guest => new Worker(() => Drive(guest, rounds))),
            .. guests.Select(guest => new Worker(() =>
            {
                using FastNest.Engine.TranslationPort port = machine.Iommu.OpenPort();
                while (!Volatile.Read(ref done))
                {
                    Assert.Equal(guest.HostMemory + 0x5000, port.Translate(new TranslationRequest(new(0x300u + guest.Id), 0x9000, Access.Read)).Address);
                    port.Translate(new TranslationRequest(new(0x300u + guest.Id), 0x1_0000, Access.Read)); // to the guest's log
                }
            })),
        ];
        try
        {
            Array.ForEach(workers, static worker => worker.Start());
            for (int i = 0; i < 200; i++)
            {
                machine.Send(Bits.InvalidateAll(), Bits.InvalidateDevice(0x1000), Bits.InvalidatePages(0x1001, 0, true));
            }

            Assert.All(workers[..2], static worker => Assert.True(worker.Join(30_000)));
        }
        finally
        {
            Volatile.Write(ref done, true);
        }

        Assert.All(workers, static worker => Assert.True(worker.Join(30_000)));
        Assert.Empty(machine.DrainEvents());
        Assert.All(guests, static guest => Assert.All(guest.DrainEvents(), static entry => Assert.Equal(2UL, entry.Low >> 60)));
    }

    private static void Drive(TestGuest guest, int rounds)
    {
        for (int i = 0; i < rounds; i++)
        {
            guest.SendAndWait(Bits.Command(3, 1UL << 32, 0x7FFF_FFFF_FFFF_F007), Bits.Command(3, 1UL << 32, 0x9006));
        }
    }

    private static void Disturb(Dice dice, TestGuest guest)
    {
        switch (dice.Below(6))
        {
            case 0:
                guest.Poke((ulong)dice.Below((int)TestGuest.MemorySize / 8) * 8, dice.Word());
                break;
            case 1:
                guest.Write(dice.Of<ulong>(0, 8, 0x10, 0x18, 0x20, 0x30, 0x38, 0x80, (ulong)dice.Below(0x1000)), dice.Word(), dice.Of(1, 2, 4, 8));
                break;
            case 2:
                guest.Write(0x08, dice.Word(), 4);
                break;
            case 3:
                guest.Mmio.Write(0x18, 8, dice.Word() & ~Mmio.CmdBufEn);
                guest.Mmio.Write(0x18, 8, dice.OneIn(3) ? dice.Word() : 0xFFFF_FFFF);
                break;
            case 4:
                guest.Mmio.Write((ulong)dice.Below(8) * 8, dice.Of(4, 8), dice.Word());
                break;
            default:
                ulong tail = guest.Read(0x08) & 0xFFF; // a guest writes its own memory, not what lies behind it
                ulong basis = guest.ReadControl(0x20) & 0x3_F000;
                for (int i = dice.Below(6); i > 0; i--, tail = (tail + 16) & 0xFFF)
                {
                    guest.Poke(basis + tail, (ulong)dice.Below(16) << 60 | dice.Of<ulong>(0, dice.Word() & dice.Word() & 0xFFF_FFFF_FFFF, 1UL << 32, 0x20));
                    guest.Poke(basis + tail + 8, dice.Of<ulong>(0, dice.Word(), 0x9006));
                }

                guest.Write(0x08, tail, 4);
                break;
        }
    }
}
