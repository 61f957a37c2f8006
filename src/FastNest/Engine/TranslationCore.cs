using FastNest.Requests;

namespace FastNest.Engine;

/// <summary>A port's machinery, whatever page-table formats it is compiled for.</summary>
internal abstract class TranslationCore
{
    /// <summary>Set when a fault is reported.</summary>
    protected bool Faulted { get; set; }

    public abstract PortStatistics Statistics { get; }

    /// <summary>Whether a fault was reported since this was last asked.</summary>
    public bool TakeFaulted()
    {
        bool faulted = Faulted;
        Faulted = false;
        return faulted;
    }

    /// <summary>Drops everything that was invalidated since the last call; inside the port's read section, as all that follows.</summary>
    public abstract void CatchUp();

    public abstract void Translate(ReadOnlySpan<TranslationRequest> requests, Span<TranslationResult> results);

    /// <summary>Translates for one requester, whose context is looked up once.</summary>
    public abstract void Translate(in Requester requester, ReadOnlySpan<ulong> iovas, Access access, Span<TranslationResult> results);
}
