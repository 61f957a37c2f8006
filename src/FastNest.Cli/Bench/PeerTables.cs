namespace FastNest.Cli.Bench;

/// <summary>How peers walk: one address after the other, each table through the second stage, rights and presence checked.</summary>
internal sealed unsafe class PeerTables(BenchMachine machine)
{
    private const ulong AddressMask = 0xF_FFFF_FFFF_F000;
    private const int Levels = BenchMachine.Levels;

    private readonly byte* _memory = (byte*)machine.Host;

    /// <summary>Translates an address of the first device.</summary>
    public ulong Walk(ulong iova) => machine.IsNested ? Nested(iova, machine.GuestRoot, Levels) : Host(iova);

    /// <summary>Goes on from a table of the first stage.</summary>
    public ulong Nested(ulong iova, ulong table, int level)
    {
        for (; level > 0; level--)
        {
            table = Step(table, iova, level);
        }

        return Host(table) | (iova & 0xFFF);
    }

    /// <summary>One level of the first stage.</summary>
    public ulong Step(ulong table, ulong iova, int level) => Read(Host(table) + Index(iova, level), 7);

    public ulong Host(ulong address)
    {
        ulong table = machine.HostRoot;
        for (int level = Levels; level > 0; level--)
        {
            table = Read(table + Index(address, level), 3UL << 61 | 1);
        }

        return table | (address & 0xFFF);
    }

    private static ulong Index(ulong address, int level) => (address >> (3 + 9 * level) & 511) * 8;

    private ulong Read(ulong address, ulong needed)
    {
        ulong entry = Volatile.Read(ref *(ulong*)(_memory + address));
        return (entry & needed) == needed ? entry & AddressMask : throw new InvalidOperationException("a page is not mapped");
    }
}
