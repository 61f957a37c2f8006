using FastNest.Reference;
using FastNest.Requests;
using Xunit;

namespace FastNest.Tests.Reference;

/// <summary>The guest stage by itself: Mode=0.</summary>
public class GuestWalkTests
{
    private const uint Pasid = 5;
    private const ulong P = 1, W = 2, U = 4, A = 1 << 5, D = 1 << 6, PS = 1 << 7, NX = 1UL << 63, All = P | W | U;

    private static ulong Table(int level) => Rig.GuestRoot + (ulong)level * 0x1_0000;

    /// <summary>Guest tables of index 0 all the way, down to a leaf at <paramref name="level"/>.</summary>
    private static Rig Chain(int levels, int level, ulong leaf, ulong directories = All, ulong efr = Rig.Everything, ulong control = Rig.On, ulong more = 0)
    {
        Rig rig = new Rig(efr, control: control).GuestDte(pagingMode: levels - 4, more: more).Put(Rig.Gcr3, Pasid, P | Table(levels)).Put(Rig.Gcr3, 0, P | Table(levels));
        for (int l = levels; l > level; l--)
            rig.Put(Table(l), 0, directories | Table(l - 1));
        return rig.Put(Table(level), 0, leaf);
    }

    [Theory]
    [InlineData(4, 1, 12)]
    [InlineData(4, 2, 21)]
    [InlineData(4, 3, 30)]
    [InlineData(5, 1, 12)]
    [InlineData(5, 2, 21)]
    [InlineData(5, 3, 30)]
    public void EveryPageSize(int levels, int level, int shift)
    {
        ulong offset = (1UL << shift) - 1, page = 0x000F_FFFF_C000_0000;
        ulong leaf = All | page | (level > 1 ? PS | 1 << 12 : PS); // PAT is at 12 of a large page, at 7 of a small one
        ReferenceAnswer answer = Chain(levels, level, leaf).Ask(Pasid, offset & 0xFFF);
        Assert.Equal((page | (offset & 0xFFF), shift, Access.All), (answer.OutputAddress, answer.PageShift, answer.Permissions));
        Assert.Equal(2 + levels - level + 1, answer.Steps.Count);
    }

    [Theory] // levels, level, entry, flags of a write
    [InlineData(4, 1, 0UL, "GN US RW")]
    [InlineData(4, 1, ~1UL, "GN US RW")]
    [InlineData(5, 5, 0UL, "GN US RW")]
    [InlineData(4, 4, All | PS, "GN US PR RW RZ")]
    [InlineData(5, 5, All | PS, "GN US PR RW RZ")]
    [InlineData(5, 4, All | PS, "GN US PR RW RZ")]
    [InlineData(4, 3, All | PS | 1UL << 13, "GN US PR RW RZ")]
    [InlineData(4, 3, All | PS | 1UL << 29, "GN US PR RW RZ")]
    [InlineData(4, 2, All | PS | 1UL << 13, "GN US PR RW RZ")]
    [InlineData(4, 2, All | PS | 1UL << 20, "GN US PR RW RZ")]
    [InlineData(4, 2, All | PS | 1UL << 21, "none")]
    [InlineData(4, 2, P | U | PS | 1UL << 20, "GN US PR RW RZ")]
    [InlineData(4, 1, P | U, "GN US PR RW PE")]
    [InlineData(4, 1, P | W, "GN US PR RW PE")]
    [InlineData(4, 1, All | NX | 0x7FFUL << 52 | 0xF18, "none")]
    public void EntryFaults(int levels, int level, ulong entry, string flags)
    {
        ReferenceAnswer answer = Chain(levels, level, entry).Ask(Pasid, 0x123, Access.Write);
        Assert.Equal(flags, Rig.Flags(answer.Event));
        if (answer.Event is not null)
            Assert.Equal((Pasid, 0x123UL), (answer.Event.Pasid, answer.Event.Address));
    }

    [Theory] // a directory's and the leaf's bits, privileged, access, EFR bits taken away, what is granted
    [InlineData(All, All, false, 0UL, Access.All)]
    [InlineData(P | U, All, false, 0UL, Access.Read | Access.Execute)]
    [InlineData(All, P | U, true, 0UL, Access.Read | Access.Execute)]
    [InlineData(All | NX, All, false, 0UL, Access.ReadWrite)]
    [InlineData(All, All | NX, true, 0UL, Access.ReadWrite)]
    [InlineData(All | NX, All, false, 1UL << 3, Access.All)]
    [InlineData(P | W, All, false, 0UL, Access.None)]
    [InlineData(All, P | W, false, 0UL, Access.None)]
    [InlineData(P | W, All, true, 0UL, Access.All)]
    [InlineData(P | W, All, false, 1UL << 37, Access.All)]
    public void PermissionsCombine(ulong directories, ulong leaf, bool privileged, ulong without, Access granted)
    {
        Rig rig = Chain(4, 1, leaf | 0x9000, directories, Rig.Everything & ~without);
        foreach (Access access in new[] { Access.Read, Access.Write, Access.Execute, Access.ReadWrite })
        {
            ReferenceAnswer answer = rig.Ask(Pasid, 0, access, privileged);
            bool allowed = (access & ~granted) == 0;
            Assert.Equal(allowed ? granted : Access.None, answer.Permissions);
            string nx = access == Access.Execute ? "NX " : "", rw = (access & Access.Write) != 0 ? "RW " : "", us = privileged ? "" : "US ";
            Assert.Equal(allowed ? "none" : $"GN {nx}{us}PR {rw}PE", Rig.Flags(answer.Event));
        }
    }

