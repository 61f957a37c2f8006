using FastNest.Reference;
using FastNest.Requests;
using Xunit;

namespace FastNest.Tests.Reference;

/// <summary>ATS: translation requests and translated requests (readings 70 to 79).</summary>
public class AtsTests
{
    private const uint Pasid = 5;
    private const ulong I = 1UL << 32, Domain = 0x77, NoEntry = 0;
    private const ulong HostL2 = Rig.HostRoot + 0x1000, HostL1 = Rig.HostRoot + 0x2000, Page = 0x5_0000_0000;
    private const ulong P = 1, W = 2, U = 4, A = 1 << 5, D = 1 << 6, NX = 1UL << 63;
    private const RequestKind Ask = RequestKind.Translation, Done = RequestKind.Translated;

    /// <summary>Three host levels, index 0 all the way, to <paramref name="leaf"/>.</summary>
    private static Rig Host(ulong leaf, ulong permissions = Rig.IRIW, ulong more = 0, ulong control = Rig.On, ulong q1 = Domain | I) =>
        new Rig(control: control).HostDte(3, permissions, more, q1)
            .Put(Rig.HostRoot, 0, Rig.Entry(HostL2, 2)).Put(HostL2, 0, Rig.Entry(HostL1, 1)).Put(HostL1, 0, leaf);

    /// <summary>The guest stage alone: GCR3, four levels, index 0 all the way, to <paramref name="leaf"/>.</summary>
    private static Rig Guest(ulong leaf, ulong control = Rig.On, ulong efr = Rig.Everything, ulong more = 0)
    {
        Rig rig = new Rig(efr, control: control).GuestDte(more: more).Put(Rig.Gcr3, Pasid, P | Rig.GuestRoot);
        rig.Memory.TryRead64(Rig.DeviceTable + Rig.Device.Value * 32 + 8, out ulong q1);
        rig.Memory.Put(Rig.DeviceTable + Rig.Device.Value * 32 + 8, q1 | I);
        for (ulong level = 4; level > 1; level--)
            rig.Put(Rig.GuestRoot + (4 - level) * 0x1000, 0, P | W | U | A | Rig.GuestRoot + (5 - level) * 0x1000);
        return rig.Put(Rig.GuestRoot + 0x3000, 0, leaf);
    }

    private static ReferenceAnswer Request(Rig rig, RequestKind kind, ulong iova, Access access = Access.Read, bool pasid = false, bool privileged = false)
    {
        TranslationRequest request = pasid ? new(Rig.Device, Pasid, iova, access, privileged) : new(Rig.Device, iova, access);
        return rig.Iommu.Request(request with { Kind = kind });
    }

    private static void AssertRefusedSilently(Rig rig, ReferenceAnswer answer)
    {
        Assert.Equal((null, null, Access.None), (answer.OutputAddress, answer.Event, answer.Permissions));
        Assert.Empty(answer.Updates);
        Assert.Empty(rig.Logged());
    }

    [Theory] // reading 70
    [InlineData(Ask)]
    [InlineData(Done)]
    public void EverythingPassesWhileOff(RequestKind kind)
    {
        Rig rig = new(control: Rig.On & ~1UL);
        ReferenceAnswer answer = Request(rig, kind, 0xFEE0_0123);
        Assert.Equal((0xFEE0_0123UL, Access.All, 64), (answer.OutputAddress, answer.Permissions, answer.PageShift));
    }

