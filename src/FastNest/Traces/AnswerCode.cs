using FastNest.Requests;

namespace FastNest.Traces;

/// <summary>An answer as the format has it: the same for every address of a page that is answered alike.</summary>
/// <param name="Kind">0 an address, 1 a message, 2 a refusal.</param>
/// <param name="Access">What is permitted, or of a refusal what was attempted.</param>
/// <param name="Detail">log2 of the page's size, or the reason.</param>
/// <param name="Stage">The stage at fault.</param>
/// <param name="Domain">The domain.</param>
/// <param name="Difference">The answer's address less the one asked for.</param>
internal readonly record struct AnswerCode(byte Kind, Access Access, byte Detail, TranslationStage Stage, ushort Domain, ulong Difference)
{
    public const byte Permitted = 0;
    public const byte Message = 1;
    public const byte Refused = 2;

    public static AnswerCode Of(ulong iova, in TranslationResult answer)
    {
        ulong difference = answer.Address - iova;
        return answer switch
        {
            { Succeeded: false } => new(Refused, answer.Attempted, (byte)answer.Reason, answer.Stage, answer.Domain, difference),
            { IsMessage: true } => new(Message, default, 0, default, 0, difference),
            _ => new(Permitted, answer.Permissions, answer.PageShift, default, answer.Domain, difference),
        };
    }

    public TranslationResult At(ulong iova) => Kind switch
    {
        Permitted => TranslationResult.Success(iova + Difference, Detail, Access, Domain),
        Message => TranslationResult.Message(iova + Difference),
        _ => TranslationResult.Fault((FaultReason)Detail, iova + Difference, Access, Stage, Domain),
    };
}
