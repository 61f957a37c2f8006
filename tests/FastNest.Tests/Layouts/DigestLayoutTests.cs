using FastNest.Amd.Commands;
using FastNest.Amd.DeviceTable;
using FastNest.Amd.Events;
using FastNest.Amd.Registers;
using FastNest.Formats;
using FastNest.Layouts;
using Xunit;

namespace FastNest.Tests.Layouts;

/// <summary>The engine's tables of fields against masks copied by hand from the digest's tables.</summary>
public sealed class DigestLayoutTests
{
    /// <summary>Section 2: reserved are 6:2, 63; 181:180; 206:192, 244:240.</summary>
    [Theory]
    [InlineData(0, 0x8000_0000_0000_007CUL)]
    [InlineData(1, 0UL)]
    [InlineData(2, 0x0030_0000_0000_0000UL)]
    [InlineData(3, 0x001F_0000_0000_7FFFUL)]
    public void DeviceTableEntry(int word, ulong reserved) => Assert.Equal(reserved, Dte.Layout.Reserved(word));

    [Theory]
    [InlineData(nameof(Dte.V), 0, 0x1UL)]
    [InlineData(nameof(Dte.TV), 0, 0x2UL)]
    [InlineData(nameof(Dte.HAD), 0, 0x180UL)]
    [InlineData(nameof(Dte.Mode), 0, 0xE00UL)]
    [InlineData(nameof(Dte.HostPageTableRoot), 0, 0x000F_FFFF_FFFF_F000UL)]
    [InlineData(nameof(Dte.PPR), 0, 1UL << 52)]
    [InlineData(nameof(Dte.GPRP), 0, 1UL << 53)]
    [InlineData(nameof(Dte.GIoV), 0, 1UL << 54)]
    [InlineData(nameof(Dte.GV), 0, 1UL << 55)]
    [InlineData(nameof(Dte.GLX), 0, 3UL << 56)]
    [InlineData(nameof(Dte.Gcr3Root14To12), 0, 7UL << 58)]
    [InlineData(nameof(Dte.IR), 0, 1UL << 61)]
    [InlineData(nameof(Dte.IW), 0, 1UL << 62)]
    [InlineData(nameof(Dte.DomainID), 1, 0xFFFFUL)]
    [InlineData(nameof(Dte.Gcr3Root30To15), 1, 0xFFFF_0000UL)]
    [InlineData(nameof(Dte.SE), 1, 1UL << 33)]
    [InlineData(nameof(Dte.SA), 1, 1UL << 34)]
    [InlineData(nameof(Dte.EX), 1, 1UL << 39)]
    [InlineData(nameof(Dte.Gcr3Root51To31), 1, 0xFFFF_F800_0000_0000UL)]
    [InlineData(nameof(Dte.IV), 2, 1UL)]
    [InlineData(nameof(Dte.IntTabLen), 2, 0x1EUL)]
    [InlineData(nameof(Dte.IG), 2, 0x20UL)]
    [InlineData(nameof(Dte.IntTableRoot), 2, 0x000F_FFFF_FFFF_FFC0UL)]
    [InlineData(nameof(Dte.GuestPagingMode), 2, 3UL << 54)]
    [InlineData(nameof(Dte.IntCtl), 2, 3UL << 60)]
    [InlineData(nameof(Dte.VImuEn), 3, 1UL << 15)]
    [InlineData(nameof(Dte.GDeviceID), 3, 0xFFFF_0000UL)]
    [InlineData(nameof(Dte.GuestID), 3, 0xFFFF_0000_0000UL)]
    public void DeviceTableEntryField(string name, int word, ulong mask) => Assert.Equal((word, mask), Of(Dte.Layout, name));

    /// <summary>Section 3: a PDE ignores 4:1, 6, 8:7 and 63; 58:52, 59 and 60 are reserved, of which a PTE has 59 and 60.</summary>
    [Fact]
    public void PageTableEntries()
    {
        Assert.Equal(0x1FF0_0000_0000_0000UL, AmdV1Layout.Directory.Reserved(0));
        Assert.Equal(0x07F0_0000_0000_0000UL, AmdV1Layout.Leaf.Reserved(0));
    }

    /// <summary>Section 6.</summary>
    [Theory]
    [InlineData(1, 0x0FF0_0000_0000_0000UL, 0UL)]
    [InlineData(2, 0x0FFF_FFFF_FFFF_0000UL, ulong.MaxValue)]
    [InlineData(3, 0x0FFF_0000_FFF0_0000UL, 0xFF8UL)]
    [InlineData(4, 0x0000_0000_0000_0000UL, 0xFCAUL)] // 59:56 and 55:48 PASID, 47:32 QueueID: none in word 0
    [InlineData(5, 0x0FFF_FFFF_FFFF_0000UL, ulong.MaxValue)]
    [InlineData(6, 0x0FF0_0000_00FF_0000UL, 0xFEAUL)]
    [InlineData(7, 0x0FF0_0000_FFFF_0000UL, 0xFFFF_0000_FFFF_FFFBUL)]
    [InlineData(8, 0x0FFF_FFFF_FFFF_FFFFUL, ulong.MaxValue)]
    [InlineData(9, 0x0FFF_0000_FFFF_FFFFUL, ulong.MaxValue)] // reading 63
    [InlineData(10, 0x0FFF_FFFF_67FF_0000UL, ulong.MaxValue)] // reading 63
    public void CommandReservedBits(int opcode, ulong low, ulong high)
    {
        BitLayout layout = CommandLayout.Commands.Single(row => (int)row.Opcode == opcode).Layout;
        Assert.Equal(low, layout.Reserved(0));
        Assert.Equal(high, layout.Reserved(1));
    }

    /// <summary>Section 5.3: the flags as Linux prints them, bits 59:48 of the first quadword.</summary>
    [Fact]
    public void EventFlags() => Assert.Equal(
        [0x001UL, 0x002, 0x004, 0x008, 0x010, 0x020, 0x040, 0x080, 0x100],
        new[]
        {
            EventLayout.GN, EventLayout.NX, EventLayout.US, EventLayout.I, EventLayout.PR, EventLayout.RW, EventLayout.PE,
            EventLayout.RZ, EventLayout.TR,
        }.Select(static flag => flag.Mask >> 48));

    /// <summary>Section 1.3, row by row.</summary>
    [Fact]
    public void ControlBits()
    {
        ulong all = 0;
        foreach ((BitField field, BitField? _) in ControlRegister.Gates)
        {
            Assert.Equal(0UL, all & field.Mask);
            all |= field.Mask;
        }

        all |= ControlRegister.IRTCacheDis.Mask | ControlRegister.GstBufferTRPMode.Mask;

        // All but CRW 21:18, 49 and 57.
        Assert.Equal(~(0xFUL << 18 | 1UL << 49 | 1UL << 57), all);
    }

    /// <summary>Section 1.4.</summary>
    [Fact]
    public void StatusBits() => Assert.Equal(0x0006_8E67UL, StatusRegister.WriteOneToClear);

    private static (int Word, ulong Mask) Of(BitLayout layout, string name)
    {
        BitField field = layout.Fields.Single(field => field.Name == name);
        return (field.Word, field.Mask);
    }
}
