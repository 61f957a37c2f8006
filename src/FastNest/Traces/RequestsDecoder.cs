using FastNest.Requests;

namespace FastNest.Traces;

/// <summary>Reads what <see cref="RequestsEncoder"/> wrote.</summary>
internal sealed class RequestsDecoder(TraceInput input, TraceContext context)
{
    private const int LeastShift = TraceFormat.PageShift;
    private const int GreatestShift = 64;

    public RequestsTranslated Read(int port, bool isBound, int count)
    {
        // What stands in the trace bounds the arrays, not what it announces: a request takes two bytes at least.
        List<TranslationRequest> requests = new(Math.Min(count, 1024));
        List<TranslationResult> answers = new(Math.Min(count, 1024));
        for (int i = 0; i < count; i++)
        {
            long at = input.Position;
            int flags = input.Byte(
                "request.flags", RequestsEncoder.NewRequester | RequestsEncoder.NewAnswer | RequestsEncoder.WholePages);
            if ((flags & RequestsEncoder.NewRequester) != 0 && isBound && i > 0)
            {
                throw new TraceException(at, "request.flags", $"expected one requester for all {count} requests, number {i} has another");
            }

            TranslationRequest request = (flags & RequestsEncoder.NewRequester) == 0 ? context.Last : ReadRequester();
            if (isBound && request.Kind != RequestKind.Untranslated)
            {
                throw new TraceException(at, "request.kind", "expected untranslated requests where one requester is named for all");
            }

            request = request with { Iova = context.Last.Iova + ReadDistance("request.address", (flags & RequestsEncoder.WholePages) != 0) };
            context.Last = request;
            requests.Add(request);
            answers.Add(ReadAnswer(in request, at, (flags & RequestsEncoder.NewAnswer) != 0).At(request.Iova));
        }

        return new(port, isBound, requests.ToArray(), answers.ToArray());
    }

    private TranslationRequest ReadRequester()
    {
        var device = new DeviceId((uint)input.Number("requester.device", uint.MaxValue));
        long at = input.Position;
        int attributes = input.Byte("requester.attributes", 0x7F);
        bool privileged = (attributes & 2) != 0;
        var kind = (RequestKind)(attributes >> 2 & 3);
        var access = (Access)(attributes >> 4);
        if (kind > RequestKind.Translated)
        {
            throw new TraceException(at, "requester.attributes", "expected kind 0, 1 or 2, found 3");
        }

        if ((attributes & 1) != 0)
        {
            var pasid = (uint)input.Number("requester.pasid", (1 << TranslationRequest.PasidBits) - 1);
            return new(device, pasid, 0, access, privileged) { Kind = kind };
        }

        return privileged
            ? throw new TraceException(at, "requester.attributes", "expected a PASID with the privilege")
            : new(device, 0, access) { Kind = kind };
    }

    private AnswerCode ReadAnswer(in TranslationRequest request, long at, bool isNew)
    {
        if (!isNew)
        {
            return context.TryPredict(in request, out AnswerCode predicted)
                ? predicted
                : throw new TraceException(at, "request.flags", "expected a new answer, as there is none for the same requester and page");
        }

        long place = input.Position;
        int head = input.Byte("answer.head", 0x7F);
        int kind = head & 3;
        var access = (Access)(head >> 4);
        if (kind > AnswerCode.Refused || (head & 8) != 0 || (kind == AnswerCode.Message && access != Access.None))
        {
            throw new TraceException(place, "answer.head", $"expected an address, a message or a refusal, found 0x{head:x2}");
        }

        byte detail = 0;
        ushort domain = 0;
        TranslationStage stage = default;
        if (kind != AnswerCode.Message)
        {
            detail = kind == AnswerCode.Permitted ? ReadShift() : ReadReason();
            domain = (ushort)input.Number("answer.domain", ushort.MaxValue);
        }

        if (kind == AnswerCode.Refused)
        {
            stage = (TranslationStage)input.Byte("answer.stage", (int)TranslationStage.Host);
        }

        context.Difference += ReadDistance("answer.address", (head & RequestsEncoder.AnswerInPages) != 0);
        var answer = new AnswerCode((byte)kind, access, detail, stage, domain, context.Difference);
        context.Learn(in request, answer);
        return answer;
    }

    private byte ReadShift()
    {
        long at = input.Position;
        byte shift = input.Byte("answer.shift", GreatestShift);
        return shift >= LeastShift ? shift : throw new TraceException(at, "answer.shift", $"expected at least {LeastShift}, found {shift}");
    }

    private byte ReadReason()
    {
        long at = input.Position;
        byte reason = input.Byte("answer.reason", (int)FaultReason.AtsForbidden);
        return reason != (byte)FaultReason.None ? reason : throw new TraceException(at, "answer.reason", "expected a reason, found 0");
    }

    private ulong ReadDistance(string field, bool pages)
    {
        long distance = input.Signed(field);
        return (ulong)distance << (pages ? TraceFormat.PageShift : 0);
    }
}