    [Theory] // levels, PASID, address, whether it is canonical
    [InlineData(4, Pasid, 0x0000_8000_0000_0000UL, false)]
    [InlineData(4, Pasid, 0xFFFF_8000_0000_0000UL, true)]
    [InlineData(4, Pasid, 0xFFFE_8000_0000_0000UL, false)]
    [InlineData(4, Pasid, 0xFFFF_0000_0000_0000UL, false)]
    [InlineData(4, 0U, 0x0000_8000_0000_0000UL, true)]
    [InlineData(4, 0U, 0xFFFF_8000_0000_0000UL, false)]
    [InlineData(4, 0U, 0x0001_0000_0000_0000UL, false)]
    [InlineData(5, Pasid, 0x0100_0000_0000_0000UL, false)]
    [InlineData(5, Pasid, 0xFF00_0000_0000_0000UL, true)]
    [InlineData(5, Pasid, 0x00FF_0000_0000_0000UL, true)]
    [InlineData(5, 0U, 0x0100_0000_0000_0000UL, true)]
    [InlineData(5, 0U, 0x0200_0000_0000_0000UL, false)]
    [InlineData(5, 0U, 0xFF00_0000_0000_0000UL, false)]
    public void CanonicalAddresses(int levels, uint pasid, ulong iova, bool canonical)
    {
        Rig rig = Chain(levels, levels, 0, more: Rig.GIoV);
        int index = (int)(iova >> (12 + 9 * (levels - 1)) & 0x1FF);
        rig.Put(Table(levels), (ulong)index, All | PS); // a reserved bit shows that the walk began
        Assert.Equal(canonical ? "GN US PR RZ" : "GN US", Rig.Flags(rig.Ask(pasid, iova).Event));
        if (pasid == 0)
            Assert.Equal(canonical ? "GN PR RZ" : "GN", Rig.Flags(rig.Ask(iova).Event));
    }

    [Theory] // GLX, PASID, whether the table covers it
    [InlineData(0, 0x1FFU, true)]
    [InlineData(0, 0x200U, false)]
    [InlineData(1, 0x3_FFFFU, true)]
    [InlineData(1, 0x4_0000U, false)]
    [InlineData(2, 0xF_FFFFU, true)]
    public void PasidTableLevels(int glx, uint pasid, bool covered)
    {
        Rig rig = new Rig().GuestDte(glx: glx);
        ulong table = Rig.Gcr3;
        for (int level = glx + 1; level > 1; level--)
        {
            rig.Put(table, pasid >> 9 * (level - 1) & 0x1FF, P | table + 0x1000);
            table += 0x1000;
        }

        rig.Put(table, pasid & 0x1FF, P | Table(4)).Put(Table(4), 0, 0);
        ReferenceAnswer answer = rig.Ask(pasid, 0);
        Assert.Equal(("GN US", pasid), (Rig.Flags(answer.Event), answer.Event!.Pasid));
        Assert.Equal(covered ? 1 + glx + 1 + 1 : 1, answer.Steps.Count);
    }

    [Theory]
    [InlineData(0UL, "GN US")]
    [InlineData(~1UL, "GN US")]
    [InlineData(P | 2, "GN US PR RZ")]
    [InlineData(P | 1 << 11, "GN US PR RZ")]
    [InlineData(P | 1UL << 52, "GN US PR RZ")]
    [InlineData(P | 1UL << 63, "GN US PR RZ")]
    public void PasidTableEntryFaults(ulong entry, string flags) =>
        Assert.Equal(flags, Rig.Flags(new Rig().GuestDte().Put(Rig.Gcr3, Pasid, entry).Ask(Pasid, 0).Event));

