using FastNest.Reference;
using FastNest.Requests;
using Xunit;
using static FastNest.Tests.Reference.HistoryRig;

namespace FastNest.Tests.Reference;

/// <summary>Which answers a history allows, rule by rule.</summary>
public class HistoryTests
{
    private const string A = "500000123", B = "600000123";

    private static HistoryRig Host() => new(nestedTables: false);

    /// <summary>A host device whose leaf moved from page A to page B.</summary>
    private static HistoryRig Moved()
    {
        HistoryRig rig = Host();
        rig.Put(HostL1, Rig.Entry(PB, 0));
        return rig;
    }

    [Fact]
    public void WithoutChangesThereIsOneAnswer()
    {
        HistoryRig rig = new();
        ReferenceAllowedAnswer only = Assert.Single(rig.History.Allowed(new(NestedDevice, Pasid, 0x123, Access.Write)));
        Assert.Equal(new(Tables + GuestPage + 0x123, 12, Access.All, false, null), only);
        Assert.Equal([$"{Tables + 0x1123:x}"], rig.AllowedHost(0x1123));
    }

    [Fact]
    public void TheOldAnswerIsAllowedUntilTheWaitCompletes()
    {
        HistoryRig rig = Moved();
        Assert.Equal([A, B], rig.AllowedHost());
        (ulong low, ulong high) = InvalidatePages(Domain, bits: 12);
        rig.History.Submit(low, high);
        Assert.Equal([A, B], rig.AllowedHost());
        rig.History.Submit(1UL << 60, 0);
        Assert.Equal([A, B], rig.AllowedHost());
        rig.History.CompleteWait();
        Assert.Equal([B], rig.AllowedHost());
    }

    [Fact]
    public void AWaitCompletesWhatWasSubmittedBeforeIt()
    {
        HistoryRig rig = Moved();
        rig.History.Submit(1UL << 60, 0);
        (ulong low, ulong high) = InvalidatePages(Domain);
        rig.History.Submit(low, high);
        rig.History.CompleteWait();
        Assert.Equal([A, B], rig.AllowedHost());
        rig.History.Submit(1UL << 60, 0);
        rig.History.CompleteWait();
        Assert.Equal([B], rig.AllowedHost());
        Assert.Throws<InvalidOperationException>(rig.History.CompleteWait);
    }

    [Fact]
    public void WhatStoodAtTheSubmissionMayHaveBeenCachedSince()
    {
        HistoryRig rig = Host();
        (ulong low, ulong high) = InvalidatePages(Domain);
        rig.History.Submit(low, high);
        rig.Put(HostL1, Rig.Entry(PB, 0));
        rig.Put(HostL1, Rig.Entry(PB, 0) & ~Rig.IR);
        rig.History.Submit(1UL << 60, 0);
        rig.History.CompleteWait();
        Assert.Equal([A, B, "PR PE"], rig.AllowedHost());
    }

    [Fact]
    public void NotPresentMayBeCachedToo()
    {
        HistoryRig rig = Host();
        rig.Put(HostL1, 0);
        rig.Put(HostL1, Rig.Entry(PB, 0));
        Assert.Equal(["", A, B], rig.AllowedHost());
        rig.Complete(InvalidatePages(Domain));
        Assert.Equal([B], rig.AllowedHost());
    }

    public static TheoryData<ulong, ulong, bool> HostCommands => Commands(
        (InvalidatePages(Domain, 0, 12), true),
        (InvalidatePages(Domain, 0x1000, 12), false),
        (InvalidatePages(Domain, 0x1000, 13), true),
        (InvalidatePages(Domain, 0x2000, 13), false),
        (InvalidatePages(Domain, 0x1F_F000, 21), true),
        (InvalidatePages(Domain, 0x20_0000, 21), false),
        (InvalidatePages(Domain, 1UL << 50, 51), true),
        (InvalidatePages(Domain, 1UL << 51, 51), false),
        (InvalidatePages(Domain), true),
        ((3UL << 60 | (ulong)Domain << 32, ~0xFFFUL | 1), true),
        (InvalidatePages(Domain, pde: false), true),
        (InvalidatePages(Domain + 1), false),
        (InvalidatePages(Domain, pasid: 0), false),
        (InvalidateEntry(HostDevice), false),
        ((4UL << 60 | 0x310, 0x7FFF_FFFF_FFFF_F001), false),
        (InvalidateAll, true));

