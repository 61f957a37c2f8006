using FastNest.Requests;

namespace FastNest.Traces;

/// <summary>The header as bytes.</summary>
internal static class TraceHeaderCode
{
    public static void Write(TraceOutput output, TraceHeader header)
    {
        output.Bytes(TraceFormat.Magic);
        output.Fixed(TraceFormat.Version, sizeof(ushort));
        output.Fixed(header.Features.ExtendedFeatures, sizeof(ulong));
        output.Fixed(header.Features.ExtendedFeatures2, sizeof(ulong));
        output.Byte((header.Features.IrtCacheDisable ? 1 : 0) | (header.Features.GuestBufferTranslation ? 2 : 0));
        output.Number(header.Viommu.Device.Value);
        output.Number((ulong)header.Viommu.Turn);
    }

    public static TraceHeader Read(TraceInput input)
    {
        Span<byte> magic = stackalloc byte[TraceFormat.Magic.Length];
        input.Bytes("magic", magic);
        if (!magic.SequenceEqual(TraceFormat.Magic))
        {
            throw new TraceException(0, "magic", "expected 46 4e 54 52 41 43 45 1a: this is no trace");
        }

        long at = input.Position;
        ulong version = input.Fixed("version", sizeof(ushort));
        if (version != TraceFormat.Version)
        {
            throw new TraceException(at, "version", $"expected {TraceFormat.Version}, found {version}");
        }

        ulong features = input.Fixed("features", sizeof(ulong));
        ulong features2 = input.Fixed("features2", sizeof(ulong));
        byte bits = input.Byte("control bits", 3);
        var device = new DeviceId((uint)input.Number("viommu.device", ushort.MaxValue));
        at = input.Position;
        var turn = (int)input.Number("viommu.turn", TraceFormat.MaximumTurn);
        return turn == 0
            ? throw new TraceException(at, "viommu.turn", "expected at least 1, found 0")
            : new(
                new(features, features2, (bits & 1) != 0, (bits & 2) != 0),
                new() { Device = device, Turn = turn });
    }
}
