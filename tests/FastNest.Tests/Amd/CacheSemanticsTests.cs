using FastNest.Requests;
using FastNest.Tests.Machine;
using Xunit;

namespace FastNest.Tests.Amd;

/// <summary>When a change of tables must be seen: after its invalidation and COMPLETION_WAIT, by every command form that covers it.</summary>
public sealed class CacheSemanticsTests
{
    private const uint Device = 0x0310;
    private const ushort Domain = 0x77;

    /// <summary>Page address, command address, S, whether the command covers the page.</summary>
    [Theory]
    [InlineData(0x5000UL, 0x5000UL, false, true)]
    [InlineData(0x5000UL, 0x4000UL, false, false)]
    [InlineData(0x5000UL, 0x6000UL, false, false)]
    [InlineData(0x5000UL, 0x4000UL, true, true)] // first zero 12: 8 KiB from 4000h
    [InlineData(0x5000UL, 0x6000UL, true, false)]
    [InlineData(0x6000UL, 0x5000UL, true, true)] // first zero 13: 16 KiB, aligned down to 4000h
    [InlineData(0x7000UL, 0x5000UL, true, true)]
    [InlineData(0x8000UL, 0x5000UL, true, false)]
    [InlineData(0x1F_F000UL, 0x000F_F000UL, true, true)] // 2 MiB
    [InlineData(0x20_0000UL, 0x000F_F000UL, true, false)]
    [InlineData(0x3F_F000UL, 0x002F_F000UL, true, true)] // the second 2 MiB
    [InlineData(0x3FFF_F000UL, 0x1FFF_F000UL, true, true)] // 1 GiB
    [InlineData(0x7F_FFFF_F000UL, 0x0007_FFFF_FFFF_F000UL, true, true)] // first zero 51: everything
    [InlineData(0x7F_FFFF_F000UL, 0x000F_FFFF_FFFF_F000UL, true, true)] // first zero 52
    [InlineData(0x5000UL, 0x7FFF_FFFF_FFFF_F000UL, true, true)] // as Linux sends it
    [InlineData(0x5000UL, 0xFFFF_FFFF_FFFF_F000UL, true, true)] // all ones
    public void AnInvalidationDropsWhatItCovers(ulong page, ulong address, bool sized, bool covered)
    {
        using TestMachine machine = new TestMachine().Start();
        ulong root = machine.NewTable();
        machine.SetDte(Device, Bits.DteLow(root, 3), Domain);
        ulong leaf = machine.Map(root, 3, page, 0x10_0000);
        machine.Map(root, 3, page ^ 0x40_0000_0000, 0x30_0000); // one far away
        Assert.Equal(0x10_0000UL, machine.Translate(Device, page).Address);
        Assert.Equal(0x30_0000UL, machine.Translate(Device, page ^ 0x40_0000_0000).Address);
        machine.Poke(leaf, Bits.Pte(0x20_0000));
        Assert.Contains(machine.Translate(Device, page).Address, (ulong[])[0x10_0000, 0x20_0000]);
        machine.SendAndWait(Bits.InvalidatePages(Domain, address, sized));
        if (covered)
        {
            Assert.Equal(0x20_0000UL, machine.Translate(Device, page).Address);
        }
        else
        {
            Assert.Contains(machine.Translate(Device, page).Address, (ulong[])[0x10_0000, 0x20_0000]);
        }

        Assert.Equal(0x30_0000UL, machine.Translate(Device, page ^ 0x40_0000_0000).Address);
    }

    /// <summary>Every size from 8 KiB up, with both ends of the region and the pages just outside.</summary>
    [Fact]
    public void EverySizeDropsItsFirstAndLastPage()
    {
        for (int shift = 13; shift <= 51; shift++)
        {
            ulong size = 1UL << shift;
            ulong start = 0x0005_5555_5555_5000 & ~(size - 1);
            ulong address = start | (size / 2 - 1) & ~0xFFFUL;
            using TestMachine machine = new TestMachine().Start();
            ulong root = machine.NewTable();
            machine.SetDte(Device, Bits.DteLow(root, 6), Domain);
            ulong[] pages = [start, start + size - 0x1000];
            ulong[] leaves = [.. pages.Select(page => machine.Map(root, 6, page, 0x10_0000))];
            Assert.All(pages, page => Assert.Equal(0x10_0000UL, machine.Translate(Device, page).Address));
            Array.ForEach(leaves, leaf => machine.Poke(leaf, Bits.Pte(0x20_0000)));
            machine.SendAndWait(Bits.InvalidatePages(Domain, address, true));
            Assert.All(pages, page => Assert.Equal(0x20_0000UL, machine.Translate(Device, page).Address));
        }
    }

