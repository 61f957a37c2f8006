using System.Runtime.InteropServices;

namespace FastNest.Iommufd.Ioctls;

/// <summary>IOMMU_HWPT_INVALIDATE. How many entries were done is told whatever happens.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct HwptInvalidateCall : IIoctl
{
    private const int WindowBytes = 4096;

    /// <summary>No driver's entries are that long.</summary>
    private const uint LongestEntry = WindowBytes;

    public uint Size;
    public uint HwptId;
    public ulong DataUptr;
    public uint DataType;
    public uint EntryLen;
    public uint EntryNum;
    public uint Reserved;

    public static int MinimumSize => 32;

    public Errno Run(in IoctlCaller caller)
    {
        uint asked = EntryNum;
        EntryNum = 0;
        try
        {
            Invalidate(in caller, asked);
            return Errno.None;
        }
        catch (IommufdException exception)
        {
            return exception.Errno;
        }
    }

    private void Invalidate(in IoctlCaller caller, uint asked)
    {
        IoctlCaller.RequireZero("reserved", Reserved);
        if (asked != 0 && (DataUptr == 0 || EntryLen is 0 or > LongestEntry))
        {
            throw new IommufdException(Errno.EINVAL, "entry_len", EntryLen, $"must be 1 to {LongestEntry}, at data_uptr 0x{DataUptr:x}, not 0");
        }

        byte[] window = asked == 0 ? [] : new byte[WindowBytes];
        do
        {
            uint count = asked == 0 ? 0 : Math.Min(asked - EntryNum, (uint)window.Length / EntryLen);
            Span<byte> entries = window.AsSpan(0, (int)(count * EntryLen));
            UserMemory.Read(caller.Process, DataUptr + (ulong)EntryNum * EntryLen, entries);
            uint done = count;
            try
            {
                caller.Context.Invalidate(HwptId, DataType, EntryLen, entries, ref done);
            }
            finally
            {
                EntryNum += done;
            }
        }
        while (EntryNum < asked);
    }
}
