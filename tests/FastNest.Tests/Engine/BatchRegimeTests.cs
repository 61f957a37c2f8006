using System.Runtime.InteropServices;
using FastNest.Amd;
using FastNest.Engine;
using FastNest.Memory;
using FastNest.Requests;
using FastNest.Tests.Machine;
using FastNest.Tests.Walks;
using Xunit;

namespace FastNest.Tests.Engine;

/// <summary>Addresses that are no memory's, or not the tables', stay so in batches of memory requests.</summary>
public sealed class BatchRegimeTests : IDisposable
{
    private const uint Device = 9;
    private const uint Other = 10;

    private readonly TestMachine _machine = new(IommuFeatures.Built.ExtendedFeatures & ~(1UL << 63)); // without SNPSup
    private readonly ulong _root;

    public BatchRegimeTests() => _root = _machine.NewTable();

    public static TheoryData<WalkStrategy> Strategies => AsScalar.Strategies;

    public void Dispose() => _machine.Dispose();

    /// <summary>Reading 21: from FEE0_0000h to FEEF_FFFFh requests are messages whatever tables map there.</summary>
    [Theory]
    [MemberData(nameof(Strategies))]
    public void TheInterruptWindowIsNotMemory(WalkStrategy strategy)
    {
        _machine.Start();
        ulong[] iovas = [0xFEDF_FFFF, 0xFEE0_0000, 0xFEE1_2340, 0xFEEF_F000, 0xFEEF_FFFF, 0xFEF0_0000, 0x1_FEE0_0000];
        Array.ForEach(iovas, iova => _machine.Map(_root, 4, iova, 0x10_0000));
        _machine.SetDte(Device, Bits.DteLow(_root, 4), 5, Bits.IV | 1UL << 60);
        _machine.SetDte(Other, Bits.DteLow(_root, 4), 5);
        TranslationResult[] results = AsScalar.Check(_machine, strategy, [.. AsScalar.Of(Device, iovas), .. AsScalar.Of(Other, iovas)]);
        Assert.Contains(results, result => result.IsMessage);
        Assert.Contains(results, result => result.Succeeded && !result.IsMessage);
        Assert.Contains(results, result => result.Reason == FaultReason.MessageWindowRead);
    }

    /// <summary>Where a table stands is remembered, but no longer than the memory is there.</summary>
    [Theory]
    [MemberData(nameof(Strategies))]
    public unsafe void TablesInMemoryThatIsTakenOutAreNotRead(WalkStrategy strategy)
    {
        const ulong at = 0x1_0000_0000;
        const ulong length = 2 * TestMachine.RamSize;
        void* host = NativeMemory.AlignedAlloc((nuint)length, 4096);
        try
        {
            _machine.Start();
            MemoryRegion region = _machine.Memory.AddBorrowed(at, (nint)host, length);
            _machine.Poke(at, Bits.Pde(at + 0x1000, 1));
            ulong[] iovas = [.. Enumerable.Range(0, 64).Select(i => (ulong)i << 12)];
            Array.ForEach(iovas, iova => _machine.Poke(Bits.Slot(at + 0x1000, 1, iova), Bits.Pte(0x10_0000)));
            _machine.SetDte(Device, Bits.DteLow(at, 2), 5);
            using TranslationPort port = _machine.Iommu.OpenPort(new() { IotlbSets = 0 }, strategy);
            var results = new TranslationResult[iovas.Length];
            for (int round = 0; round < 3; round++)
            {
                port.Translate(new Requester(new(Device)), iovas, Access.Read, results);
                Assert.All(results, result => Assert.True(result.Succeeded));
            }

            _machine.Memory.Remove(region);
            port.Translate(new Requester(new(Device)), iovas, Access.Read, results);
            Assert.All(results, result => Assert.False(result.Succeeded));
        }
        finally
        {
            NativeMemory.AlignedFree(host);
        }
    }