    [Theory]
    [MemberData(nameof(HostCommands))]
    public void WhatCoversAHostLeaf(ulong low, ulong high, bool covers)
    {
        HistoryRig rig = Moved();
        rig.Complete((low, high));
        Assert.Equal(covers ? [B] : [A, B], rig.AllowedHost());
    }

    [Fact]
    public void OtherDomainsAreUnaffected()
    {
        HistoryRig rig = Moved();
        rig.Complete(InvalidatePages(Domain));
        Assert.Equal([A, B], rig.AllowedHost(device: Stranger));
        rig.Complete(InvalidatePages(0x99));
        Assert.Equal([B], rig.AllowedHost(device: Stranger));
    }

    [Fact]
    public void ADirectoryIsCoveredForTheAddressesOfTheCommand()
    {
        HistoryRig rig = Host();
        rig.Put(OtherHostL1, Rig.Entry(PB, 0));
        rig.Put(OtherHostL1 + 8, Rig.Entry(PB, 0));
        rig.Complete(InvalidateAll);
        rig.Put(HostL2, Rig.Entry(OtherHostL1, 1));
        rig.Complete(InvalidatePages(Domain, 0, 12));
        Assert.Equal([B], rig.AllowedHost());
        Assert.Equal([A, B], rig.AllowedHost(0x1123));
    }

    [Fact]
    public void ADirectoryIsCoveredOnlyWithPde()
    {
        HistoryRig rig = Host();
        rig.Put(OtherHostL1, Rig.Entry(PB, 0));
        rig.Complete(InvalidateAll);
        rig.Put(HostL2, Rig.Entry(OtherHostL1, 1));
        rig.Complete(InvalidatePages(Domain, pde: false));
        Assert.Equal([A, B], rig.AllowedHost());
        rig.Complete(InvalidatePages(Domain, pde: true));
        Assert.Equal([B], rig.AllowedHost());

        rig.Put(HostL2, Rig.Entry(0x20_0000, 0)); // as a leaf it needs none
        rig.Put(HostL2, Rig.Entry(0x40_0000, 0));
        rig.Complete(InvalidatePages(Domain, pde: false));
        Assert.Equal(["400123", B], rig.AllowedHost());
    }

    [Fact]
    public void EntriesOfDifferentTimesMix()
    {
        // First the table behind the old directory entry changes, once that entry is replaced: no whole state has both.
        HistoryRig rig = Host();
        rig.Put(OtherHostL1, Rig.Entry(PB, 0));
        rig.Complete(InvalidateAll);
        rig.Put(HostL2, Rig.Entry(OtherHostL1, 1));
        rig.Put(HostL1, Rig.Entry(0x9000, 0));
        Assert.Equal([A, B, "9123"], rig.AllowedHost());
    }

    public static TheoryData<ulong, ulong, bool> DeviceCommands => Commands(
        (InvalidateEntry(HostDevice), true),
        (InvalidateEntry(Stranger), false),
        (InvalidatePages(Domain), false),
        (InvalidateAll, true));

    [Theory]
    [MemberData(nameof(DeviceCommands))]
    public void WhatCoversADeviceTableEntry(ulong low, ulong high, bool covers)
    {
        HistoryRig rig = Host();
        rig.Dte(HostDevice, Rig.V | Rig.TV | Rig.IRIW, Domain); // Mode=0
        Assert.Equal(["123", A], rig.AllowedHost());
        rig.Complete((low, high));
        Assert.Equal(covers ? ["123"] : ["123", A], rig.AllowedHost());
    }