    [Fact]
    public void RequestsWithoutPasidUseThePasidZeroTableOnlyWithGIoV()
    {
        Assert.Equal(0x9123UL, Chain(4, 1, All | 0x9000, more: Rig.GIoV).Ask(0x123).OutputAddress);
        Assert.Equal(0x123UL, Chain(4, 1, All | 0x9000).Ask(0x123).OutputAddress);
        Assert.Equal("GN PR PE", Rig.Flags(Chain(4, 1, P | W, more: Rig.GIoV).Ask(0x123).Event)); // as user, yet US=0
        Assert.Equal(0xFEE0_0000UL, Chain(4, 1, All, more: Rig.GIoV).Ask(0xFEE0_0000, Access.Write).OutputAddress);
    }

    [Fact]
    public void WithoutAHostTableTheEntrysPermissionsStillCount() // readings 34, 35
    {
        ulong marking = Rig.On & ~(1UL << 48 | 1UL << 54);
        Rig Make(ulong permissions, ulong leaf)
        {
            Rig rig = Chain(4, 1, leaf, control: marking);
            rig.GuestDte(permissions: permissions);
            return rig;
        }

        ReferenceAnswer noRead = Make(Rig.IW, All | 0x9000).Ask(Pasid, 0, Access.Write);
        Assert.Equal(("US PR PE", Table(4)), (Rig.Flags(noRead.Event), noRead.Event!.Address)); // a table read
        ReferenceAnswer noMark = Make(Rig.IR, All | 0x9000).Ask(Pasid, 0);
        Assert.Equal(("US PR RW PE", Table(4)), (Rig.Flags(noMark.Event), noMark.Event!.Address));
        ReferenceAnswer denied = Make(Rig.IR, P | U | 0x9000).Ask(Pasid, 0, Access.Write);
        Assert.Equal("GN US PR RW PE", Rig.Flags(denied.Event)); // permission before marks
        Assert.Empty(denied.Updates); // reading 36
    }

    [Theory] // reading 35: which of two faults is told
    [InlineData(0x200U, 0UL, 1UL << 50, "GN US")] // beyond GLX
    [InlineData(Pasid, P | 2, 1UL << 50, "GN US PR RZ")] // the PASID table before the address
    [InlineData(Pasid, P | 0x7000_0000UL, 1UL << 50, "GN US")] // the address before the table
    public void PasidThenTableThenAddress(uint pasid, ulong entry, ulong iova, string flags) =>
        Assert.Equal(flags, Rig.Flags(new Rig().GuestDte().Put(Rig.Gcr3, Pasid, entry).Ask(pasid, iova).Event));

    [Theory] // missing page: PASID table, guest root
    [InlineData(true)]
    [InlineData(false)]
    public void MissingMemoryIsAHardwareErrorOfTheGuestStage(bool pasidTable)
    {
        Rig rig = new Rig().GuestDte(glx: 1);
        if (!pasidTable)
            rig.Put(Rig.Gcr3, 0x1F0, P | Table(8)).Put(Table(8), 0, P | Table(4));
        ReferenceAnswer answer = rig.Ask(0x3_E000, 0, Access.Write);
        ulong spa = pasidTable ? Rig.Gcr3 + 0x1F0 * 8 : Table(4);
        Assert.Equal(new ReferenceEvent(4UL << 60 | 1UL << 57 | 1UL << 53 | 1UL << 48 | 0xE000UL << 32 | 3UL << 16 | 0x310, spa), answer.Event);
    }

    [Theory] // Control's GAUpdateDis 54 and GDUpdateDis 48 kept, EFR bits taken away, access, bits in directories and leaf
    [InlineData(0UL, 0UL, Access.Write, A, A | D)]
    [InlineData(0UL, 0UL, Access.Read, A, A)]
    [InlineData(1UL << 48, 0UL, Access.Write, A, A)]
    [InlineData(1UL << 54, 0UL, Access.Write, 0UL, D)]
    [InlineData(1UL << 48 | 1UL << 54, 0UL, Access.Write, 0UL, 0UL)]
    [InlineData(1UL << 48 | 1UL << 54, 1UL << 53, Access.Write, 0UL, D)]
    [InlineData(1UL << 48 | 1UL << 54, 1UL << 61, Access.Write, A, A)]
    public void AccessedAndDirty(ulong disabled, ulong without, Access access, ulong directories, ulong leaf)
    {
        ulong control = Rig.On & ~(1UL << 48 | 1UL << 54) | disabled;
        Rig rig = Chain(4, 2, All | PS, efr: Rig.Everything & ~without, control: control);
        List<ReferenceUpdate> expected = [];
        if (directories != 0)
            expected.AddRange([new(Table(4), directories, ReferenceStage.Guest), new(Table(3), directories, ReferenceStage.Guest)]);
        if (leaf != 0)
            expected.Add(new(Table(2), leaf, ReferenceStage.Guest));
        Assert.Equal(expected, rig.Ask(Pasid, 0, access).Updates);
        rig.Iommu.Request(new(Rig.Device, Pasid, 0, access));
        Assert.Empty(rig.Ask(Pasid, 0, access).Updates);
    }
}
