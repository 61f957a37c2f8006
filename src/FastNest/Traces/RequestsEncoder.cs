using FastNest.Requests;

namespace FastNest.Traces;

/// <summary>Writes requests with their answers, each as what is new about it.</summary>
internal sealed class RequestsEncoder(TraceOutput output, TraceContext context)
{
    /// <summary>The requester is not that of the request before.</summary>
    public const int NewRequester = 1;

    /// <summary>The answer is not the one that the requester had in this page before.</summary>
    public const int NewAnswer = 2;

    /// <summary>The address differs from the one before by whole pages, and is counted in them.</summary>
    public const int WholePages = 4;

    /// <summary>In an answer: its difference differs from the one before by whole pages.</summary>
    public const int AnswerInPages = 4;

    public const ulong OffsetMask = (1 << TraceFormat.PageShift) - 1;

    /// <exception cref="ArgumentException">No record can hold these.</exception>
    public static void Check(bool isBound, ReadOnlySpan<TranslationRequest> requests, ReadOnlySpan<TranslationResult> answers)
    {
        if (requests.Length != answers.Length)
        {
            throw new ArgumentException($"answers: {answers.Length} for {requests.Length} requests", nameof(answers));
        }

        foreach (ref readonly TranslationResult answer in answers)
        {
            if (answer is { Succeeded: true, IsMessage: false, PageShift: < TraceFormat.PageShift or > 64 })
            {
                throw new ArgumentException($"page shift {answer.PageShift}: must be {TraceFormat.PageShift} to 64", nameof(answers));
            }
        }

        Check(isBound, requests);
    }

    /// <exception cref="ArgumentException">No record can hold these.</exception>
    public static void Check(bool isBound, ReadOnlySpan<TranslationRequest> requests)
    {
        foreach (ref readonly TranslationRequest request in requests)
        {
            Check(request.Access, nameof(requests));
            if (request.Kind > RequestKind.Translated)
            {
                throw new ArgumentException($"kind {(int)request.Kind}: must be one of those defined", nameof(requests));
            }

            if (isBound && (request.Requester != requests[0].Requester || request.Kind != RequestKind.Untranslated))
            {
                throw new ArgumentException("requester: must be one for all, and its requests untranslated", nameof(requests));
            }
        }
    }

    public static void Check(Access access, string name)
    {
        if ((access & ~Access.All) != 0)
        {
            throw new ArgumentException($"access {(int)access}: must be of those defined", name);
        }
    }

    public void Write(ReadOnlySpan<TranslationRequest> requests, ReadOnlySpan<TranslationResult> answers)
    {
        for (int i = 0; i < requests.Length; i++)
        {
            ref readonly TranslationRequest request = ref requests[i];
            var answer = AnswerCode.Of(request.Iova, in answers[i]);
            ulong distance = request.Iova - context.Last.Iova;
            bool newRequester = request.Requester != context.Last.Requester;
            bool newAnswer = !context.TryPredict(in request, out AnswerCode predicted) || answer != predicted;
            bool pages = (distance & OffsetMask) == 0;
            output.Byte((newRequester ? NewRequester : 0) | (newAnswer ? NewAnswer : 0) | (pages ? WholePages : 0));
            if (newRequester)
            {
                WriteRequester(in request);
            }

            output.Signed((long)distance >> (pages ? TraceFormat.PageShift : 0));
            context.Last = request;
            if (newAnswer)
            {
                WriteAnswer(answer);
                context.Learn(in request, answer);
            }
        }
    }

    private void WriteRequester(in TranslationRequest request)
    {
        output.Number(request.Device.Value);
        output.Byte((request.HasPasid ? 1 : 0) | (request.Privileged ? 2 : 0) | (int)request.Kind << 2 | (int)request.Access << 4);
        if (request.HasPasid)
        {
            output.Number(request.Pasid);
        }
    }

    private void WriteAnswer(AnswerCode answer)
    {
        ulong distance = answer.Difference - context.Difference;
        bool pages = (distance & OffsetMask) == 0;
        output.Byte(answer.Kind | (pages ? AnswerInPages : 0) | (int)answer.Access << 4);
        if (answer.Kind != AnswerCode.Message)
        {
            output.Byte(answer.Detail);
            output.Number(answer.Domain);
        }

        if (answer.Kind == AnswerCode.Refused)
        {
            output.Byte((int)answer.Stage);
        }

        output.Signed((long)distance >> (pages ? TraceFormat.PageShift : 0));
        context.Difference = answer.Difference;
    }
}
