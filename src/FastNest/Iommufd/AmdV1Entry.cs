using FastNest.Formats;
using FastNest.Requests;

namespace FastNest.Iommufd;

/// <summary>Makes the entries that <see cref="AmdV1"/> decodes.</summary>
internal static class AmdV1Entry
{
    private const ulong SizeInAddress = 7;

    private static readonly ulong DirectoryBits =
        AmdV1Layout.PR.Of(1) | AmdV1Layout.IR.Of(1) | AmdV1Layout.IW.Of(1);

    /// <summary>A page of the entry's own size, without its address. FC: accesses are coherent, as Linux asks for.</summary>
    public static ulong Leaf(Access rights) =>
        AmdV1Layout.PR.Of(1)
        | AmdV1Layout.FC.Of(1)
        | AmdV1Layout.IR.Of((rights & Access.Read) != 0 ? 1UL : 0)
        | AmdV1Layout.IW.Of((rights & Access.Write) != 0 ? 1UL : 0);

    /// <summary>A page of 2^size bytes, told by ones in the address above bit 11 and a zero; it stands in as many entries as it covers.</summary>
    public static ulong Sized(ulong leaf, int size) =>
        leaf | AmdV1Layout.NextLevel.Of(SizeInAddress) | (((1UL << (size - 1)) - 1) & AmdV1Layout.Address.Mask);

    public static ulong Directory(ulong table, int level) => DirectoryBits | AmdV1Layout.NextLevel.Of((ulong)level) | table;

    /// <summary>Whether an entry that this writer wrote points to a table.</summary>
    public static bool IsDirectory(ulong entry) => AmdV1Layout.NextLevel.Get(entry) is not (0 or SizeInAddress);

    /// <summary>Whether an entry is one of several that map a page together.</summary>
    public static bool IsSized(ulong entry) => AmdV1Layout.NextLevel.Get(entry) == SizeInAddress;

    /// <summary>A page of the entry's own size at an address, otherwise as another.</summary>
    public static ulong Plain(ulong leaf, ulong address) => (leaf & ~(AmdV1Layout.Address.Mask | AmdV1Layout.NextLevel.Mask)) | address;
}
