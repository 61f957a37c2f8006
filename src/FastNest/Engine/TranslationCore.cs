using FastNest.Requests;

namespace FastNest.Engine;

/// <summary>A port's machinery, whatever page-table formats it is compiled for.</summary>
internal abstract class TranslationCore
{
    public abstract PortStatistics Statistics { get; }

    /// <summary>Whether a fault was reported since this was last asked.</summary>
    public abstract bool TakeFaulted();

    /// <summary>Drops everything that was invalidated since the last call; inside the port's read section, as all that follows.</summary>
    public abstract void CatchUp();

    public abstract void Translate(ReadOnlySpan<TranslationRequest> requests, Span<TranslationResult> results);
}
