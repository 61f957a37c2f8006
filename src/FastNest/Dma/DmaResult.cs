using FastNest.Memory;
using FastNest.Requests;

namespace FastNest.Dma;

/// <summary>How a transfer ended.</summary>
/// <param name="Done">How many bytes were transferred before it stopped.</param>
/// <param name="Translation">The last translation made; of the address at fault if one was refused.</param>
/// <param name="Memory">How the last access to a physical address ended.</param>
public readonly record struct DmaResult(long Done, TranslationResult Translation, MemoryStatus Memory)
{
    /// <summary>Whether everything was transferred.</summary>
    public bool Succeeded => Translation.Succeeded && Memory == MemoryStatus.Ok;
}
