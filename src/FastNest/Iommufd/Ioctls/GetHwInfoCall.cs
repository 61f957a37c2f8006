using System.Runtime.InteropServices;

namespace FastNest.Iommufd.Ioctls;

/// <summary>IOMMU_GET_HW_INFO.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct GetHwInfoCall : IIoctl
{
    private const uint InputType = 1;

    public uint Size;
    public uint Flags;
    public uint DevId;
    public uint DataLen;
    public ulong DataUptr;
    public uint DataType;
    public byte OutMaxPasidLog2;
    public byte Reserved0;
    public byte Reserved1;
    public byte Reserved2;
    public ulong OutCapabilities;

    public static int MinimumSize => 32;

    public Errno Run(in IoctlCaller caller)
    {
        IoctlCaller.RequireKnown("flags", Flags, InputType);
        IoctlCaller.RequireZero("reserved", (uint)Reserved0 | Reserved1 | Reserved2);
        HardwareInfo info = caller.Find<Device>(DevId, "dev_id").GetHardwareInfo((Flags & InputType) != 0 ? DataType : 0);
        int told = (int)Math.Min(DataLen, (uint)info.Data.Length);
        UserMemory.Write(caller.Process, DataUptr, info.Data.Span[..told]);
        Clear(caller.Process, DataUptr + (uint)told, DataLen - (uint)told);
        DataLen = (uint)info.Data.Length;
        DataType = info.Type;
        OutMaxPasidLog2 = (byte)info.MaxPasidLog2;
        OutCapabilities = (ulong)info.Capabilities;
        return Errno.None;
    }

    private static void Clear(UserAddressSpace process, ulong address, uint length)
    {
        Span<byte> zeros = stackalloc byte[512];
        zeros.Clear();
        for (uint done = 0; done < length; done += (uint)zeros.Length)
        {
            UserMemory.Write(process, address + done, zeros[..(int)Math.Min(length - done, (uint)zeros.Length)]);
        }
    }
}