    [Fact]
    public void ADeviceTableEntryIsReadAsAWhole()
    {
        HistoryRig rig = Host();
        ulong at = Rig.DeviceTable + HostDevice.Value * 32;
        rig.Put(at, Rig.V | Rig.TV | Rig.IR | Rig.IW);  // one to one; the domain is the old one
        rig.Put(at + 8, 0x55);
        rig.Put(at, Rig.V | Rig.IRIW);                  // TV=0, so that a fault tells the domain
        Assert.Equal(
            [0x55],
            rig.History.Allowed(new(HostDevice, 0x123, Access.Read)).Where(a => a.Event is not null).Select(a => (int)a.Event!.Domain));
    }

    [Fact]
    public void TheEntrysDomainDecidesWhatCoversTheTables()
    {
        HistoryRig rig = Moved();
        rig.Complete(InvalidatePages(Domain));
        rig.Dte(HostDevice, Rig.V | Rig.TV | 3UL << 9 | Rig.HostRoot | Rig.IRIW, 0x55); // nothing was invalidated for 55h
        Assert.Equal([A, B], rig.AllowedHost());
        rig.Complete(InvalidatePages(0x55));
        Assert.Equal([B], rig.AllowedHost());
    }

    [Fact]
    public void TheDeviceTableMayHaveMoved()
    {
        HistoryRig rig = Host();
        rig.Memory.Add(0x0300_0000, 0x20_0000); // V=0 everywhere
        rig.History.WriteRegister(0, 4, 0x0300_01FF);
        Assert.Equal(["123", A], rig.AllowedHost());
        rig.Complete(InvalidateEntry(HostDevice));
        Assert.Equal(["123"], rig.AllowedHost());
        rig.History.WriteRegister(0, 4, 0x0300_0000); // 128 entries
        Assert.Equal(["", "123"], rig.AllowedHost());
        rig.Complete(InvalidateAll);
        Assert.Equal([""], rig.AllowedHost());
    }

    [Fact]
    public void SettingsAreCoveredByInvalidateAllAlone()
    {
        HistoryRig rig = new();
        string on = $"{Tables + GuestPage + 0x123:x}";
        rig.History.WriteRegister(0x18, 8, (Rig.On | 1UL << 58) & ~(1UL << 16)); // GTEn
        rig.History.WriteRegister(0x18, 8, (Rig.On | 1UL << 58 | 1UL << 3) & ~(1UL << 16)); // nothing that walks go by
        Assert.Equal([on, "US"], rig.AllowedNested());
        rig.Complete(InvalidateEntry(NestedDevice));
        rig.Complete(InvalidatePages(NestedDomain));
        Assert.Equal([on, "US"], rig.AllowedNested());
        rig.Complete(InvalidateAll);
        Assert.Equal(["US"], rig.AllowedNested());
        rig.History.WriteRegister(0x28, 8, 0x5000);
        rig.History.WriteRegister(0x20, 8, 3);
        Assert.Equal(["123", $"{Tables + 0x123:x}"], rig.AllowedHost());
    }

    [Fact]
    public void NothingIsReadWhileOff()
    {
        HistoryRig rig = Host();
        rig.History.WriteRegister(0x18, 8, Rig.On & ~1UL);
        Assert.Equal(["123"], rig.AllowedHost()); // at once
        rig.Put(HostL1, 0);
        rig.Put(HostL1, Rig.Entry(PB, 0));
        rig.History.WriteRegister(0x18, 8, Rig.On);
        Assert.Equal([A, B], rig.AllowedHost()); // caches filled before may have been kept; not present was never seen
        rig.Complete(InvalidatePages(Domain));
        Assert.Equal([B], rig.AllowedHost());
    }

    public static TheoryData<ulong, ulong, bool> PasidTableCommands => Commands(
        (InvalidatePages(NestedDomain, pasid: Pasid), true),
        (InvalidatePages(NestedDomain, 0, 12, pasid: Pasid), false),
        (InvalidatePages(NestedDomain, 0, 48, pasid: Pasid), false),
        (InvalidatePages(NestedDomain, pasid: Pasid + 1), false),
        (InvalidatePages(Domain, pasid: Pasid), false),
        (InvalidatePages(NestedDomain, 0x7000_0000, 12), true),
        (InvalidatePages(Domain), false),
        (InvalidateEntry(NestedDevice), false),
        (InvalidateAll, true));

