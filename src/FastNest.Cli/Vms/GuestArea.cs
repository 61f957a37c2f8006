namespace FastNest.Cli.Vms;

/// <summary>A piece of a VM's physical memory: one mapping of the nest parent's IOAS.</summary>
/// <param name="start">The VM's address of its first byte.</param>
/// <param name="length">Bytes, whole pages.</param>
/// <param name="place">Where the host has it now.</param>
internal sealed class GuestArea(ulong start, ulong length, ulong place)
{
    private ulong _place = place;

    public ulong Start => start;

    public ulong Length => length;

    /// <summary>Where the host has it. Any thread may ask; what it is told holds only while <see cref="GuestMemory.Epoch"/> does.</summary>
    public ulong Place
    {
        get => Volatile.Read(ref _place);
        set => Volatile.Write(ref _place, value);
    }

    public bool Contains(ulong address) => address - start < length;
}
