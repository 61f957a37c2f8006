using FastNest.Engine;
using FastNest.Requests;
using FastNest.Tests.Machine;
using FsCheck.Xunit;
using Xunit;

namespace FastNest.Tests.Properties;

/// <summary>Tables built for a random set of pages give what was mapped and nothing else. To replay, see <see cref="Seed"/>.</summary>
public sealed class MappingProperties
{
    private const uint Device = 0x0310;

    [Property(Arbitrary = [typeof(Seed)], MaxTest = 120)]
    public void EveryAddressGivesWhatWasMapped(Seed seed)
    {
        ArgumentNullException.ThrowIfNull(seed);
        var dice = new Dice(seed.Value);
        using TestMachine machine = new TestMachine().Start();
        int mode = dice.Between(1, 6);
        int reach = Math.Min(64, 12 + 9 * mode);
        ulong root = machine.NewTable();
        machine.SetDte(Device, Bits.DteLow(root, mode), 0x77);
        var mapped = new List<(ulong Iova, ulong Page, int Shift, ulong Rights)>();
        for (int i = 0; i < 30; i++)
        {
            // Sizes up to 256 slots of their level; at most what the top level holds.
            int level = dice.Between(1, Math.Min(mode, 5));
            int shift = Math.Min(Math.Min(Bits.LevelShift(level) + dice.Below(9), 52), Math.Min(reach - 1, 52));
            ulong iova = (mapped.Count > 0 && dice.OneIn(2) ? dice.From(mapped).Iova ^ dice.Bit(12, reach - 1) : dice.Field(reach - 1, 12)) & ~((1UL << shift) - 1);
            if (mapped.Exists(page => Overlap(page.Iova, page.Shift, iova, shift)))
            {
                continue;
            }

            ulong page = dice.Field(51, 12) & ~((1UL << shift) - 1);
            ulong rights = dice.Of(Bits.IR | Bits.IW, Bits.IR, Bits.IW);
            mapped.Add((iova, page, shift, rights));
            int own = Bits.LevelShift(level);
            ulong entry = shift == own ? Bits.Pte(page, rights) : Bits.SizedPte(page, shift, rights);
            for (ulong slot = 0; slot < 1UL << (shift - own); slot++)
            {
                machine.SetEntry(root, mode, iova + (slot << own), level, entry);
            }
        }

        foreach (CacheOptions caches in (CacheOptions[])[CacheOptions.None, new(), new() { ContextEntries = 1, IotlbSets = 2, IotlbWays = 1, HostTableEntries = 2 }])
        {
            using TranslationPort port = machine.Iommu.OpenPort(caches);
            for (int i = 0; i < 300; i++)
            {
                (ulong iova, _, int shift, _) = dice.From(mapped);
                ulong address = dice.OneIn(4)
                    ? dice.Field(reach - 1, 0)
                    : (iova + dice.Of<ulong>(0, (1UL << shift) - 1, dice.Field(shift - 1, 0), 1UL << shift, ulong.MaxValue)) & (ulong.MaxValue >> (64 - reach));
                if (address is >= 0xFEE0_0000 and < 0xFEF0_0000)
                {
                    continue;
                }

                TranslationResult result = port.Translate(new TranslationRequest(new(Device), address, Access.None));
                int found = mapped.FindIndex(page => Overlap(page.Iova, page.Shift, address, 0));
                Assert.Equal(found >= 0 ? FaultReason.None : FaultReason.NotPresent, result.Reason);
                if (found >= 0)
                {
                    (ulong start, ulong page, int size, ulong rights) = mapped[found];
                    Access permissions = ((rights & Bits.IR) != 0 ? Access.Read | Access.Execute : 0) | ((rights & Bits.IW) != 0 ? Access.Write : 0);
                    Assert.Equal((page + (address - start), size, permissions), (result.Address, result.PageShift, result.Permissions));
                }
            }
        }
    }

    private static bool Overlap(ulong start, int shift, ulong other, int otherShift)
    {
        int larger = Math.Max(shift, otherShift);
        return start >> larger == other >> larger;
    }
}
