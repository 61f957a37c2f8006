using FastNest.Formats;
using FastNest.Memory;
using FastNest.Requests;

namespace FastNest.Walks;

/// <summary>
/// Walks the tables of one stage, one address at a time. Each entry is read once, by one atomic load; permissions are
/// gathered and left to the caller to judge, since a malformed entry further down wins over them (reading 19).
/// </summary>
internal static class ScalarWalk<TFormat>
    where TFormat : struct, IPageTableFormat
{
    private const ulong IndexMask = 511;

    /// <param name="memory">Where the tables are; the caller is inside a read section.</param>
    /// <param name="root">The top table's physical address.</param>
    /// <param name="levels">The top table's level, 1 or more.</param>
    /// <param name="input">The address to translate.</param>
    public static WalkResult Walk(GuestPhysicalSpace memory, ulong root, int levels, ulong input)
    {
        var result = new WalkResult { Permissions = Access.All };
        if (!TFormat.Covers(input, levels))
        {
            result.Reason = FaultReason.AddressBeyondTable;
            return result;
        }

        ulong table = root;
        int level = levels;
        while (true)
        {
            ulong at = table + ((input >> TFormat.IndexShift(level)) & IndexMask) * sizeof(ulong);
            if (!memory.TryLoad64(at, out ulong raw))
            {
                result.Address = at;
                result.Reason = FaultReason.TableUnreadable;
                return result;
            }

            DecodedEntry entry = TFormat.Decode(raw, level);
            result.Permissions &= entry.Permissions;
            switch (entry.Kind)
            {
                case EntryKind.Table:
                    int skippedFrom = TFormat.IndexShift(entry.Next + 1);
                    int skippedTo = TFormat.IndexShift(level);
                    if ((input & ((1UL << skippedTo) - (1UL << skippedFrom))) != 0)
                    {
                        result.Reason = FaultReason.SkippedBits;
                        return result;
                    }

                    table = entry.Address;
                    level = entry.Next;
                    break;
                case EntryKind.Leaf:
                    result.PageShift = entry.Next;
                    result.Address = entry.Address | (input & ((1UL << entry.Next) - 1));
                    return result;
                default:
                    result.Reason = entry.Reason;
                    return result;
            }
        }
    }
}
