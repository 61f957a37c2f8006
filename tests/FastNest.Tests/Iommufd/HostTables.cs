using FastNest.Formats;
using FastNest.Iommufd;
using FastNest.Memory;
using FastNest.Requests;
using Xunit;

namespace FastNest.Tests.Iommufd;

/// <summary>A leaf of a host table: the first address that it maps, what stands there, log2 of its size, and what it permits.</summary>
internal readonly record struct HostTableLeaf(ulong Iova, ulong Physical, int Shift, Access Rights);

/// <summary>Looks at host tables in physical memory, with the engine's decoder and nothing else of the writer.</summary>
internal static class HostTables
{
    /// <summary>The leaf that an address leads to, or null where nothing is mapped: an entry is zero there.</summary>
    public static HostTableLeaf? Find(GuestPhysicalSpace memory, ulong root, int levels, ulong iova) => Find(memory, root, levels, iova, out _);

    /// <summary>What an address of a domain leads to.</summary>
    public static HostTableLeaf? Find(PagingDomain domain, ulong iova) =>
        Find(domain.Ioas.Context.Memory, domain.Root, domain.Format.Levels, iova);

    /// <summary>Sets the Dirty bit of the entry that maps an address, as a walker would.</summary>
    public static void MarkDirty(PagingDomain domain, ulong iova)
    {
        GuestPhysicalSpace memory = domain.Ioas.Context.Memory;
        Assert.NotNull(Find(memory, domain.Root, domain.Format.Levels, iova, out ulong at));
        memory.Load64(at, out ulong entry);
        memory.Store64(at, entry | AmdV1.Dirty);
    }

    private static HostTableLeaf? Find(GuestPhysicalSpace memory, ulong root, int levels, ulong iova, out ulong at)
    {
        ulong table = root;
        Access rights = Access.ReadWrite;
        for (int level = levels; ;)
        {
            at = table + ((iova >> AmdV1.IndexShift(level)) & 511) * 8;
            Assert.Equal(MemoryStatus.Ok, memory.Load64(at, out ulong entry));
            DecodedEntry decoded = AmdV1.Decode(entry, level);
            if (decoded.Kind == EntryKind.Fault)
            {
                Assert.Equal(0UL, entry);
                return null;
            }

            rights &= decoded.Permissions;
            if (decoded.Kind == EntryKind.Leaf)
            {
                return new(iova & ~((1UL << decoded.Next) - 1), decoded.Address, decoded.Next, rights);
            }

            (table, level) = (decoded.Address, decoded.Next);
        }
    }
}
