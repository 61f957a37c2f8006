using FastNest.Tests.Machine;
using Xunit;

namespace FastNest.Tests.Amd;

/// <summary>Control (digest section 1.3): which bits stick with which features, and the run bits that follow.</summary>
public sealed class ControlTests
{
    /// <summary>Bits 12:0 and SlfWBDis.</summary>
    private const ulong Always = 0x1FFF | 1UL << 23;

    [Theory]
    [InlineData(0UL, 0UL, false, false, 0UL)]
    [InlineData(1UL << 1, 0UL, false, false, 7UL << 13)] // PPRSup: PprLogEn, PprIntEn, PprEn
    [InlineData(1UL << 2, 0UL, false, false, 3UL << 50)] // XTSup: XTEn, IntCapXTEn
    [InlineData(1UL << 4, 0UL, false, false, 1UL << 16)] // GTSup: GTEn
    [InlineData(1UL << 5, 0UL, false, false, 1UL << 55)] // GAPPISup: GAPPIEn
    [InlineData(1UL << 7, 0UL, false, false, 1UL << 17 | 3UL << 28)] // GASup: GAEn, GALogEn, GAIntEn
    [InlineData(1UL << 16, 0UL, false, false, 1UL << 22 | 1UL << 24)] // SmiFSup: SmiFEn, SmiFLogEn
    [InlineData(1UL << 21, 0UL, false, false, 7UL << 25)] // GAMSup: GAMEn
    [InlineData(1UL << 24, 0UL, false, false, 3UL << 30)] // DualPprLogSup
    [InlineData(1UL << 28, 0UL, false, false, 3UL << 32)] // DualEventLogSup
    [InlineData(1UL << 37, 0UL, false, false, 3UL << 37)] // USSup: PrivAbrtEn
    [InlineData(1UL << 41, 0UL, false, false, 1UL << 39 | 1UL << 42)] // PprAutoRspSup
    [InlineData(1UL << 42, 0UL, false, false, 1UL << 40)] // MarcSup
    [InlineData(1UL << 44, 0UL, false, false, 1UL << 41)] // BlkStopMrkSup
    [InlineData(1UL << 49, 0UL, false, false, 3UL << 46)] // HASup: HADUpdate
    [InlineData(1UL << 50, 0UL, false, false, 1UL << 45)] // EPHSup
    [InlineData(1UL << 53, 0UL, false, false, 1UL << 48)] // GDUpdateDis
    [InlineData(1UL << 55, 0UL, false, false, 3UL << 52)] // vIOMMUSup: vCmdEn, vIOMMUEn
    [InlineData(1UL << 61, 0UL, false, false, 1UL << 54)] // GAUpdateDisSup
    [InlineData(0UL, 1UL << 2, false, false, 1UL << 56)] // TMPMSup
    [InlineData(0UL, 1UL << 3, false, false, 1UL << 58)] // GCR3TRPModeSup
    [InlineData(0UL, 1UL << 5, false, false, 7UL << 61)] // SNPAVICSup
    [InlineData(0UL, 1UL << 8, false, false, 3UL << 43)] // NumIntRemapSup
    [InlineData(0UL, 0UL, true, false, 1UL << 59)] // IRTCacheDis
    [InlineData(0UL, 0UL, false, true, 1UL << 60)] // GstBufferTRPMode
    public void ABitSticksOnlyWithItsFeature(ulong efr, ulong efr2, bool irtCache, bool guestBuffer, ulong expected)
    {
        using var machine = new TestMachine(efr, efr2, irtCache, guestBuffer);
        machine.Write(Mmio.Control, ulong.MaxValue & ~(7UL << 34));
        Assert.Equal(Always | expected, machine.Read(Mmio.Control));
        machine.Write(Mmio.Control, 0);
        Assert.Equal(0UL, machine.Read(Mmio.Control));
        for (int bit = 0; bit < 64; bit++)
        {
            machine.Write(Mmio.Control, bit is >= 34 and <= 36 ? 0 : 1UL << bit);
            Assert.Equal(bit is >= 34 and <= 36 ? 0 : 1UL << bit & (Always | expected), machine.Read(Mmio.Control));
        }
    }

    [Fact]
    public void SegmentsAboveWhatIsOfferedCountAsNone()
    {
        for (ulong offered = 0; offered < 4; offered++)
        {
            for (ulong wanted = 0; wanted < 8; wanted++)
            {
                using var machine = new TestMachine(offered << 38);
                machine.Write(Mmio.Control, wanted << 34 | 1 << 10);
                Assert.Equal((wanted <= offered ? wanted << 34 : 0) | 1 << 10, machine.Read(Mmio.Control));
                machine.Write(Mmio.Control + 4, wanted << 2, 1); // by one byte too
                Assert.Equal((wanted <= offered ? wanted << 34 : 0) | 1 << 10, machine.Read(Mmio.Control));
            }
        }
    }

    [Fact]
    public void EachHalfIsWrittenAlone()
    {
        using var machine = new TestMachine(ulong.MaxValue);
        machine.Write(Mmio.Control + 4, 1 << 6, 4); // bit 38
        Assert.Equal(1UL << 38, machine.Read(Mmio.Control));
        machine.Write(Mmio.Control, 1 << 10, 4);
        Assert.Equal(1UL << 38 | 1 << 10, machine.Read(Mmio.Control));
    }