    [Theory] // reading 71: q0, q1, kind, type or -1 for an illegal entry
    [InlineData(0UL, I, Ask, 5)]
    [InlineData(0UL, I, Done, 1)]
    [InlineData(1UL << 2, I, Ask, 5)] // V=0 is not checked
    [InlineData(1UL << 2, I, Done, 1)]
    [InlineData(Rig.V | Rig.TV | Rig.IRIW, 0UL, Ask, 5)]
    [InlineData(Rig.V | Rig.TV | Rig.IRIW, 0UL, Done, 1)]
    [InlineData(Rig.V, 0UL, Ask, 5)]
    [InlineData(Rig.V | 1 << 2, 0UL, Ask, -1)]
    [InlineData(Rig.V | 1 << 2, 0UL, Done, -1)]
    public void WithoutAtsTheRequestIsInvalid(ulong q0, ulong q1, RequestKind kind, int type)
    {
        Rig rig = new Rig().Dte(q0, q1);
        ReferenceAnswer answer = Request(rig, kind, 0x1234_5678, Access.Write);
        Assert.Null(answer.OutputAddress);
        ReferenceEvent logged = Assert.Single(rig.Logged());
        Assert.Equal((answer.Event, kind == Ask), (logged, logged.TR));
        if (type < 0)
            Assert.Equal((ReferenceEventCode.IllegalDeviceTableEntry, true, true), (logged.Code, logged.RZ, logged.RW));
        else
            Assert.Equal((ReferenceEventCode.InvalidDeviceRequest, type, 0x1234_5678UL, false), (logged.Code, logged.Type, logged.Address, logged.GN));
    }

    [Theory]
    [InlineData(Ask, false, 8UL << 60 | 5UL << 57 | 1UL << 56 | 1UL << 49 | 1UL << 48 | 0x5UL << 32 | 0x310)]
    [InlineData(Done, true, 8UL << 60 | 1UL << 57 | 1UL << 48 | 0x5UL << 32 | 0x310)]
    public void AnInvalidRequestNamesItsPasid(RequestKind kind, bool privileged, ulong low)
    {
        ReferenceEvent e = Request(new Rig().Dte(0), kind, 0x9000, pasid: true, privileged: privileged).Event!;
        Assert.Equal((new ReferenceEvent(low, 0x9000), Pasid, !privileged, false), (e, e.Pasid, e.US, e.NX));
    }

    [Theory] // reading 72
    [InlineData(Ask, true)]
    [InlineData(Done, false)]
    public void DeviceTableErrorsTellTheKind(RequestKind kind, bool translation)
    {
        Rig rig = new();
        ReferenceEvent unreadable = Request(rig, kind, 0).Event!;
        Assert.Equal((ReferenceEventCode.DeviceTableHardwareError, translation), (unreadable.Code, unreadable.TR));
        rig.Dte(Rig.V | 7 << 9, I);
        ReferenceEvent illegal = Request(rig, kind, 0).Event!;
        Assert.Equal((ReferenceEventCode.IllegalDeviceTableEntry, translation, false), (illegal.Code, illegal.TR, illegal.RZ));
    }

    [Fact]
    public void ADeviceBeyondTheTableHasAnEventOnlyWhenTranslated()
    {
        Rig rig = new();
        rig.Iommu.Write(0, 8, Rig.DeviceTable);
        AssertRefusedSilently(rig, Request(rig, Ask, 0x1000));
        Assert.Equal(new ReferenceEvent(2UL << 60 | 0x310, 0x1000), Request(rig, Done, 0x1000).Event);
    }

    [Fact]
    public void TheInterruptWindowIsNotTranslatedWithoutPasid()
    {
        Rig rig = new Rig().Dte(Rig.V | Rig.TV | Rig.IRIW, I);
        foreach (ulong iova in new[] { 0xFEE0_0000UL, 0xFEEF_FFFFUL })
            AssertRefusedSilently(rig, Request(rig, Ask, iova, Access.Write)); // reading 73
        Assert.NotNull(Request(rig, Ask, 0xFEDF_FFFF).OutputAddress);
        Assert.NotNull(Request(rig, Ask, 0xFEF0_0000).OutputAddress);
        Assert.Equal(ReferenceEventCode.DeviceTableHardwareError, Request(new(), Ask, 0xFEDF_FFFF).Event!.Code);
        Assert.Null(Request(new(), Ask, 0xFEE0_0000).Event); // judged before the device table is read
        AssertRefusedSilently(rig = Guest(0), Request(rig, Ask, 0xFEE0_0000, pasid: true)); // with a PASID the tables tell
        Assert.Equal(["DTE", "GCR3 L1", "guest L4", "guest L3"], Request(rig, Ask, 0xFEE0_0000, pasid: true).Steps.Select(s => s.Name));
    }