    /// <summary>First zero at bit 51 or above: everything, far addresses and sign-extended ones included.</summary>
    [Theory]
    [InlineData(0x0007_FFFF_FFFF_F000UL)]
    [InlineData(0x000F_FFFF_FFFF_F000UL)]
    [InlineData(0x001F_FFFF_FFFF_F000UL)]
    [InlineData(0x7FFF_FFFF_FFFF_F000UL)]
    [InlineData(0xFFFF_FFFF_FFFF_F000UL)]
    public void ARangeUpToBit51IsEverything(ulong address)
    {
        using TestMachine machine = new TestMachine().Start();
        ulong root = machine.NewTable();
        machine.SetDte(Device, Bits.DteLow(root, 6), Domain);
        ulong[] pages = [0, 1UL << 51, 1UL << 52, 1UL << 60, 0xFFFF_0000_0000_0000];
        foreach (int level in new[] { 5, 1 })
        {
            // Large pages first: among small ones a large range is dropped as a whole anyway.
            ulong page = 1UL << 48;
            ulong[] leaves = [.. pages.Select(at => machine.SetEntry(root, 6, at, level, Bits.Pte(page)))];
            machine.SendAndWait(Bits.InvalidateAll());
            Assert.All(pages, at => Assert.Equal(page, machine.Translate(Device, at).Address));
            Array.ForEach(leaves, leaf => machine.Poke(leaf, Bits.Pte(2 * page)));
            machine.SendAndWait(Bits.InvalidatePages(Domain, address, true));
            Assert.All(pages, at => Assert.Equal(2 * page, machine.Translate(Device, at).Address));
            Array.ForEach(leaves, leaf => machine.Poke(leaf, 0));
        }
    }

    [Fact]
    public void APageBelowANewTableIsSeenAfterAnInvalidationOfItsAddress()
    {
        using TestMachine machine = new TestMachine().Start();
        ulong root = machine.NewTable();
        machine.SetDte(Device, Bits.DteLow(root, 3), Domain);
        machine.Map(root, 3, 0x5000, 0x10_0000);
        Assert.Equal(0x10_0000UL, machine.Translate(Device, 0x5000).Address);
        Assert.False(machine.Translate(Device, 0x6000).Succeeded);
        ulong table = machine.NewTable(); // another table of level 1, put in the old one's place
        machine.Poke(table + 5 * 8, Bits.Pte(0x20_0000));
        machine.Poke(table + 6 * 8, Bits.Pte(0x30_0000));
        machine.SetEntry(root, 3, 0x5000, 2, Bits.Pde(table, 1));
        machine.SendAndWait(Bits.InvalidatePages(Domain, 0x6000, false));
        Assert.Equal(0x30_0000UL, machine.Translate(Device, 0x6000).Address);
    }

    [Fact]
    public void ALargePageGoesWithAnyPartOfIt()
    {
        foreach (ulong part in (ulong[])[0, 0x1000, 0x1F_F000])
        {
            using TestMachine machine = new TestMachine().Start();
            ulong root = machine.NewTable();
            machine.SetDte(Device, Bits.DteLow(root, 3), Domain);
            ulong leaf = machine.SetEntry(root, 3, 0, 2, Bits.Pte(0x4000_0000));
            Assert.Equal(0x4012_3456UL, machine.Translate(Device, 0x12_3456).Address);
            machine.Poke(leaf, 0);
            machine.SendAndWait(Bits.InvalidatePages(Domain, part, false));
            Assert.False(machine.Translate(Device, 0x12_3456).Succeeded);
        }
    }

    [Fact]
    public void RevokedPermissionsAreSeenAfterTheInvalidation()
    {
        using TestMachine machine = new TestMachine().Start();
        ulong root = machine.NewTable();
        machine.SetDte(Device, Bits.DteLow(root, 2), Domain);
        ulong leaf = machine.Map(root, 2, 0x5000, 0x10_0000);
        Assert.True(machine.Translate(Device, 0x5000, Access.Write).Succeeded);
        machine.Poke(leaf, Bits.Pte(0x10_0000, Bits.IR));
        machine.SendAndWait(Bits.InvalidatePages(Domain, 0x5000, false));
        Assert.False(machine.Translate(Device, 0x5000, Access.Write).Succeeded);
        Assert.True(machine.Translate(Device, 0x5000).Succeeded);
    }

    [Fact]
    public void OtherDomainsAreNotTouched()
    {
        using TestMachine machine = new TestMachine().Start();
        ulong root = machine.NewTable();
        ulong other = machine.NewTable();
        machine.SetDte(Device, Bits.DteLow(root, 1), Domain);
        machine.SetDte(Device + 1, Bits.DteLow(other, 1), Domain + 1);
        machine.Map(root, 1, 0x5000, 0x10_0000);
        ulong leaf = machine.Map(other, 1, 0x5000, 0x20_0000);
        machine.Translate(Device, 0x5000);
        machine.Translate(Device + 1, 0x5000);
        machine.Poke(leaf, 0); // stays unseen: its page is still cached
        foreach ((ulong, ulong) command in new[]
        {
            Bits.InvalidatePages(Domain, 0x5000, false), Bits.InvalidatePages(Domain, ulong.MaxValue, true), Bits.InvalidateDevice(Device),
        })
        {
            machine.SendAndWait(command);
            Assert.Equal(0x20_0000UL, machine.Translate(Device + 1, 0x5000).Address);
        }

        machine.SendAndWait(Bits.InvalidatePages(Domain + 1, 0x5000, false));
        Assert.False(machine.Translate(Device + 1, 0x5000).Succeeded);
    }

