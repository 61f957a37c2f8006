namespace FastNest.Traces;

/// <summary>
/// A word of memory as its difference from a likely one. Zeroes are common and seldom the likely word: the code of a zero and
/// the code of no difference change places.
/// </summary>
internal static class WordCode
{
    public static ulong Of(ulong word, ulong likely) => Exchange(TraceFormat.ZigZag((long)(word - likely)), likely);

    public static ulong Word(ulong code, ulong likely) => likely + (ulong)TraceFormat.UnZigZag(Exchange(code, likely));

    private static ulong Exchange(ulong code, ulong likely)
    {
        ulong zero = TraceFormat.ZigZag((long)(0 - likely));
        return code == zero ? 0 : code == 0 ? zero : code;
    }
}
