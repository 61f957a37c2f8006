using System.Runtime.InteropServices;

namespace FastNest.Engine;

/// <summary>What requests of one requester take with them into a batch: its context in one cache line.</summary>
/// <param name="Who">The requester, as requests hold it; 0 for none.</param>
/// <param name="Stamp">When its context was last seen to be alive, and its shape; see <see cref="StampOf"/>.</param>
/// <param name="Bound">What is needed where everything is known; see <see cref="LaneBound"/>.</param>
/// <param name="Root">The top table of the first stage.</param>
/// <param name="HostRoot">The top table of the second.</param>
[StructLayout(LayoutKind.Sequential, Size = 1 << SizeShift)]
internal readonly record struct LaneRequester(ulong Who, ulong Stamp, ulong Bound, ulong Root, ulong HostRoot)
{
    /// <summary>log2 of the bytes that one takes, which is read as pairs.</summary>
    public const int SizeShift = 6;

    /// <summary>The stamp of those that are alive and may be walked side by side.</summary>
    /// <param name="now">The tick of the port's clock.</param>
    /// <param name="shape">What they have in common: <see cref="LaneShape.Key"/>.</param>
    public static ulong StampOf(ulong now, ulong shape) => now << LaneShape.KeyBits | shape;
}
