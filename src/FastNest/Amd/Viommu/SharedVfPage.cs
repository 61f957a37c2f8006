using FastNest.Amd.Registers;
using FastNest.Memory;

namespace FastNest.Amd.Viommu;

/// <summary>
/// A guest's VF page as plain memory that the guest loads and stores without any trap: whoever polls has the guest's stores done as
/// writes to the registers, and the registers' values put there for the guest to read. Each register is read once a poll, by
/// one atomic load, and a store that meets the poll's own is not lost: it is the next poll's. For one thread at a time; the
/// guest needs no lock.
/// </summary>
/// <remarks>
/// A store is known by a value other than the one that was put there. To clear bits of the status register, a guest has to store
/// something else than exactly what it reads there, as drivers do that write the bits of one interrupt.
/// </remarks>
public sealed class SharedVfPage
{
    private const ulong VfPage = 0x2000;
    private const ulong PageLength = 0x1000;

    private static readonly ulong[] Offsets =
    [
        .. RegisterMap.All
            .Where(static register => register.Offset >= (int)VfPage && register.Offset < (int)(VfPage + PageLength) && register.Width == sizeof(ulong))
            .Select(static register => (ulong)register.Offset - VfPage),
    ];

    private readonly IMmioWindow _window;
    private readonly ulong _offset;
    private readonly GuestPhysicalSpace _memory;
    private readonly ulong _address;
    private readonly ulong[] _shown = new ulong[Offsets.Length];

    /// <summary>Shares a page, and puts the registers' values there.</summary>
    /// <param name="window">
    /// Where the registers are: a mapping of a vIOMMU's page, or <see cref="ViommuHardware.VfMmio"/> with the guest's offset.
    /// </param>
    /// <param name="memory">Holds the page.</param>
    /// <param name="address">The page's physical address there, a multiple of 4096. What the page held is written over.</param>
    /// <param name="offset">Where in the window the VF page begins, a multiple of 4096.</param>
    /// <exception cref="ArgumentException">The address or the offset is not a multiple of 4096, or no memory is there.</exception>
    public SharedVfPage(IMmioWindow window, GuestPhysicalSpace memory, ulong address, ulong offset = 0)
    {
        ArgumentNullException.ThrowIfNull(window);
        ArgumentNullException.ThrowIfNull(memory);
        CheckAligned(address, nameof(address));
        CheckAligned(offset, nameof(offset));
        if (memory.Load64(address, out _) is var status and not MemoryStatus.Ok)
        {
            throw new ArgumentException($"0x{address:x}: {status}, expected memory", nameof(address));
        }

        _window = window;
        _offset = offset;
        _memory = memory;
        _address = address;
        for (int i = 0; i < Offsets.Length; i++)
        {
            _shown[i] = Read(i);
            _memory.Store64(_address + Offsets[i], _shown[i]);
        }
    }

    /// <summary>
    /// Does what the guest has stored since the last call, in the order of the registers; a command tail has one turn of the
    /// guest's commands executed. Then the registers' values are put there.
    /// </summary>
    /// <returns>Whether there was anything; false, too, once the memory is gone.</returns>
    public bool Poll()
    {
        bool stored = false;
        Span<ulong> seen = stackalloc ulong[Offsets.Length];
        for (int i = 0; i < Offsets.Length; i++)
        {
            if (_memory.Load64(_address + Offsets[i], out seen[i]) != MemoryStatus.Ok)
            {
                return stored;
            }

            if (seen[i] != _shown[i])
            {
                stored = true;
                _window.Write(_offset + Offsets[i], sizeof(ulong), seen[i]);
            }
        }

        for (int i = 0; i < Offsets.Length; i++)
        {
            _shown[i] = Read(i);
            if (_shown[i] != seen[i])
            {
                // Where the guest has stored meanwhile, that stays there and is unlike what is shown.
                _memory.CompareExchange64(_address + Offsets[i], seen[i], _shown[i], out _);
            }
        }

        return stored;
    }

    private ulong Read(int register) => _window.Read(_offset + Offsets[register], sizeof(ulong));

    private static void CheckAligned(ulong value, string name)
    {
        if (value % PageLength != 0)
        {
            throw new ArgumentException($"0x{value:x} is not a multiple of {PageLength}", name);
        }
    }
}