    [Theory] // reading 74: what an untranslated request would meet does not matter
    [InlineData(Rig.V, 0xFEE0_0000UL, false)]
    [InlineData(Rig.V | Rig.TV | 3UL << 9 | Rig.HostRoot, 0x1234_5678UL, false)]
    [InlineData(Rig.V | Rig.TV | Rig.GV, 0xFFFF_FFFF_FFFF_F123UL, true)]
    public void TranslatedRequestsPassUnchanged(ulong q0, ulong iova, bool pasid)
    {
        Rig rig = new Rig().Dte(q0, I);
        ReferenceAnswer answer = Request(rig, Done, iova, Access.Write, pasid);
        Assert.Equal((iova, Access.All, false), (answer.OutputAddress, answer.Permissions, answer.IsMessage));
        Assert.Single(answer.Steps);
    }

    [Theory] // reading 75
    [InlineData(0x3000UL, true)]
    [InlineData(0x5FFFUL, true)]
    [InlineData(0x2FFFUL, false)]
    [InlineData(0x6000UL, false)]
    public void TheExclusionRangeIsGrantedWhole(ulong iova, bool inside)
    {
        Rig rig = new Rig().Dte(Rig.V, I);
        rig.Iommu.Write(0x20, 8, 0x3003);
        rig.Iommu.Write(0x28, 8, 0x5000);
        ReferenceAnswer answer = Request(rig, Ask, iova);
        Assert.Equal((inside ? iova : null, inside ? Access.All : Access.None), (answer.OutputAddress, answer.Permissions));
        Assert.Null(answer.Event);
        Assert.Empty(rig.Logged());
    }

    [Theory] // reading 76: the leaf
    [InlineData(NoEntry)]
    [InlineData(Rig.Present | Rig.IRIW | 1UL << 52)]
    [InlineData(Rig.Present | Rig.IRIW | 1 << 9)]
    [InlineData(Rig.Present | Rig.IRIW | 7 << 9 | 0xF_FFFF_FFFF_F000)]
    [InlineData(Rig.Present | Page)] // present, but nothing is permitted
    public void WithoutAHostPageThereIsNoAnswer(ulong leaf)
    {
        Rig rig = Host(leaf);
        AssertRefusedSilently(rig, Request(rig, Ask, 0x123, Access.Write));
        Assert.NotNull(Request(rig, RequestKind.Untranslated, 0x123).Event);
    }

    [Fact]
    public void OtherWaysToFindNothing()
    {
        Rig rig = Host(Rig.Entry(Page, 0));
        AssertRefusedSilently(rig, Request(rig, Ask, 1UL << 39)); // beyond Mode
        rig.Put(Rig.HostRoot, 0, Rig.Entry(HostL1, 1));
        AssertRefusedSilently(rig, Request(rig, Ask, 0x20_0000)); // skipped bits
        AssertRefusedSilently(rig, Request(rig, Ask, 0, pasid: true)); // a PASID without guest tables
        rig.Dte(Rig.V | Rig.IRIW, I);
        AssertRefusedSilently(rig, Request(rig, Ask, 0)); // TV=0
        AssertRefusedSilently(rig = Host(Rig.Entry(Page, 0), permissions: 0), Request(rig, Ask, 0));
        AssertRefusedSilently(rig = Guest(NoEntry), Request(rig, Ask, 0, pasid: true));
        AssertRefusedSilently(rig = Guest(P | W | 0x9000), Request(rig, Ask, 0, pasid: true)); // of the supervisor
        AssertRefusedSilently(rig = Guest(P | W | U | 0x9000), Request(rig, Ask, 1UL << 47, pasid: true)); // not canonical
        rig.Put(Rig.Gcr3, Pasid, 0);
        AssertRefusedSilently(rig, Request(rig, Ask, 0, pasid: true));
    }