    [Theory]
    [MemberData(nameof(PasidTableCommands))]
    public void WhatCoversAPasidTableEntry(ulong low, ulong high, bool covers)
    {
        HistoryRig rig = new();
        rig.PutGuest(GuestGcr3 + Pasid * 8, 0);
        string old = $"{Tables + GuestPage + 0x123:x}";
        Assert.Equal([old, "GN US"], rig.AllowedNested());
        rig.Complete((low, high));
        Assert.Equal(covers ? ["GN US"] : [old, "GN US"], rig.AllowedNested());
    }

    public static TheoryData<ulong, ulong, bool> GuestCommands => Commands(
        (InvalidatePages(NestedDomain, pasid: Pasid), true),
        (InvalidatePages(NestedDomain, 0, 12, pasid: Pasid), true),
        (InvalidatePages(NestedDomain, 0x1000, 12, pasid: Pasid), false),
        (InvalidatePages(NestedDomain, 0x1000, 13, pasid: Pasid), true),
        (InvalidatePages(NestedDomain, pasid: Pasid + 1), false),
        (InvalidatePages(Domain, pasid: Pasid), false),
        (InvalidatePages(NestedDomain, 0x7000_0000, 12), true),
        (InvalidatePages(NestedDomain, 0x7000_0000, 12, pde: false), true),
        (InvalidatePages(Domain), false),
        (InvalidateEntry(NestedDevice), false),
        (InvalidateAll, true));

    [Theory]
    [MemberData(nameof(GuestCommands))]
    public void WhatCoversAGuestLeaf(ulong low, ulong high, bool covers)
    {
        HistoryRig rig = new();
        rig.PutGuest(GuestL1, 7 | OtherGuestPage);
        string old = $"{Tables + GuestPage + 0x123:x}", current = $"{Tables + OtherGuestPage + 0x123:x}";
        Assert.Equal([old, current], rig.AllowedNested());
        rig.Complete((low, high));
        Assert.Equal(covers ? [current] : [old, current], rig.AllowedNested());
    }

    [Theory]
    [InlineData(true, false)]
    [InlineData(false, false)]
    [InlineData(true, true)]
    [InlineData(false, true)]
    public void AGuestDirectoryIsCoveredOnlyWithPde(bool pde, bool byHost)
    {
        HistoryRig rig = new();
        rig.PutGuest(GuestL2, 7 | OtherGuestL1);
        rig.Complete(InvalidatePages(NestedDomain, pasid: byHost ? null : Pasid, pde: pde));
        string old = $"{Tables + GuestPage + 0x123:x}", current = $"{Tables + OtherGuestPage + 0x123:x}";
        Assert.Equal(pde ? [current] : [old, current], rig.AllowedNested());
    }

    [Theory] // the guest physical page whose host entry changes: a table, the PASID table, the final page
    [InlineData(GuestL2)]
    [InlineData(GuestGcr3)]
    [InlineData(GuestPage)]
    public void AHostEntryOfANestedWalkIsCoveredAtItsGuestAddress(ulong gpa)
    {
        HistoryRig rig = new();
        rig.Put(HostL1 + (gpa >> 12) * 8, 0);
        string old = $"{Tables + GuestPage + 0x123:x}";
        Assert.Equal([old, "US"], rig.AllowedNested());
        rig.Complete(InvalidatePages(NestedDomain, pasid: Pasid));
        rig.Complete(InvalidatePages(NestedDomain, gpa ^ 0x1000, 12));
        rig.Complete(InvalidatePages(NestedDomain, gpa ^ 0x20_0000, 21));
        rig.Complete(InvalidatePages(Domain));
        Assert.Equal([old, "US"], rig.AllowedNested());
        rig.Complete(InvalidatePages(NestedDomain, gpa, 12));
        Assert.Equal(["US"], rig.AllowedNested());
    }

