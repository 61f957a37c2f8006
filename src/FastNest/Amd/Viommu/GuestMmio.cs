using FastNest.Amd.Registers;
using FastNest.Memory;

namespace FastNest.Amd.Viommu;

/// <summary>
/// The 16 KiB of MMIO that a guest sees as its IOMMU, for whoever traps its accesses. The page at 2000h is the guest's VF page;
/// what matters to hardware of the others goes to the guest's VF control registers and is read back from there, the rest is
/// kept here (digest sections 8.3 and 8.4). Any thread.
/// </summary>
public sealed class GuestMmio : IMmioWindow
{
    private const ulong VfPage = 0x2000;
    private const ulong PageMask = 0xFFF;
    private const ulong StatusInVfPage = 0x20;

    private readonly Lock _access = new();
    private readonly IMmioWindow _vf;
    private readonly IMmioWindow _control;
    private readonly RegisterFile _registers;
    private readonly ulong _vfOffset;
    private readonly ulong _controlOffset;

    internal GuestMmio(IMmioWindow vf, IMmioWindow control, ushort guest, IommuFeatures offered)
    {
        _vf = vf;
        _control = control;
        _registers = new(offered);
        _vfOffset = (ulong)guest << 12;
        _controlOffset = (ulong)guest * VfControlLayout.Size;
    }

    /// <summary>Reads a register of the guest's; as <see cref="AmdIommu.Read"/>.</summary>
    /// <param name="offset">Bytes from the start of the guest's MMIO space.</param>
    /// <param name="size">1, 2, 4 or 8.</param>
    public ulong Read(ulong offset, int size)
    {
        if (IsVfPage(offset))
        {
            return _vf.Read(_vfOffset + (offset & PageMask), size);
        }

        lock (_access)
        {
            if (RegisterLanes.IsAccess(offset, size, RegisterMap.Aperture) && RegisterMap.At((int)offset) is { } register)
            {
                Gather(register);
            }

            return _registers.Read(offset, size);
        }
    }

    /// <summary>Writes a register of the guest's; as <see cref="AmdIommu.Write"/>.</summary>
    /// <param name="offset">Bytes from the start of the guest's MMIO space.</param>
    /// <param name="size">1, 2, 4 or 8.</param>
    /// <param name="value">The low <paramref name="size"/> bytes count.</param>
    public void Write(ulong offset, int size, ulong value)
    {
        if (IsVfPage(offset))
        {
            _vf.Write(_vfOffset + (offset & PageMask), size, value);
            return;
        }

        lock (_access)
        {
            if (!RegisterLanes.IsAccess(offset, size, RegisterMap.Aperture) || RegisterMap.At((int)offset) is not { } register)
            {
                return;
            }

            // What is locked while a ring runs is so for the guest, too.
            _registers[RegisterMap.Status] = _vf.Read(_vfOffset + StatusInVfPage, sizeof(ulong));
            Gather(register);
            if (_registers.Write(offset, size, value) is not null)
            {
                Scatter(register);
            }
        }
    }

    private static bool IsVfPage(ulong offset) => (offset & ~PageMask) == VfPage;

    /// <summary>Puts together what the VF control registers have of a register.</summary>
    private void Gather(Register register)
    {
        ulong value = _registers[register];
        foreach (var (offset, field, target, guestField) in VfControlLayout.Fields)
        {
            value = target == register ? guestField.With(value, field.Get(_control.Read(_controlOffset + (ulong)offset, 8))) : value;
        }

        _registers[register] = value;
    }

    /// <summary>
    /// Takes a register apart into the VF control registers, each written once: logs before commands, whose errors go there.
    /// </summary>
    private void Scatter(Register register)
    {
        for (int offset = VfControlLayout.PprLogB; offset >= VfControlLayout.EventLogB; offset -= sizeof(ulong))
        {
            ulong before = _control.Read(_controlOffset + (ulong)offset, 8);
            ulong after = before;
            foreach (var (at, field, target, guestField) in VfControlLayout.Fields)
            {
                after = at == offset && target == register ? field.With(after, guestField.Get(_registers[register])) : after;
            }

            if (after != before)
            {
                _control.Write(_controlOffset + (ulong)offset, 8, after);
            }
        }
    }
}
