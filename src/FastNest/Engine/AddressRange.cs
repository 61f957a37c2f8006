namespace FastNest.Engine;

/// <summary>The addresses from first to last, both included; empty when last is below first.</summary>
internal readonly record struct AddressRange(ulong First, ulong Last)
{
    public static AddressRange Empty { get; } = new(1, 0);

    public bool IsEmpty => Last < First;

    /// <summary>Bytes, which 64 bits can hold.</summary>
    public ulong Length => IsEmpty ? 0 : Last - First + 1;

    public bool Contains(ulong address) => address >= First && address <= Last;

    /// <summary>How many bytes lie between an address and a range that begins above it; as many as can be when none does.</summary>
    public ulong DistanceFrom(ulong address) => address < First && !IsEmpty ? First - address : ulong.MaxValue;
}
