using FastNest.Requests;
using FastNest.Tests.Properties;
using FastNest.Traces;
using FsCheck.Xunit;
using Xunit;

namespace FastNest.Tests.Traces;

/// <summary>A trace gives back what was written into it, and nothing else passes for one. To replay, see <see cref="Seed"/>.</summary>
public sealed class TraceFormatTests
{
    [Property(Arbitrary = [typeof(Seed)], MaxTest = 200)]
    public void WhatIsWrittenIsReadBack(Seed seed)
    {
        ArgumentNullException.ThrowIfNull(seed);
        var records = new RandomRecords(new(seed.Value));
        TraceHeader header = records.Header();
        TraceRecord[] written = [.. Enumerable.Range(0, 60).Select(_ => records.Next())];

        byte[] trace = TraceBytes.Of(header, written);
        List<TraceRecord> read = TraceBytes.Read(trace, out TraceHeader readHeader);

        Assert.Equal(header, readHeader);
        Assert.Equal(written.Select(TraceBytes.Text), read.Select(TraceBytes.Text));
        Assert.Equal(trace, TraceBytes.Of(readHeader, read));
    }

    [Fact]
    public void TheRandomRecordsAreOfEveryKind()
    {
        var records = new RandomRecords(new(1));
        Assert.Equal(RandomRecords.Kinds, Enumerable.Range(0, 1000).Select(_ => records.Next().GetType()).Distinct().Count());
    }

    [Fact]
    public void ATraceThatIsCutOffAnywhereIsRefused()
    {
        byte[] trace = Sample();
        for (int length = 0; length < trace.Length; length++)
        {
            var exception = Assert.Throws<TraceException>(() => TraceBytes.Read(trace[..length]));
            Assert.InRange(exception.Offset, 0, length);
            Assert.Contains($"\"{exception.Field}\"", exception.Message, StringComparison.Ordinal);
        }
    }

    /// <summary>A checksum finds each; none is taken for another trace, and none is anything but a trace's own error.</summary>
    [Fact]
    public void ABitThatIsTurnedIsFound()
    {
        byte[] trace = Sample();
        for (int bit = 0; bit < trace.Length * 8; bit++)
        {
            byte[] damaged = [.. trace];
            damaged[bit / 8] ^= (byte)(1 << (bit % 8));
            Assert.Throws<TraceException>(() => TraceBytes.Read(damaged));
        }
    }

