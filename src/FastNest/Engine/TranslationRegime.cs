namespace FastNest.Engine;

/// <summary>
/// What holds for every device of a front end at one moment. Immutable: a front end publishes a new one when software
/// changes a register, and a port reads it once per batch.
/// </summary>
/// <param name="Enabled">Whether anything is translated at all.</param>
/// <param name="MessageWindow">Where a write without PASID is an interrupt message and a read is refused.</param>
/// <param name="Exclusion">Where requests without PASID pass untranslated.</param>
/// <param name="ExcludesAll">Whether the exclusion holds for every device, not only for those whose context says so.</param>
internal sealed record TranslationRegime(bool Enabled, AddressRange MessageWindow, AddressRange Exclusion, bool ExcludesAll);
