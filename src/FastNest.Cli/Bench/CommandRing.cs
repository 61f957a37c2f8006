namespace FastNest.Cli.Bench;

/// <summary>The command ring of a <see cref="BenchMachine"/>, as its driver uses it.</summary>
internal sealed class CommandRing
{
    private const ulong Entries = 1 << 15;
    private const ulong Length = Entries * 16;
    private const ulong LengthCode = 15;
    private const ulong BaseRegister = 0x0008;
    private const ulong TailRegister = 0x2008;

    private readonly BenchMachine _machine;
    private ulong _tail;

    public CommandRing(BenchMachine machine)
    {
        _machine = machine;
        machine.Iommu.Write(BaseRegister, 8, BenchMachine.CommandRing | LengthCode << 56);
        machine.Iommu.Write(0x0018, 8, machine.Iommu.Read(0x0018, 8) | 1 << 12);
    }

    /// <summary>INVALIDATE_IOMMU_PAGES of one guest page, tables included.</summary>
    public static (ulong Low, ulong High) Page(ulong iova) => (3UL << 60 | 1UL << 32 | 1, (iova & ~0xFFFUL) | 6);

    /// <summary>INVALIDATE_IOMMU_PAGES of everything of a domain.</summary>
    public static (ulong Low, ulong High) Domain => (3UL << 60 | 1UL << 32, 0x7FFF_FFFF_FFFF_F000 | 3);

    /// <summary>INVALIDATE_IOMMU_ALL.</summary>
    public static (ulong Low, ulong High) All => (8UL << 60, 0);

    /// <summary>COMPLETION_WAIT that stores a number.</summary>
    public static (ulong Low, ulong High) Wait(ulong number) => (1UL << 60 | BenchMachine.Semaphore | 1, number);

    /// <summary>Puts the same commands into every place of the ring, to be executed by <see cref="Go"/>.</summary>
    public void Fill(Func<ulong, (ulong Low, ulong High)> command)
    {
        for (ulong i = 0; i < Entries; i++)
        {
            Put(i * 16, command(i));
        }
    }

    /// <summary>Has what stands in the next places executed.</summary>
    public void Go(int count)
    {
        _tail = (_tail + (ulong)count * 16) % Length;
        _machine.Iommu.Write(TailRegister, 4, _tail);
    }

    /// <summary>Has one command executed.</summary>
    public void Send((ulong Low, ulong High) command)
    {
        Put(_tail, command);
        Go(1);
    }

    private void Put(ulong at, (ulong Low, ulong High) command)
    {
        _machine.Memory.Store64(BenchMachine.CommandRing + at, command.Low);
        _machine.Memory.Store64(BenchMachine.CommandRing + at + 8, command.High);
    }
}