    [Fact]
    public void SuppressionKeepsItsFirstFaultOverSilentRefusals()
    {
        Rig rig = Host(NoEntry, q1: Domain | I | 1UL << 33); // SE
        Request(rig, Ask, 0);
        Request(rig, RequestKind.Untranslated, 0);
        Assert.Single(rig.Logged());
    }

    [Fact]
    public void AnUnreadableTableIsReported() // reading 77
    {
        ReferenceAnswer host = Request(new Rig().HostDte(3, q1: Domain | I), Ask, 0, Access.Write);
        Assert.Equal(new ReferenceEvent(4UL << 60 | 1UL << 57 | 1UL << 56 | 1UL << 53 | Domain << 32 | 0x310, Rig.HostRoot), host.Event);
        ReferenceAnswer guest = Request(Guest(0).Put(Rig.Gcr3, Pasid, P | 0x6000_0000), Ask, 0, pasid: true);
        Assert.Equal(new ReferenceEvent(4UL << 60 | 1UL << 57 | 1UL << 56 | 1UL << 48 | (ulong)Pasid << 32 | 0x310, 0x6000_0000), guest.Event);
    }

    [Theory] // reading 78: what DTE and leaf permit, what is asked, what is granted
    [InlineData(Rig.IRIW, Rig.IRIW, Access.Read, Access.All)]
    [InlineData(Rig.IRIW, Rig.IR, Access.Write, Access.Read | Access.Execute)]
    [InlineData(Rig.IRIW, Rig.IR, Access.ReadWrite, Access.Read | Access.Execute)]
    [InlineData(Rig.IRIW, Rig.IW, Access.Read, Access.Write)]
    [InlineData(Rig.IR, Rig.IRIW, Access.Write, Access.Read | Access.Execute)]
    [InlineData(Rig.IW, Rig.IRIW, Access.Execute, Access.Write)]
    public void WhatIsPermittedIsGranted(ulong dte, ulong leaf, Access access, Access granted)
    {
        ReferenceAnswer answer = Request(Host(Rig.Present | leaf | Page, dte), Ask, 0x123, access);
        Assert.Equal((Page + 0x123, granted, 12), (answer.OutputAddress, answer.Permissions, answer.PageShift));
        ReferenceAnswer direct = Request(new Rig().Dte(Rig.V | Rig.TV | dte & leaf, I), Ask, 0x123, access);
        Assert.Equal((0x123UL, granted, 64), (direct.OutputAddress, direct.Permissions, direct.PageShift));
    }

    [Theory] // the leaf's bits, asked, granted, the bits set in the leaf; all with Dirty bits kept by the host
    [InlineData(Rig.IRIW, Access.Read, Access.Read | Access.Execute, A)]
    [InlineData(Rig.IRIW | D, Access.Read, Access.All, A)]
    [InlineData(Rig.IRIW, Access.Write, Access.All, A | D)]
    [InlineData(Rig.IRIW, Access.ReadWrite, Access.All, A | D)]
    [InlineData(Rig.IRIW | A | D, Access.ReadWrite, Access.All, 0UL)]
    [InlineData(Rig.IR, Access.Write, Access.Read | Access.Execute, A)]
    [InlineData(Rig.IW, Access.Read, Access.None, 0UL)] // write only, and not to be granted
    [InlineData(Rig.IW, Access.Write, Access.Write, A | D)]
    public void HostDirtyBitsLimitWriting(ulong leaf, Access access, Access granted, ulong set)
    {
        Rig rig = Host(Rig.Present | leaf | Page, more: 3UL << 7, control: Rig.On | 3UL << 46);
        ReferenceAnswer answer = Request(rig, Ask, 0, access);
        Assert.Equal((granted == Access.None ? null : Page, granted), (answer.OutputAddress, answer.Permissions));
        Assert.Null(answer.Event);
        rig.Memory.TryRead64(HostL1, out ulong after);
        Assert.Equal(Rig.Present | leaf | Page | set, after);
        rig = Host(Rig.Present | leaf | Page, more: 1UL << 7, control: Rig.On | 3UL << 46); // Accessed alone limits nothing
        Assert.Equal(leaf == Rig.IW ? Access.Write : (leaf & Rig.IW) != 0 ? Access.All : Access.Read | Access.Execute, Request(rig, Ask, 0, access).Permissions);
    }

