using FastNest.Engine;
using FastNest.Requests;

namespace FastNest.Tests.Properties;

/// <summary>One request alone, or several times over in a batch, which takes other ways through the engine to the same answer.</summary>
internal static class Repeated
{
    /// <returns>The answer to one of them.</returns>
    public static TranslationResult Ask(TranslationPort port, in TranslationRequest request, Dice dice)
    {
        int copies = dice.Of(1, 4, 9);
        var requests = new TranslationRequest[copies];
        Array.Fill(requests, request);
        var results = new TranslationResult[copies];
        port.Translate(requests, results);
        return results[dice.Below(copies)];
    }
}
