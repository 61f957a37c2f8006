using FastNest.Requests;

namespace FastNest.Engine;

/// <summary>An architecture's own part of translation, called when the engine's caches do not know the answer.</summary>
internal interface IFrontEnd
{
    /// <summary>What holds for every device now.</summary>
    TranslationRegime Regime { get; }

    /// <summary>
    /// Resolves who asks from the structures in memory; called inside a read section. Only the device, the PASID and the
    /// access of the request count.
    /// </summary>
    TranslationContext Resolve(in TranslationRequest request, ContextBuilder builder);

    /// <summary>Reports a refused request; called inside a read section, so it must not wait for one to end.</summary>
    void Report(in TranslationRequest request, in TranslationResult fault, in TranslationContext context);

    /// <summary>Called outside any section after a batch in which faults were reported.</summary>
    void AfterFaults();
}
