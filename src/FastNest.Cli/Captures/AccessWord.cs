using FastNest.Requests;

namespace FastNest.Cli.Captures;

/// <summary>The words for an access.</summary>
internal static class AccessWord
{
    public const string Expected = "read, write or execute";

    public static bool TryParse(string word, out Access access)
    {
        access = word switch
        {
            "read" => Access.Read,
            "write" => Access.Write,
            "execute" => Access.Execute,
            _ => Access.None,
        };
        return access != Access.None;
    }

    /// <summary>Several kinds are joined by a plus.</summary>
    public static string Of(Access access)
    {
        string[] words =
        [
            .. access.HasFlag(Access.Read) ? ["read"] : Array.Empty<string>(),
            .. access.HasFlag(Access.Write) ? ["write"] : Array.Empty<string>(),
            .. access.HasFlag(Access.Execute) ? ["execute"] : Array.Empty<string>(),
        ];
        return words.Length == 0 ? "nothing" : string.Join('+', words);
    }
}
