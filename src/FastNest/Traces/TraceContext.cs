using FastNest.Requests;

namespace FastNest.Traces;

/// <summary>
/// What writer and reader both know from the records so far, so that a record holds only what is new: both must ask and tell it
/// the same things in the same order.
/// </summary>
internal sealed class TraceContext
{
    private const int AnswerBits = 14;
    private const int WordPages = 256;
    private const int WordLanes = 4;

    private readonly Known[] _answers = new Known[1 << AnswerBits];
    private readonly ulong[] _words = new ulong[WordPages * WordLanes];

    /// <summary>Where the last memory record ended.</summary>
    public ulong MemoryEnd { get; set; }

    /// <summary>The last request.</summary>
    public TranslationRequest Last { get; set; }

    /// <summary>The difference of the last answer that was written out.</summary>
    public ulong Difference { get; set; }

    /// <summary>The word that is likely at an address: the last that was not 0 in the same place among four of that page, or of one that shares it.</summary>
    public ref ulong LikelyWord(ulong address) =>
        ref _words[(int)(address >> TraceFormat.PageShift & (WordPages - 1)) * WordLanes + (int)(address >> 3 & (WordLanes - 1))];

    /// <summary>How the same requester was last answered in the same page, if that is still known.</summary>
    public bool TryPredict(in TranslationRequest request, out AnswerCode answer)
    {
        ref Known known = ref At(in request);
        answer = known.Answer;
        return known.IsKnown && known.Requester == request.Requester && known.Page == request.Iova >> TraceFormat.PageShift;
    }

    public void Learn(in TranslationRequest request, AnswerCode answer) =>
        At(in request) = new(true, request.Requester, request.Iova >> TraceFormat.PageShift, answer);

    private ref Known At(in TranslationRequest request)
    {
        ulong key = (request.Iova >> TraceFormat.PageShift) + (request.Requester ^ request.Requester >> 29) * 0x9E37_79B9;
        return ref _answers[key * 0x9E37_79B9_7F4A_7C15 >> (64 - AnswerBits)];
    }

    private readonly record struct Known(bool IsKnown, ulong Requester, ulong Page, AnswerCode Answer);
}
