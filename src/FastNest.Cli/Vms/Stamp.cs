using System.Runtime.InteropServices;

namespace FastNest.Cli.Vms;

/// <summary>
/// What a page of a VM's data holds, so that whoever reads it knows whose it is: its first half tells the VM and the page and never
/// changes, its second half holds what a device of the VM wrote last. Every word of a half is the same.
/// </summary>
internal static class Stamp
{
    /// <summary>Bytes of a half.</summary>
    public const int HalfLength = 2048;

    /// <summary>The word of memory that belongs to nobody.</summary>
    public const ulong Freed = ulong.MaxValue;

    private const int VmShift = 56;
    private const int Words = HalfLength / sizeof(ulong);

    /// <summary>The word of a page's first half.</summary>
    public static ulong Page(int vm, int page) => (ulong)(vm + 1) << VmShift | (uint)page;

    /// <summary>The word that a device writes.</summary>
    public static ulong Token(int vm, long count) => (ulong)(vm + 1) << VmShift | (ulong)count;

    /// <summary>Whether a word is a VM's.</summary>
    public static bool IsOf(ulong word, int vm) => word >> VmShift == (ulong)(vm + 1);

    /// <summary>Reads both halves.</summary>
    /// <param name="content">A page.</param>
    /// <param name="page">The word of the first half.</param>
    /// <param name="token">The word of the second half.</param>
    /// <returns>Whether each half is of one word.</returns>
    public static bool TryRead(ReadOnlySpan<byte> content, out ulong page, out ulong token)
    {
        ReadOnlySpan<ulong> words = MemoryMarshal.Cast<byte, ulong>(content);
        page = words[0];
        token = words[Words];
        return !words[..Words].ContainsAnyExcept(page) && !words[Words..].ContainsAnyExcept(token);
    }

    /// <summary>Fills a part of memory with one word.</summary>
    public static void Fill(Span<byte> content, ulong word) => MemoryMarshal.Cast<byte, ulong>(content).Fill(word);

    /// <summary>Whether a part of memory holds nothing but one word.</summary>
    public static bool IsFilled(ReadOnlySpan<byte> content, ulong word) =>
        !MemoryMarshal.Cast<byte, ulong>(content).ContainsAnyExcept(word);
}
