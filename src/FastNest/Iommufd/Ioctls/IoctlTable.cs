namespace FastNest.Iommufd.Ioctls;

/// <summary>The commands by their words, _IO(';', number).</summary>
internal static class IoctlTable
{
    private const uint Type = ';' << 8;
    private const uint First = 0x80;
    private const uint Last = 0x94;

    /// <summary>Whether a command is in the table, if it is any; others are VFIO's.</summary>
    public static bool Has(uint command) => (byte)command is >= (byte)First and <= (byte)Last;

    /// <summary>Carries a command out that is in the table.</summary>
    /// <exception cref="IommufdException">ENOTTY: no such command. EFAULT: no structure. Others: the command's.</exception>
    public static Errno Run(uint command, Span<byte> argument, in IoctlCaller caller)
    {
        if (argument.Length < sizeof(uint))
        {
            throw new IommufdException(Errno.EFAULT, "argument", (ulong)argument.Length, "bytes have no room for the size");
        }

        return command switch
        {
            Type | 0x80 => IoctlFrame.Run<DestroyCall>(argument, in caller),
            Type | 0x81 => IoctlFrame.Run<IoasAllocCall>(argument, in caller),
            Type | 0x82 => IoctlFrame.Run<IoasAllowIovasCall>(argument, in caller),
            Type | 0x83 => IoctlFrame.Run<IoasCopyCall>(argument, in caller),
            Type | 0x84 => IoctlFrame.Run<IoasIovaRangesCall>(argument, in caller),
            Type | 0x85 => IoctlFrame.Run<IoasMapCall>(argument, in caller),
            Type | 0x86 => IoctlFrame.Run<IoasUnmapCall>(argument, in caller),
            Type | 0x87 => IoctlFrame.Run<OptionCall>(argument, in caller),
            Type | 0x88 => IoctlFrame.Run<VfioIoasCall>(argument, in caller),
            Type | 0x89 => IoctlFrame.Run<HwptAllocCall>(argument, in caller),
            Type | 0x8A => IoctlFrame.Run<GetHwInfoCall>(argument, in caller),
            Type | 0x8B => IoctlFrame.Run<HwptSetDirtyTrackingCall>(argument, in caller),
            Type | 0x8C => IoctlFrame.Run<HwptGetDirtyBitmapCall>(argument, in caller),
            Type | 0x8D => IoctlFrame.Run<HwptInvalidateCall>(argument, in caller),
            Type | 0x8E => IoctlFrame.Run<FaultQueueAllocCall>(argument, in caller),
            Type | 0x8F => IoctlFrame.Run<IoasMapFileCall>(argument, in caller),
            Type | 0x90 => IoctlFrame.Run<ViommuAllocCall>(argument, in caller),
            Type | 0x91 => IoctlFrame.Run<VdeviceAllocCall>(argument, in caller),
            Type | 0x92 => IoctlFrame.Run<IoasChangeProcessCall>(argument, in caller),
            Type | 0x93 => IoctlFrame.Run<VeventqAllocCall>(argument, in caller),
            Type | 0x94 => IoctlFrame.Run<HwQueueAllocCall>(argument, in caller),
            _ => throw new IommufdException(Errno.ENOTTY, "command", command, $"must be 0x{Type:x} and a number"),
        };
    }
}
