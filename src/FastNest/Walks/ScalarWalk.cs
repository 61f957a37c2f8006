using System.Runtime.CompilerServices;
using FastNest.Formats;
using FastNest.Requests;

namespace FastNest.Walks;

/// <summary>
/// Walks the tables of one stage, one address at a time. Rights are gathered and left to the caller to judge, since a
/// malformed entry further down wins over them (reading 19).
/// </summary>
internal static class ScalarWalk<TFormat>
    where TFormat : struct, IPageTableFormat
{
    private const ulong IndexMask = 511;

    /// <param name="entries">Reads the tables.</param>
    /// <param name="table">The table to begin in: the root, or one that a cache knows.</param>
    /// <param name="level">Its level, 1 or more.</param>
    /// <param name="rights">What was gathered on the way to it.</param>
    /// <param name="input">The address to translate, which the root covers.</param>
    /// <param name="leaf">Where the walk ended.</param>
    /// <param name="fault">Why it stopped short; its stage and address are for the caller to set when the reason is an entry.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool TryWalk<TEntries>(
        ref TEntries entries, ulong table, int level, Access rights, ulong input, out WalkLeaf leaf, out WalkFault fault)
        where TEntries : IEntrySource, allows ref struct
    {
        leaf = default;
        while (true)
        {
            ulong at = table + ((input >> TFormat.IndexShift(level)) & IndexMask) * sizeof(ulong);
            if (!entries.TryRead(at, out ulong raw, out fault))
            {
                return false;
            }

            DecodedEntry entry = TFormat.Decode(raw, level);
            rights &= entry.Permissions;
            if (entry.Kind == EntryKind.Leaf)
            {
                leaf = new(entry.Address, entry.Next, rights);
                return true;
            }

            if (entry.Kind == EntryKind.Fault)
            {
                fault = fault with { Reason = entry.Reason };
                return false;
            }

            ulong skipped = (1UL << TFormat.IndexShift(level)) - (1UL << TFormat.IndexShift(entry.Next + 1));
            if ((input & skipped) != 0)
            {
                fault = fault with { Reason = FaultReason.SkippedBits };
                return false;
            }

            table = entry.Address;
            level = entry.Next;
            entries.Passed(level, table, rights);
        }
    }
}
