using System.Runtime.InteropServices;

namespace FastNest.Memory;

/// <summary>One reader's announcement, alone on its cache lines; owned by one thread at a time.</summary>
[StructLayout(LayoutKind.Sequential)]
internal sealed class ReadSection
{
    public const long Idle = 0;

#pragma warning disable CS0169, IDE0051 // Padding: the announcement must not share a line with other objects.
    private readonly Padding _before;
    public long Epoch;
    private readonly Padding _after;
#pragma warning restore CS0169, IDE0051

    public void Leave() => Volatile.Write(ref Epoch, Idle);

    [StructLayout(LayoutKind.Sequential, Size = 128)]
    private struct Padding;
}