    /// <summary>Nothing permits what is no access at all; what is asked with it is refused too.</summary>
    [Theory]
    [MemberData(nameof(Strategies))]
    public void AnAccessThatIsNoneIsRefused(WalkStrategy strategy)
    {
        _machine.Start();
        _machine.Map(_root, 2, 0x5000, 0x10_0000);
        _machine.SetDte(Device, Bits.DteLow(_root, 2), 5);
        foreach (Access access in new[] { 8, 9, 0x11, 0xFF }.Select(bits => (Access)bits))
        {
            TranslationRequest[] requests = [.. Enumerable.Repeat(new TranslationRequest(new(Device), 0x5000, access), 20)];
            Assert.All(
                AsScalar.Check(_machine, strategy, requests), result => Assert.Equal(FaultReason.PermissionDenied, result.Reason));
        }
    }

    /// <summary>Reading 12: for devices that may, or for all, the exclusion range is not translated.</summary>
    [Theory]
    [MemberData(nameof(Strategies))]
    public void TheExclusionRangeIsNotTranslated(WalkStrategy strategy)
    {
        _machine.Start();
        ulong[] iovas = [0x2000, 0x3000, 0x4FF8, 0x5000, 0x1008];
        Array.ForEach(iovas, iova => _machine.Map(_root, 2, iova, 0x10_0000));
        _machine.SetDte(Device, Bits.DteLow(_root, 2), 5 | Bits.EX);
        _machine.SetDte(Other, Bits.DteLow(_root, 2), 5);
        foreach (ulong control in new ulong[] { 0, 1, 3 })
        {
            _machine.Write(0x20, 0x3000 | control);
            _machine.Write(0x28, 0x4000);
            TranslationRequest[] requests = [.. AsScalar.Of(Device, iovas), .. AsScalar.Of(Other, iovas)];
            TranslationResult[] results = AsScalar.Check(_machine, strategy, requests);
            for (int i = 0; i < requests.Length; i++)
            {
                bool excluded = requests[i].Iova is >= 0x3000 and < 0x5000 && (control == 3 || (control == 1 && requests[i].Device.Value == Device));
                Assert.Equal(excluded ? requests[i].Iova : 0x10_0000 + (requests[i].Iova & 0xFFF), results[i].Address);
            }
        }
    }

    /// <summary>Nor are they when a page that reaches over the window is known.</summary>
    [Theory]
    [MemberData(nameof(Strategies))]
    public void APageThatIsKnownDoesNotCoverTheInterruptWindow(WalkStrategy strategy)
    {
        _machine.Start();
        _machine.SetEntry(_root, 4, 0xC000_0000, 3, Bits.Pte(0x1_0000_0000));
        _machine.SetDte(Device, Bits.DteLow(_root, 4), 5);
        using TranslationPort port = _machine.Iommu.OpenPort(null, strategy);
        var requester = new Requester(new(Device));
        ulong[] memory = [.. Enumerable.Range(0, 16).Select(static i => 0xC000_0000 + ((ulong)i << 21))];
        var results = new TranslationResult[memory.Length];
        for (int round = 0; round < 2 * 16; round++)
        {
            port.Translate(requester, memory, Access.Read, results);
            Assert.All(results, static result => Assert.True(result.Succeeded));
        }

        ulong[] messages = [.. Enumerable.Repeat(0xFEE0_1000UL, memory.Length)];
        for (int round = 0; round < 2 * 16; round++)
        {
            port.Translate(requester, messages, Access.Read, results);
            Assert.All(results, static result => Assert.Equal(FaultReason.MessageWindowRead, result.Reason));
        }
    }

    /// <summary>What is known of requesters does not outlive the settings that it was judged by.</summary>
    [Theory]
    [MemberData(nameof(Strategies))]
    public void TheExclusionRangeHoldsFromWhenItIsSet(WalkStrategy strategy)
    {
        _machine.Start();
        _machine.Map(_root, 2, 0x3000, 0x10_0000);
        _machine.SetDte(Device, Bits.DteLow(_root, 2), 5 | Bits.EX);
        _machine.SetDte(Other, Bits.DteLow(_root, 2), 5);
        using TranslationPort port = _machine.Iommu.OpenPort(null, strategy);
        TranslationRequest[] requests =
            [.. Enumerable.Range(0, 20).Select(i => new TranslationRequest(new(i % 2 == 0 ? Other : Device), 0x3008, Access.Read))];
        var results = new TranslationResult[requests.Length];
        foreach (ulong expected in new ulong[] { 0x10_0008, 0x3008, 0x10_0008 })
        {
            _machine.Write(0x28, 0x3000);
            _machine.Write(0x20, 0x3000UL | (expected == 0x3008 ? 1UL : 0));
            for (int round = 0; round < 3; round++)
            {
                port.Translate(requests, results);
                for (int i = 0; i < requests.Length; i++)
                {
                    Assert.Equal(requests[i].Device.Value == Other ? 0x10_0008 : expected, results[i].Address);
                }
            }
        }
    }