    [Property(Arbitrary = [typeof(Seed)], MaxTest = 300)]
    public void HostileBytesAreATracesErrorAndTakeLittleMemory(Seed seed)
    {
        ArgumentNullException.ThrowIfNull(seed);
        var dice = new Dice(seed.Value);
        byte[] good = Sample();
        byte[] start = good[..28];
        byte[] trace = [.. start, .. Enumerable.Range(0, 200).Select(_ => (byte)dice.Of(dice.Below(256), dice.Below(16), 0xFF, 0x80))];
        long before = GC.GetAllocatedBytesForCurrentThread();

        Assert.Throws<TraceException>(() => TraceBytes.Read(trace));

        // At most 200 records of a megabyte, of which each takes five bytes to announce.
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 60L << 20);
    }

    [Fact]
    public void WhatFollowsTheEndIsRefused() =>
        Assert.Equal("end", Assert.Throws<TraceException>(() => TraceBytes.Read([.. Sample(), 0])).Field);

    [Theory]
    [InlineData("magic", 0, 0x00)]
    [InlineData("version", 8, 0x02)]
    [InlineData("control bits", 26, 0x04)]
    public void AHeaderThatIsNoneIsRefusedByField(string field, int at, byte value)
    {
        byte[] trace = Sample();
        trace[at] = value;
        Assert.Equal(field, Assert.Throws<TraceException>(() => TraceBytes.Read(trace)).Field);
    }

    [Theory]
    [InlineData("record", 0x12)] // The removal of a region has no detail.
    [InlineData("record", 0xC3)] // No such window.
    [InlineData("region.length", 0x01, 0x00, 0x00)]
    [InlineData("region.start", 0x01, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01)]
    [InlineData("region.start", 0x01, 0x80, 0x00)] // A leading zero.
    [InlineData("memory.length", 0x06, 0x00, 0x00)]
    [InlineData("memory.length", 0x06, 0x00, 0x81, 0x80, 0x08)] // One word more than a megabyte.
    [InlineData("memory.length", 0x07, 0x00, 0x81, 0x80, 0x40)]
    [InlineData("register.value", 0x04, 0x00, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x02)]
    [InlineData("register.offset", 0x05, 0xF9, 0x7F)]
    [InlineData("port.strategy", 0x08, 0x00, 0x06)]
    [InlineData("port", 0x08, 0x00, 0x00, 0x03, 0x00, 0x01, 0x00, 0x01, 0x00, 0x00)]
    [InlineData("request.count", 0x0A, 0x00, 0x00)]
    [InlineData("request.count", 0x0A, 0x00, 0x81, 0x80, 0x04)]
    [InlineData("request.flags", 0x0A, 0x00, 0x01, 0x08)]
    [InlineData("request.flags", 0x0A, 0x00, 0x01, 0x00, 0x00)] // An answer known before, of which there is none.
    [InlineData("request.flags", 0x1A, 0x00, 0x02, 0x03, 0x05, 0x10, 0x00, 0x00, 0x0C, 0x00, 0x00, 0x01)]
    [InlineData("requester.attributes", 0x0A, 0x00, 0x01, 0x03, 0x05, 0x02)] // Privilege without a PASID.
    [InlineData("requester.attributes", 0x0A, 0x00, 0x01, 0x03, 0x05, 0x0C)] // No such kind.
    [InlineData("requester.pasid", 0x0A, 0x00, 0x01, 0x03, 0x05, 0x11, 0x80, 0x80, 0x40)]
    [InlineData("answer.head", 0x0A, 0x00, 0x01, 0x03, 0x05, 0x10, 0x00, 0x03)]
    [InlineData("answer.shift", 0x0A, 0x00, 0x01, 0x03, 0x05, 0x10, 0x00, 0x00, 0x0B)]
    [InlineData("answer.reason", 0x0A, 0x00, 0x01, 0x03, 0x05, 0x10, 0x00, 0x02, 0x00)]
    [InlineData("answer.stage", 0x0A, 0x00, 0x01, 0x03, 0x05, 0x10, 0x00, 0x02, 0x05, 0x00, 0x03)]
    [InlineData("page request.group", 0x0B, 0x05, 0x10, 0x00, 0x80, 0x04)]
    [InlineData("guest", 0x0D, 0x80, 0x80, 0x04)]
    [InlineData("end.records", 0x00, 0x01)]
    public void ARecordThatIsNoneIsRefusedByField(string field, params int[] bytes)
    {
        byte[] empty = TraceBytes.Of();
        byte[] trace = [.. empty[..^7], .. bytes.Select(value => (byte)value)];

        Assert.Equal(field, Assert.Throws<TraceException>(() => TraceBytes.Read(trace)).Field);
    }

    /// <summary>The table in the format's description, byte by byte.</summary>
    [Fact]
    public void TheBytesAreThoseThatTheDescriptionTells()
    {
        var request = new TranslationRequest(new DeviceId(0x10), 5, 0x4010, Access.Read);
        var answer = TranslationResult.Success(0x9010, 12, Access.ReadWrite, 1);

        byte[] trace = TraceBytes.Of(
            new(new(0x0102_0304_0506_0708, 9, IrtCacheDisable: true), new() { Device = new(2), Turn = 512 }),
            [
                new RegionAdded(0x1000, 0x80_0000, false),
                new RegisterWritten(RegisterWindow.Iommu, 0x2008, 4, 0x20),
                new MemoryWritten(0x1008, BitConverter.GetBytes(0x3001UL)),
                new RequestsTranslated(0, false, new[] { request, request with { Iova = 0x4018 } }, new[] { answer, TranslationResult.Success(0x9018, 12, Access.ReadWrite, 1) }),
            ]);

        Assert.Equal(
            "464E54524143451A" + "0100" + "0807060504030201" + "0900000000000000" + "01" + "02" + "8004" // header
            + "01" + "01" + "8010" // region: page 1, 2048 pages
            + "24" + "8840" + "20" // write of four bytes
            + "06" + "8208" + "01" + "82C001" // words: 0x201 words on, one, 0x3001 more than 0
            + "0A" + "00" + "02" // two requests of port 0
            + "03" + "10" + "11" + "05" + "A08002" // requester, answer; 0x4010 bytes on
            + "34" + "0C" + "01" + "0A" // an address, five pages on; 4 KiB, domain 1
            + "00" + "10" // eight bytes on, the answer known
            + "00" + "04" + "02", // end
            Convert.ToHexString(trace[..^4]));
        Assert.Equal(2, TraceBytes.Read(trace).OfType<RequestsTranslated>().Single().Requests.Length);
    }

    [Fact]
    public void WhatIsBeyondARecordsLimitBecomesSeveral()
    {
        byte[] bytes = new byte[(2 << 20) + 5];
        new Random(3).NextBytes(bytes);
        TranslationRequest[] requests = [.. Enumerable.Range(0, 70_000).Select(i => new TranslationRequest(new DeviceId(1), (ulong)i << 12, Access.Read))];
        TranslationResult[] answers = [.. requests.Select(request => TranslationResult.Success(request.Iova, 12, Access.Read, 1))];

        List<TraceRecord> read = TraceBytes.Read(TraceBytes.Of(new MemoryWritten(3, bytes), new RequestsTranslated(0, false, requests, answers)));

        Assert.Equal([1 << 20, 1 << 20, 5], read.OfType<MemoryWritten>().Select(written => written.Bytes.Length));
        Assert.Equal(bytes, read.OfType<MemoryWritten>().SelectMany(written => written.Bytes.ToArray()));
        Assert.Equal([65_536, 70_000 - 65_536], read.OfType<RequestsTranslated>().Select(batch => batch.Requests.Length));
        Assert.Equal(answers, read.OfType<RequestsTranslated>().SelectMany(batch => batch.Answers.ToArray()));
    }

    [Fact]
    public void RecordsThatCannotBeAreNotWritten()
    {
        var other = new TranslationRequest(new DeviceId(2), 0, Access.Read);
        var request = new TranslationRequest(new DeviceId(1), 0, Access.Read);
        var message = TranslationResult.Message(0);
        TraceRecord[] refused =
        [
            new RequestsTranslated(0, false, new[] { request }, Array.Empty<TranslationResult>()),
            new RequestsTranslated(0, true, new[] { request, other }, new[] { message, message }),
            new RequestsTranslated(0, true, new[] { request with { Kind = RequestKind.Translation } }, new[] { message }),
            new RequestsTranslated(0, false, new[] { new TranslationRequest(new DeviceId(1), 0, (Access)8) }, new[] { message }),
            new RequestsTranslated(0, false, new[] { request }, new TranslationResult[1]),
            new RegisterRead(RegisterWindow.Iommu, 0, 3, 0),
        ];
        using var stream = new MemoryStream();
        using var writer = new TraceWriter(stream, TraceBytes.Header);
        long length = writer.Length;

        Assert.All(refused, record => Assert.ThrowsAny<ArgumentException>(() => writer.Write(record)));

        Assert.Equal((length, 0L), (writer.Length, writer.Records));
    }

    /// <summary>Requests that were answered before cost their flags and their distance.</summary>
    [Fact]
    public void KnownRequestsTakeFewBytes()
    {
        var dice = new Dice(5);
        TranslationRequest[] requests = [.. Enumerable.Range(0, 10_000).Select(_ => new TranslationRequest(new DeviceId(1), (ulong)dice.Below(1024) << 12, Access.Read))];
        TranslationResult[] answers = [.. requests.Select(request => TranslationResult.Success(request.Iova * 7 & 0xFFFF_F000, 12, Access.Read, 1))];

        int length = TraceBytes.Of(new RequestsTranslated(0, false, requests, answers)).Length;

        Assert.InRange((double)length / requests.Length, 2, 4);
    }

    private static byte[] Sample()
    {
        var records = new RandomRecords(new(4));
        TraceRecord[] all = [.. Enumerable.Range(0, 40).Select(_ => records.Next())];
        return TraceBytes.Of(TraceBytes.Header, all.Where(static record => record is not MemoryWritten { Bytes.Length: > 200 }));
    }
}
