using FastNest.Reference;
using FsCheck.Xunit;
using Xunit;

namespace FastNest.Tests.Properties;

/// <summary>
/// Guests served by hardware (readings 90 to 106): whatever guests, their host and their devices do, registers, rings, logs,
/// answers and memory are the reference's.
/// </summary>
public sealed class GuestProperties
{
    [Property(Arbitrary = [typeof(Seed)], MaxTest = 100)]
    public void EverythingIsTheReferences(Seed seed)
    {
        ArgumentNullException.ThrowIfNull(seed);
        GuestsTarget.Play(new(seed.Value), new()).Dispose();
    }

    /// <summary>The property above is worth nothing where nothing happens.</summary>
    [Fact]
    public void GuestsCommandsEndInEveryWay()
    {
        var tally = new Tally();
        for (int seed = 0; seed < 40; seed++)
        {
            using GuestTwins machine = GuestsTarget.Play(new(seed), new());
            Count(machine, tally);
        }

        Assert.All(
            new[] { tally.Commands, tally.Domains, tally.Devices, tally.Responses, tally.Withheld, tally.HostErrors, tally.GuestFaults, tally.Stopped },
            count => Assert.True(count > 20, tally.ToString()));
    }

    private static void Count(GuestTwins machine, Tally tally)
    {
        ReferenceIommu reference = machine.Twins.Reference;
        tally.Commands += reference.GuestCommands.Count;
        tally.Domains += reference.GuestDomainInvalidations.Count;
        tally.Devices += reference.GuestDeviceInvalidations.Count;
        tally.Responses += reference.PageResponses.Count;
        for (ulong at = 0x3000; at < 0x4000; at += 16)
        {
            ulong low = machine.Twins.Load(at);
            tally.HostErrors += low >> 60 is 0xB or 0xC ? 1 : 0;
            tally.Withheld += low >> 60 == 2 && (low & 1UL << 29) != 0 ? 1 : 0;
        }

        for (int guest = 0; guest < 2; guest++)
        {
            for (ulong at = GuestTwins.HostAddress(guest) + 0x2000; at < GuestTwins.HostAddress(guest) + 0x3000; at += 16)
            {
                ulong low = machine.Twins.Load(at);
                tally.GuestFaults += low >> 60 == 2 ? 1 : 0;
                tally.Stopped += low >> 60 is 5 or 6 ? 1 : 0;
            }
        }
    }

    private sealed record Tally
    {
        public int Commands { get; set; }

        public int Domains { get; set; }

        public int Devices { get; set; }

        public int Responses { get; set; }

        public int Withheld { get; set; }

        public int HostErrors { get; set; }

        public int GuestFaults { get; set; }

        public int Stopped { get; set; }
    }
}
