namespace FastNest.Memory;

/// <summary>
/// A device that answers loads and stores in a window of physical addresses. Called from whichever thread makes the
/// access; accesses are 1, 2, 4 or 8 bytes wide and naturally aligned.
/// </summary>
public interface IMmioWindow
{
    /// <summary>Reads <paramref name="size"/> bytes, little-endian, at an offset from the window's start.</summary>
    ulong Read(ulong offset, int size);

    /// <summary>Writes the low <paramref name="size"/> bytes of <paramref name="value"/> at an offset from the window's start.</summary>
    void Write(ulong offset, int size, ulong value);
}