    /// <summary>Devices that share tables but not the will to mark them.</summary>
    [Theory]
    [MemberData(nameof(Strategies))]
    public void ADeviceThatKeepsMarksDoesSoBesideOneThatDoesNot(WalkStrategy strategy)
    {
        _machine.Start(3UL << 46);
        ulong leaf = _machine.Map(_root, 1, 0x5000, 0x10_0000);
        _machine.SetDte(Device, Bits.DteLow(_root, 1), 5);
        _machine.SetDte(Other, Bits.DteLow(_root, 1) | 3UL << 7, 6);
        using TranslationPort port = _machine.Iommu.OpenPort(null, strategy);
        TranslationRequest[] requests =
            [.. Enumerable.Range(0, 20).Select(i => new TranslationRequest(new(i % 2 == 0 ? Device : Other), 0x5000, Access.Write))];
        var results = new TranslationResult[requests.Length];
        port.Translate(requests, results);
        Assert.All(results, result => Assert.Equal(0x10_0000UL, result.Address));
        Assert.Equal(Bits.Pte(0x10_0000) | 0x60, _machine.Peek(leaf));
    }

    /// <summary>Devices of one domain share its pages, each with the rights of its own entry.</summary>
    [Theory]
    [MemberData(nameof(Strategies))]
    public void DevicesOfOneDomainKeepTheirOwnRights(WalkStrategy strategy)
    {
        _machine.Start();
        ulong[] iovas = [0x1000, 0x2000, 0x3000, 0x4000, 0x5000];
        Array.ForEach(iovas, iova => _machine.Map(_root, 2, iova, iova));
        _machine.SetDte(Device, Bits.DteLow(_root, 2), 5);
        _machine.SetDte(Other, Bits.DteLow(_root, 2, Bits.IR), 5);
        AsScalar.Check(_machine, strategy, [.. AsScalar.Of(Device, iovas), .. AsScalar.Of(Other, iovas)]);
    }

    /// <summary>
    /// Without a context cache the device is looked up anew for a message. Its entry, over which the log lies here, may refuse it
    /// by then; what remains of a long batch is refused too, and not taken for a device without tables.
    /// </summary>
    [Theory]
    [MemberData(nameof(Strategies))]
    public void ADeviceThatIsRefusedInTheMidstOfABatchStaysRefused(WalkStrategy strategy)
    {
        const uint device = 1;
        _machine.Map(_root, 2, 0x5000, 0x10_0000);
        _machine.SetDte(device, Bits.DteLow(_root, 2), 5);
        _machine.Write(Mmio.DeviceTableBase, TestMachine.DeviceTable);
        _machine.Write(Mmio.EventBase, TestMachine.DeviceTable | 8UL << 56);
        _machine.Write(Mmio.EventTail, device * 32);
        _machine.Write(Mmio.Control, Mmio.EventLogEn | Mmio.IommuEn);
        using TranslationPort port = _machine.Iommu.OpenPort(new() { ContextEntries = 0 }, strategy);
        ulong[] iovas = [0x6000, 0xFEE0_0000, .. Enumerable.Repeat(8UL, 510)];
        var results = new TranslationResult[iovas.Length];
        port.Translate(new Requester(new(device)), iovas, Access.Write, results);
        Assert.Equal((FaultReason.NotPresent, true), (results[0].Reason, results[1].IsMessage));
        Assert.Equal([FaultReason.TranslationDisabled], results[256..].Select(result => result.Reason).Distinct());
    }
}