    [Fact]
    public void StagesOfDifferentTimesMix()
    {
        HistoryRig rig = new();
        rig.PutGuest(GuestL1, 7 | OtherGuestPage);
        rig.Put(HostL1 + (OtherGuestPage >> 12) * 8, Rig.Entry(PB, 0));
        rig.Put(HostL1 + (GuestPage >> 12) * 8, Rig.Entry(PA, 0));
        string[] outputs = [$"{Tables + GuestPage + 0x123:x}", $"{Tables + OtherGuestPage + 0x123:x}", A, B];
        Assert.Equal(outputs, rig.AllowedNested());
        rig.Complete(InvalidatePages(NestedDomain, 0, 12, Pasid)); // the guest stage is today's, the host's of any time
        Assert.Equal([outputs[1], B], rig.AllowedNested());
        rig.Complete(InvalidatePages(NestedDomain, OtherGuestPage, 12));
        Assert.Equal([B], rig.AllowedNested());
    }

    [Fact]
    public void PermissionsOfBothTimesAreAllowedButNotTheirUnion()
    {
        HistoryRig rig = Host();
        rig.Put(HostL1, Rig.Entry(PA, 0) & ~Rig.IW);
        rig.Put(HostL1, Rig.Entry(PA, 0) & ~Rig.IR);
        rig.Complete(InvalidatePages(Domain, 0x1000, 12));
        Assert.Equal(
            [Access.Read | Access.Execute, Access.All],
            rig.History.Allowed(new(HostDevice, 0x123, Access.Read)).Where(a => a.Event is null).Select(a => a.Permissions).Order());
    }

    [Fact]
    public void TheEntryThatCannotBeMarkedMayBeAnyThatCould()
    {
        HistoryRig rig = new((Rig.On | 1UL << 58) & ~(1UL << 48 | 1UL << 54));
        foreach (ulong gpa in new[] { GuestL4, GuestL3, GuestL2, GuestL1 })
            rig.Put(HostL1 + (gpa >> 12) * 8, Rig.Entry(Tables + gpa, 0) & ~Rig.IW);
        rig.Complete(InvalidateAll);
        Assert.Equal(GuestL4, Assert.Single(rig.History.Allowed(new(NestedDevice, Pasid, 0, Access.Write))).Event!.Address);
        rig.PutGuest(GuestL4, 7 | 1 << 5 | GuestL3);
        rig.PutGuest(GuestL3, 7 | 1 << 5 | GuestL2);
        rig.PutGuest(GuestL2, 7 | 1 << 5 | GuestL1);
        Assert.Equal(
            [GuestL4, GuestL3, GuestL2, GuestL1],
            rig.History.Allowed(new(NestedDevice, Pasid, 0, Access.Write)).Select(a => a.Event!.Address).Distinct().OrderBy(a => a == GuestL4 ? 0 : a == GuestL3 ? 1 : a == GuestL2 ? 2 : 3));
        rig.PutGuest(GuestL1, 7 | 3 << 5 | GuestPage);
        rig.Complete(InvalidateAll);
        Assert.Equal([$"{Tables + GuestPage:x}"], rig.AllowedNested(0, Access.Write));
    }

    [Fact]
    public void AtsRequestsSeeTheSameTables()
    {
        HistoryRig rig = Host();
        rig.Put(HostL1, 0);
        TranslationRequest ats = new TranslationRequest(HostDevice, 0x123, Access.Read) with { Kind = RequestKind.Translation };
        Assert.Equal(["500000123", "none"], rig.Allowed(ats));
        Assert.Equal(["123"], rig.Allowed(ats with { Kind = RequestKind.Translated }));
        rig.Complete(InvalidatePages(Domain));
        Assert.Equal(["none"], rig.Allowed(ats));
    }

    private static TheoryData<ulong, ulong, bool> Commands(params ((ulong Low, ulong High) Command, bool Covers)[] rows)
    {
        TheoryData<ulong, ulong, bool> data = [];
        foreach (((ulong low, ulong high), bool covers) in rows)
            data.Add(low, high, covers);
        return data;
    }
}
