using System.Globalization;

namespace FastNest.Requests;

/// <summary>
/// Names the device that issues a request: a PCI bus:device.function in the low 16 bits
/// (bus 15:8, device 7:3, function 2:0); wider stream ids keep their own numbering.
/// </summary>
/// <param name="Value">The id as the device table indexes it.</param>
public readonly record struct DeviceId(uint Value)
{
    /// <summary>Makes the id of a PCI function.</summary>
    /// <param name="bus">0 to 255.</param>
    /// <param name="device">0 to 31.</param>
    /// <param name="function">0 to 7.</param>
    /// <exception cref="ArgumentOutOfRangeException">A part is above its limit.</exception>
    public static DeviceId FromBdf(int bus, int device, int function)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan((uint)bus, 255u, nameof(bus));
        ArgumentOutOfRangeException.ThrowIfGreaterThan((uint)device, 31u, nameof(device));
        ArgumentOutOfRangeException.ThrowIfGreaterThan((uint)function, 7u, nameof(function));
        return new((uint)(bus << 8 | device << 3 | function));
    }

    /// <summary>Reads <c>bus:device.function</c> in hexadecimal, as Linux prints it (<c>00:1f.2</c>).</summary>
    /// <returns>False, with <paramref name="id"/> zero, when the text is not of that form.</returns>
    public static bool TryParse(ReadOnlySpan<char> text, out DeviceId id)
    {
        id = default;
        int colon = text.IndexOf(':');
        int dot = text.IndexOf('.');
        if (colon < 1 || dot < colon + 2
            || !TryHex(text[..colon], 255, out uint bus)
            || !TryHex(text[(colon + 1)..dot], 31, out uint device)
            || !TryHex(text[(dot + 1)..], 7, out uint function))
        {
            return false;
        }

        id = new(bus << 8 | device << 3 | function);
        return true;
    }

    /// <summary>The id as <c>bus:device.function</c>, or as a hexadecimal number when wider than 16 bits.</summary>
    public override string ToString() => Value > 0xFFFF
        ? $"0x{Value:x}"
        : $"{Value >> 8:x2}:{(Value >> 3) & 31:x2}.{Value & 7:x}";

    private static bool TryHex(ReadOnlySpan<char> text, uint limit, out uint value) =>
        uint.TryParse(text, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out value) && value <= limit;
}
