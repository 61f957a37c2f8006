using FastNest.Reference;
using FastNest.Requests;
using Xunit;

namespace FastNest.Tests.Reference;

/// <summary>Both stages: guest tables at guest physical addresses, each translated by the v1 table.</summary>
public class NestedWalkTests
{
    private const uint Pasid = 5;
    private const ulong P = 1, All = 7, PS = 1 << 7;

    // Guest physical layout: GCR3 at its usual place, tables and page below; the host puts gigabyte n at n + 0x40 gigabytes.
    private const ulong Moved = 0x10_0000_0000;
    private const ulong Root = 0x1000, L3 = 0x2000, L2 = 0x3000, L1 = 0x4000, Page = 0x4020_0000;
    private const ulong HostL3 = Rig.HostRoot + 0x1000, HostL2 = Rig.HostRoot + 0x2000, HostL1 = Rig.HostRoot + 0x3000;

    /// <summary>Host tables: gigabytes 0 and 1 through level 2, the low 2 MiB through level 1.</summary>
    private static Rig Nested(ulong control = Rig.On | 1UL << 58, ulong more = 0, ulong permissions = Rig.IRIW)
    {
        Rig rig = new Rig(control: control).GuestDte(mode: 4, more: more, permissions: permissions)
            .Put(Rig.HostRoot, 0, Rig.Entry(HostL3, 3))
            .Put(HostL3, 0, Rig.Entry(HostL2, 2))
            .Put(HostL3, 1, Rig.Entry(Moved + 0x4000_0000, 0))
            .Put(HostL2, Rig.Gcr3 >> 21, Rig.Entry(Moved + Rig.Gcr3, 0))
            .Put(HostL2, 0, Rig.Entry(HostL1, 1));
        for (ulong i = 0; i < 8; i++)
            rig.Put(HostL1, i, Rig.Entry(Moved + i * 0x1000, 0));
        return rig.Put(Moved + Rig.Gcr3, Pasid, P | Root).Put(Moved + Root, 0, All | L3).Put(Moved + L3, 0, All | L2)
            .Put(Moved + L2, 0, All | L1).Put(Moved + L1, 0, All | Page);
    }

    [Fact]
    public void EveryGuestPointerIsTranslated()
    {
        ReferenceAnswer answer = Nested().Ask(Pasid, 0x123);
        Assert.Equal((Moved + Page + 0x123, 12, Access.All), (answer.OutputAddress, answer.PageShift, answer.Permissions));
        Assert.Equal(
            ["DTE", "host L4", "host L3", "host L2", "GCR3 L1",
             "host L4", "host L3", "host L2", "host L1", "guest L4", "host L4", "host L3", "host L2", "host L1", "guest L3",
             "host L4", "host L3", "host L2", "host L1", "guest L2", "host L4", "host L3", "host L2", "host L1", "guest L1",
             "host L4", "host L3"],
            answer.Steps.Select(s => s.Name));
        ReferenceStep guest = answer.Steps.Last(s => s.Name == "guest L3");
        Assert.Equal((L3, Moved + L3), (guest.Gpa!.Value, guest.Spa));
        Assert.Equal(Page + 0x123, answer.Steps[^1].Gpa);
    }

    [Theory] // guest leaf level, host leaf shift of the page
    [InlineData(1, 30, 12)]
    [InlineData(2, 30, 21)]
    [InlineData(3, 30, 30)]
    [InlineData(3, 21, 21)]
    [InlineData(2, 23, 21)]
    [InlineData(3, 23, 23)]
    public void TheSmallerPageCounts(int guestLevel, int hostShift, int shift)
    {
        Rig rig = Nested();
        if (guestLevel == 2)
            rig.Put(Moved + L2, 0, All | PS | 0x4000_0000);
        if (guestLevel == 3)
            rig.Put(Moved + L3, 0, All | PS | 0x4000_0000);
        ulong leaf = hostShift == 21 ? Rig.Entry(Moved, 0) : Rig.Entry(Moved | (1UL << (hostShift - 1)) - 1 & ~0xFFFUL, 7);
        if (hostShift != 30)
            rig.Put(HostL3, 1, Rig.Entry(HostL2 + 0x9000, 2)).Put(HostL2 + 0x9000, 0, leaf).Put(HostL2 + 0x9000, 1, leaf);
        Assert.Equal(shift, rig.Ask(Pasid, 0).PageShift);
    }

    [Fact]
    public void ThePasidTableIsAtASystemAddressWithoutTheMode()
    {
        Rig rig = Nested(control: Rig.On).Put(Rig.Gcr3, Pasid, P | Root);
        ReferenceAnswer answer = rig.Ask(Pasid, 0x123);
        Assert.Equal(Moved + Page + 0x123, answer.OutputAddress);
        Assert.Equal(["DTE", "GCR3 L1", "host L4"], answer.Steps.Take(3).Select(s => s.Name));
        Assert.Null(answer.Steps[1].Gpa);
    }

