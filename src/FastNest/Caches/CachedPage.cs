using FastNest.Requests;

namespace FastNest.Caches;

/// <summary>A page as the tables map it, before the context's own permissions.</summary>
/// <param name="Output">The output address, aligned to the page's size.</param>
/// <param name="Shift">log2 of its size, 12 to 63.</param>
/// <param name="Rights">What the tables grant.</param>
/// <param name="Withheld">Of these, what must go through the tables again: writing, while a Dirty bit is still to be set.</param>
internal readonly record struct CachedPage(ulong Output, byte Shift, Access Rights, Access Withheld)
{
    /// <summary>Whether the cache alone may answer a request for these.</summary>
    public bool Grants(Access need) => (need & ~(Rights & ~Withheld)) == 0;
}