    [Fact]
    public void DevicesOfOneDomainShareItsPages()
    {
        using TestMachine machine = new TestMachine().Start();
        ulong root = machine.NewTable();
        machine.SetDte(Device, Bits.DteLow(root, 1), Domain);
        machine.SetDte(Device + 1, Bits.DteLow(root, 1, Bits.IR), Domain);
        machine.Map(root, 1, 0x5000, 0x10_0000);
        Assert.Equal(Access.All, machine.Translate(Device, 0x5000).Permissions);
        TranslationResult second = machine.Translate(Device + 1, 0x5000);
        Assert.Equal((0x10_0000UL, Access.Read | Access.Execute), (second.Address, second.Permissions)); // its own DTE's rights
        Assert.False(machine.Translate(Device + 1, 0x5000, Access.Write).Succeeded);
    }

    [Fact]
    public void ADeviceEntryIsReadAnewOnlyAfterItsInvalidation()
    {
        using TestMachine machine = new TestMachine().Start();
        machine.SetDte(Device, Bits.DteLow(0, 0), Domain);
        Assert.True(machine.Translate(Device, 0x5000).Succeeded);
        machine.SetDte(Device, Bits.V, Domain);
        Assert.True(machine.Translate(Device, 0x5000).Succeeded);
        machine.SendAndWait(Bits.InvalidateDevice(Device + 1), Bits.InvalidatePages(Domain + 1, ulong.MaxValue, true));
        Assert.True(machine.Translate(Device, 0x5000).Succeeded);
        machine.SendAndWait(Bits.InvalidateDevice(Device));
        Assert.False(machine.Translate(Device, 0x5000).Succeeded);
        machine.SetDte(Device, Bits.DteLow(0, 0), Domain);
        Assert.False(machine.Translate(Device, 0x5000).Succeeded);
        machine.SendAndWait(Bits.InvalidateAll());
        Assert.True(machine.Translate(Device, 0x5000).Succeeded);
    }

    [Fact]
    public void InvalidateAllDropsPagesToo()
    {
        using TestMachine machine = new TestMachine().Start();
        ulong root = machine.NewTable();
        machine.SetDte(Device, Bits.DteLow(root, 2), Domain);
        ulong leaf = machine.Map(root, 2, 0x5000, 0x10_0000);
        machine.Translate(Device, 0x5000);
        machine.Poke(leaf, 0);
        machine.SendAndWait(Bits.InvalidateAll());
        Assert.False(machine.Translate(Device, 0x5000).Succeeded);
    }

    [Fact]
    public void ANewRootNeedsBothInvalidations()
    {
        using TestMachine machine = new TestMachine().Start();
        ulong root = machine.NewTable();
        machine.SetDte(Device, Bits.DteLow(root, 2), Domain);
        machine.Map(root, 2, 0x5000, 0x10_0000);
        machine.Translate(Device, 0x5000);
        ulong newRoot = machine.NewTable();
        machine.Map(newRoot, 3, 0x5000, 0x20_0000);
        machine.SetDte(Device, Bits.DteLow(newRoot, 3), Domain);
        machine.SendAndWait(Bits.InvalidateDevice(Device), Bits.InvalidatePages(Domain, ulong.MaxValue, true));
        Assert.Equal(0x20_0000UL, machine.Translate(Device, 0x5000).Address);
    }

    [Fact]
    public void AFaultIsNotRemembered()
    {
        using TestMachine machine = new TestMachine().Start();
        ulong root = machine.NewTable();
        machine.SetDte(Device, Bits.DteLow(root, 2), Domain);
        Assert.False(machine.Translate(Device, 0x5000).Succeeded);
        machine.Map(root, 2, 0x5000, 0x10_0000);
        machine.SendAndWait(Bits.InvalidatePages(Domain, 0x5000, false));
        Assert.True(machine.Translate(Device, 0x5000).Succeeded);
    }

    /// <summary>Pages so large that each is found by its number, below tables that are too many to be.</summary>
    [Fact]
    public void ARangeWiderThanATableDropsTheTablesToo()
    {
        using TestMachine machine = new TestMachine().Start();
        ulong root = machine.NewTable();
        machine.SetDte(Device, Bits.DteLow(root, 2), Domain);
        ulong other = machine.NewTable();
        foreach (ulong slot in new ulong[] { 0, 1 })
        {
            for (ulong i = 0; i < 256; i++)
            {
                machine.SetEntry(root, 2, slot << 20 | i << 12, 1, Bits.SizedPte(slot << 20, 20));
                machine.Poke(other + (slot * 256 + i) * 8, Bits.SizedPte((slot + 4) << 20, 20));
            }
        }

        Assert.Equal(0x5000UL, machine.Translate(Device, 0x5000).Address);
        machine.Poke(root, Bits.Pde(other, 1));
        machine.SendAndWait(Bits.InvalidatePages(Domain, 0x1F_F000, sized: true)); // 4 MiB
        Assert.Equal(0x50_5000UL, machine.Translate(Device, 0x10_5000).Address);
    }
}
