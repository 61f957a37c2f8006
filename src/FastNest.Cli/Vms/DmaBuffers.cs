using FastNest.Memory;

namespace FastNest.Cli.Vms;

/// <summary>What a device's address led to at a moment.</summary>
/// <param name="Word">A number that no other moment with another page has.</param>
internal readonly record struct BufferState(ulong Word)
{
    /// <summary>Whether nothing is being changed: what the tables say is what every cache says.</summary>
    public bool IsStable => (Word >> 32 & 1) == 0;

    public bool IsMapped => (uint)Word != 0;

    /// <summary>The page of data; -1 when there is none.</summary>
    public int Page => (int)(uint)Word - 1;
}

/// <summary>
/// Which pages of data a device's addresses lead to. The VM's processor changes that and tells before the first store into its
/// tables and after the wait for its invalidations; the device's thread looks before and after what it does.
/// </summary>
internal sealed class DmaBuffers
{
    /// <summary>How many addresses a device has.</summary>
    public const int Count = 96;

    /// <summary>The first of them; every device of every VM has the same.</summary>
    public const ulong Window = 0x1_0000_0000;

    private readonly ulong[] _states = new ulong[Count];

    public BufferState this[int buffer] => new(Volatile.Read(ref _states[buffer]));

    /// <summary>A buffer's address.</summary>
    public static ulong Iova(int buffer) => Window + (ulong)buffer * GuestPhysicalSpace.PageSize;

    /// <summary>Whether an address is in the window.</summary>
    public static bool Contains(ulong iova) => iova - Window < Count * GuestPhysicalSpace.PageSize;

    /// <summary>The tables are about to change.</summary>
    public void Begin(int buffer) => Volatile.Write(ref _states[buffer], _states[buffer] + (1UL << 32));

    /// <summary>They have changed, and nothing of before is in use any more.</summary>
    /// <param name="buffer">Which.</param>
    /// <param name="page">The page of data; -1 for none.</param>
    public void End(int buffer, int page) =>
        Volatile.Write(ref _states[buffer], ((_states[buffer] >> 32) + 1 << 32) | (uint)(page + 1));
}
