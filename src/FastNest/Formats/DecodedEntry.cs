using FastNest.Requests;

namespace FastNest.Formats;

/// <summary>A page-table entry taken apart, in terms that every format shares.</summary>
internal readonly struct DecodedEntry
{
    private DecodedEntry(EntryKind kind, FaultReason reason, int next, Access permissions, ulong address)
    {
        Kind = kind;
        Reason = reason;
        Next = (byte)next;
        Permissions = permissions;
        Address = address;
    }

    /// <summary>The next table's address, or the leaf's output address aligned to its size.</summary>
    public ulong Address { get; }

    public EntryKind Kind { get; }

    public FaultReason Reason { get; }

    /// <summary>What this entry leaves of the permissions gathered so far.</summary>
    public Access Permissions { get; }

    /// <summary>For a table its level; for a leaf log2 of its size.</summary>
    public byte Next { get; }

    public static DecodedEntry Fault(FaultReason reason) => new(EntryKind.Fault, reason, 0, Access.None, 0);

    public static DecodedEntry Table(ulong address, int level, Access permissions) =>
        new(EntryKind.Table, FaultReason.None, level, permissions, address);

    public static DecodedEntry Leaf(ulong address, int pageShift, Access permissions) =>
        new(EntryKind.Leaf, FaultReason.None, pageShift, permissions, address);
}