    [Theory] // the same for the guest's leaf
    [InlineData(P | W | U, Access.Read, Access.Read | Access.Execute, A)]
    [InlineData(P | W | U | D, Access.Read, Access.All, A)]
    [InlineData(P | W | U, Access.Write, Access.All, A | D)]
    [InlineData(P | U, Access.Write, Access.Read | Access.Execute, A)]
    [InlineData(P | W | U | NX, Access.Execute, Access.Read, A)] // reading 79
    [InlineData(P | W | U | NX | D, Access.Execute, Access.ReadWrite, A)]
    public void GuestDirtyBitsLimitWriting(ulong leaf, Access access, Access granted, ulong set)
    {
        Rig rig = Guest(leaf | 0x9000, Rig.On & ~(1UL << 48 | 1UL << 54));
        ReferenceAnswer answer = Request(rig, Ask, 0, access, pasid: true);
        Assert.Equal((0x9000UL, granted), (answer.OutputAddress, answer.Permissions));
        rig.Memory.TryRead64(Rig.GuestRoot + 0x3000, out ulong after);
        Assert.Equal(leaf | 0x9000 | set, after);
    }

    [Fact]
    public void AMarkThatMayNotBeWrittenRefuses()
    {
        // The host maps all guest tables one to one, without write permission; D and the directories' A are set.
        Rig rig = Guest(P | W | U | 0x4000_0000, Rig.On & ~(1UL << 48 | 1UL << 54), more: 3UL << 9 | Rig.HostRoot)
            .Put(Rig.HostRoot, 0, Rig.Present | Rig.IR).Put(Rig.HostRoot, 1, Rig.Entry(0x4000_0000, 0));
        // A leaf at level 3 is a gigabyte from 0.
        AssertRefusedSilently(rig, Request(rig, Ask, 0, pasid: true));
        rig.Put(Rig.GuestRoot + 0x3000, 0, P | W | U | A | 0x4000_0000);
        Assert.Equal(Access.Read | Access.Execute, Request(rig, Ask, 0, pasid: true).Permissions);
        AssertRefusedSilently(rig, Request(rig, Ask, 0, Access.Write, pasid: true)); // the Dirty bit
        rig.Put(Rig.GuestRoot + 0x3000, 0, P | W | U | A | D | 0x4000_0000);
        Assert.Equal(Access.All, Request(rig, Ask, 0, Access.Write, pasid: true).Permissions);
    }

    [Theory] // readings 24, 79: execute permission and privilege as in an untranslated request
    [InlineData(P | W | U | NX, false, 0UL, Access.ReadWrite)]
    [InlineData(P | W | U | NX, false, 1UL << 3, Access.All)]
    [InlineData(P | W, true, 0UL, Access.All)]
    public void GuestPermissionsAreGranted(ulong leaf, bool privileged, ulong without, Access granted) => Assert.Equal(
        granted,
        Request(Guest(leaf | 0x9000, efr: Rig.Everything & ~without), Ask, 0, Access.Read, pasid: true, privileged).Permissions);
}