    /// <summary>Readings 40 and 41: all of enable bits and length code; any order.</summary>
    [Fact]
    public void RunBitsFollowEnablesAndLengths()
    {
        for (int code = 0; code < 16; code++)
        {
            for (ulong enables = 0; enables < 8; enables++)
            {
                using var machine = new TestMachine();
                machine.Write(Mmio.CommandBase, TestMachine.CommandRing | (ulong)code << 56);
                machine.Write(Mmio.EventBase, TestMachine.EventRing | (ulong)code << 56);
                machine.Write(Mmio.Control, (enables & 1) | (enables & 2) << 1 | (enables & 4) << 10); // IommuEn, EventLogEn, CmdBufEn
                bool legal = code >= 8;
                ulong expected = (legal && (enables & 3) == 3 ? Mmio.EventLogRun : 0) | (legal && (enables & 5) == 5 ? Mmio.CmdBufRun : 0);
                Assert.Equal(expected, machine.Status);
                machine.Write(Mmio.Control, 0);
                Assert.Equal(0UL, machine.Status);
            }
        }
    }

    [Fact]
    public void ALengthCodeSetLaterStartsTheRing()
    {
        using var machine = new TestMachine();
        machine.Write(Mmio.Control, Mmio.IommuEn | Mmio.CmdBufEn | Mmio.EventLogEn);
        Assert.Equal(0UL, machine.Status);
        machine.Write(Mmio.CommandBase, TestMachine.CommandRing | 8UL << 56);
        Assert.Equal(Mmio.CmdBufRun, machine.Status);
        machine.Write(Mmio.EventBase, TestMachine.EventRing | 8UL << 56);
        Assert.Equal(Mmio.CmdBufRun | Mmio.EventLogRun, machine.Status);
    }

    [Fact]
    public void RunBitsCannotBeWritten()
    {
        using var machine = new TestMachine();
        machine.Write(Mmio.Status, ulong.MaxValue);
        Assert.Equal(0UL, machine.Status);
        machine.Start();
        machine.Write(Mmio.Status, ulong.MaxValue);
        Assert.Equal(Mmio.CmdBufRun | Mmio.EventLogRun, machine.Status);
    }

    [Fact]
    public void ThePprLogRunsOnlyWhenOfferedAndEnabled()
    {
        using var machine = new TestMachine(Mmio.PprSup);
        machine.Write(Mmio.PprBase, 0x1000 | 8UL << 56);
        machine.Write(Mmio.PprTail, 0x1FF0);
        Assert.Equal(0xFF0UL, machine.Read(Mmio.PprTail)); // reduced to 4 KiB
        machine.Write(Mmio.Control, Mmio.IommuEn | Mmio.PprLogEn);
        Assert.Equal(Mmio.PprLogRun, machine.Status);
        machine.Write(Mmio.PprTail, 0x20);
        Assert.Equal(0xFF0UL, machine.Read(Mmio.PprTail)); // locked while it runs
        machine.Write(Mmio.PprBase, 0x2000 | 8UL << 56);
        Assert.Equal(0x1000 | 8UL << 56, machine.Read(Mmio.PprBase));
        machine.Write(Mmio.Control, Mmio.IommuEn);
        machine.Write(Mmio.PprBase, 0x2000 | 8UL << 56);
        Assert.Equal(0UL, machine.Read(Mmio.PprTail));
    }

    [Theory]
    [InlineData(Mmio.CommandBase, Mmio.CommandHead, Mmio.CommandTail)]
    [InlineData(Mmio.EventBase, Mmio.EventHead, Mmio.EventTail)]
    public void ABaseWriteResetsThePointersAndIsIgnoredWhileTheRingRuns(ulong basis, ulong head, ulong tail)
    {
        foreach ((ulong at, int size) in new[] { (0UL, 8), (0UL, 4), (4UL, 4), (7UL, 1) })
        {
            using var machine = new TestMachine();
            machine.Write(basis, 0x10_0000 | 9UL << 56);
            machine.Write(head, 0x40);
            machine.Write(tail, 0x80);
            Assert.Equal((0x40UL, 0x80UL), (machine.Read(head), machine.Read(tail)));
            machine.Write(basis + at, at == 7 ? 9UL : 0, size);
            Assert.Equal((0UL, 0UL), (machine.Read(head), machine.Read(tail)));

            machine.Start();
            ulong before = machine.Read(basis);
            machine.Write(basis + at, ulong.MaxValue, size);
            Assert.Equal(before, machine.Read(basis));
        }
    }

    [Theory]
    [InlineData(Mmio.CommandBase, Mmio.CommandHead, Mmio.CommandTail)]
    [InlineData(Mmio.EventBase, Mmio.EventHead, Mmio.EventTail)]
    public void PointersAreReducedToTheRing(ulong basis, ulong head, ulong tail)
    {
        for (int code = 0; code < 16; code++)
        {
            using var machine = new TestMachine();
            machine.Write(basis, 0x10_0000 | (ulong)code << 56);
            machine.Write(head, ulong.MaxValue);
            machine.Write(tail, 0x7_FFE0);
            ulong mask = code < 8 ? 0x7_FFF0UL : (16UL << code) - 16; // reading 44
            Assert.Equal((mask, 0x7_FFE0 & mask), (machine.Read(head), machine.Read(tail)));
        }
    }

    [Fact]
    public void WhileRunningOnlyTheOtherSidesPointersAreLocked()
    {
        using TestMachine machine = new TestMachine().Start();
        machine.Write(Mmio.CommandHead, 0x40);
        machine.Write(Mmio.EventTail, 0x40);
        machine.Write(Mmio.EventHead, 0x60);
        Assert.Equal((0UL, 0UL, 0x60UL), (machine.Read(Mmio.CommandHead), machine.Read(Mmio.EventTail), machine.Read(Mmio.EventHead)));
    }
}
