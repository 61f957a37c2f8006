using FastNest.Requests;

namespace FastNest.Reference.Walks;

/// <summary>What a request gets of what DTE and tables permit.</summary>
internal sealed class Judge(MarkRules rules, TranslationRequest request)
{
    /// <summary>
    /// All of it; but a translation request gets write permission without asking for it only where no Dirty bit would
    /// have to be set for that. // reading 78
    /// </summary>
    /// <param name="permitted">What DTE and tables permit.</param>
    /// <param name="guestLacksDirty">Whether there is a guest leaf whose Dirty bit is clear.</param>
    /// <param name="hostLacksDirty">Whether there is a host leaf of the final page whose Dirty bit is clear.</param>
    public Access Granted(Access permitted, bool guestLacksDirty, bool hostLacksDirty)
    {
        bool unmarked = rules.GuestDirty && guestLacksDirty || rules.HostDirty && hostLacksDirty;
        return IsAts && unmarked && !Events.IsWrite(request) ? permitted & ~Access.Write : permitted;
    }

    /// <summary>Whether Dirty bits are set: for a write that was asked for and granted. // readings 36, 78</summary>
    public bool Writes(Access granted) => Events.IsWrite(request) && (granted & Access.Write) != 0;

    /// <summary>A translation request is refused only when it would get nothing at all. // readings 76, 78</summary>
    public Refusal? RefuseNothing(Access granted) =>
        IsAts && granted == Access.None ? new(null, "DTE and tables grant nothing") : null;

    public bool IsAts => request.Kind == RequestKind.Translation;
}
