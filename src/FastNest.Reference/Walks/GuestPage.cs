using FastNest.Reference.Registers;
using FastNest.Requests;

namespace FastNest.Reference.Walks;

/// <summary>Where a guest table leads, and its rights: R/W and U/S of all entries ANDed, NX ORed.</summary>
internal sealed record GuestPage(ulong Gpa, int Shift, bool Writable, bool User, bool NoExecute)
{
    /// <summary>What that grants to a request. // readings 10, 24</summary>
    public Access Permissions(in TranslationRequest request, Features features)
    {
        if (features.USSup && !User && !request.Privileged)
            return Access.None;
        Access granted = Access.Read;
        if (Writable)
            granted |= Access.Write;
        if (!features.NXSup || !NoExecute)
            granted |= Access.Execute;
        return granted;
    }
}
