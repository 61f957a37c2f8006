using FastNest.Requests;

namespace FastNest.Formats;

/// <summary>
/// Rights as tables give them: those of <see cref="Access"/> and, beside them, whether requests without privilege may use
/// the page at all.
/// </summary>
internal static class StageRights
{
    public const Access User = (Access)8;

    public const Access All = Access.All | User;
}