    [Theory] // the host entry that maps a guest structure, its value, the flags of a write, the address
    [InlineData(0UL, "US", Root)]
    [InlineData(Rig.Present | Rig.IW, "US PR PE", Root)]
    [InlineData(Rig.Present | Rig.IRIW | 1UL << 52, "US PR RZ", Root)]
    public void HostFaultOfATableReadIsARead(ulong entry, string flags, ulong address)
    {
        ReferenceAnswer answer = Nested().Put(HostL1, Root >> 12, entry).Ask(Pasid, 0x123, Access.Write);
        Assert.Equal((flags, address, (ushort)0x77), (Rig.Flags(answer.Event), answer.Event!.Address, answer.Event.Domain));
    }

    [Theory] // the host's leaf for the page, the guest's leaf, access, flags
    [InlineData(0UL, All, Access.Write, "US RW", false)]
    [InlineData(0UL, P, Access.Write, "US RW", false)] // the walk is completed before the guest's permission is judged
    [InlineData(Rig.Present | Rig.IR, All, Access.Write, "US PR RW PE", false)]
    [InlineData(Rig.Present | Rig.IW, All, Access.Execute, "NX US PR PE", false)]
    [InlineData(Rig.Present | Rig.IR, P | 4, Access.Write, "GN US PR RW PE", true)] // the guest is judged first
    [InlineData(Rig.Present, P, Access.Read, "GN US PR PE", true)]
    public void FaultsOfTheFinalPage(ulong host, ulong guest, Access access, string flags, bool inGuest)
    {
        ReferenceAnswer answer = Nested().Put(HostL3, 1, host).Put(Moved + L1, 0, guest | Page).Ask(Pasid, 0x123, access);
        Assert.Equal((flags, inGuest ? 0x123 : Page + 0x123), (Rig.Flags(answer.Event), answer.Event!.Address));
        Assert.Equal(inGuest ? (Pasid, 0) : (0U, 0x77), (answer.Event.Pasid, answer.Event.Domain));
    }

    [Theory]
    [InlineData(Rig.IRIW, Rig.IR, Access.Read | Access.Execute)]
    [InlineData(Rig.IR, Rig.IRIW, Access.Read | Access.Execute)]
    [InlineData(Rig.IRIW, Rig.IRIW, Access.All)]
    public void PermissionsAreAndedOverBothStages(ulong dte, ulong host, Access granted) => Assert.Equal(
        granted,
        Nested(permissions: dte).Put(HostL3, 1, Rig.Present | host | Moved).Ask(Pasid, 0).Permissions);

    [Fact]
    public void AGuestAddressBeyondTheHostTableIsNotPresent()
    {
        ReferenceAnswer answer = Nested().Put(Moved + L1, 0, All | 1UL << 51).Ask(Pasid, 0x123);
        Assert.Equal(("US", 1UL << 51 | 0x123), (Rig.Flags(answer.Event), answer.Event!.Address));
    }

    [Fact]
    public void MissingHostTableIsAHardwareErrorOfTheHostStage()
    {
        ReferenceAnswer answer = Nested().Put(HostL2, 0, Rig.Entry(0x6000_0000, 1)).Ask(Pasid, 0, Access.Write);
        Assert.Equal(new ReferenceEvent(4UL << 60 | 1UL << 57 | 0x77UL << 32 | 0x310, 0x6000_0008), answer.Event);
    }

    [Fact]
    public void MarkingAGuestEntryNeedsHostWritePermission()
    {
        const ulong marking = 1UL << 58;
        ulong control = Rig.On & ~(1UL << 48 | 1UL << 54) | marking;
        Rig rig = Nested(control).Put(HostL1, L2 >> 12, Rig.Present | Rig.IR | Moved + L2);
        ReferenceAnswer answer = rig.Ask(Pasid, 0x123);
        Assert.Equal(("US PR RW PE", L2), (Rig.Flags(answer.Event), answer.Event!.Address));
        Assert.Empty(answer.Updates);
        rig.Put(Moved + L2, 0, All | L1 | 1 << 5); // nothing left to mark
        Assert.Equal(3, rig.Ask(Pasid, 0x123).Updates.Count);
    }

    [Fact]
    public void HostEntriesAreMarkedOnceEach()
    {
        Rig rig = Nested(Rig.On & ~(1UL << 48 | 1UL << 54) | 1UL << 58 | 3UL << 46, more: 3UL << 7);
        IReadOnlyList<ReferenceUpdate> updates = rig.Ask(Pasid, 0, Access.Write).Updates;
        Assert.Equal(updates.Count, updates.Select(u => u.Address).Distinct().Count());
        Assert.Contains(new(Rig.HostRoot, 0x20, ReferenceStage.Host), updates);
        Assert.Contains(new(HostL3 + 8, 0x60, ReferenceStage.Host), updates);          // the page written
        Assert.Contains(new(HostL1 + 8, 0x60, ReferenceStage.Host), updates);          // a table whose entry was marked
        Assert.Contains(new(HostL2 + (Rig.Gcr3 >> 21) * 8, 0x20, ReferenceStage.Host), updates); // the PASID table is only read
        Assert.Contains(new(Moved + L1, 0x60, ReferenceStage.Guest), updates);
        rig.Iommu.Request(new(Rig.Device, Pasid, 0, Access.Write));
        Assert.Empty(rig.Ask(Pasid, 0, Access.Write).Updates);
    }
}
