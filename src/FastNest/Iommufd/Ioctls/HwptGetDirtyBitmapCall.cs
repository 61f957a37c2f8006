using System.Runtime.InteropServices;

namespace FastNest.Iommufd.Ioctls;

/// <summary>IOMMU_HWPT_GET_DIRTY_BITMAP.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct HwptGetDirtyBitmapCall : IIoctl
{
    private const uint NoClear = 1;
    private const int WindowBytes = 4096;

    public uint Size;
    public uint HwptId;
    public uint Flags;
    public uint Reserved;
    public ulong Iova;
    public ulong Length;
    public ulong PageSize;
    public ulong Data;

    public static int MinimumSize => 48;

    public readonly Errno Run(in IoctlCaller caller)
    {
        IoctlCaller.RequireKnown("flags", Flags, NoClear);
        IoctlCaller.RequireZero("reserved", Reserved);
        HwptPaging hwpt = caller.Find<HwptPaging>(HwptId, "hwpt_id");
        RequireRange(hwpt);

        // Window by window: however long the range, no more than the process has memory for its bits is looked at.
        ulong pages = Length / PageSize;
        byte[] window = new byte[WindowBytes];
        for (ulong done = 0; done < pages; done += 8 * WindowBytes)
        {
            ulong count = Math.Min(pages - done, 8 * WindowBytes);
            Memory<byte> bits = window.AsMemory(0, (int)((count + 7) / 8));
            ulong place = Data + done / 8;
            UserMemory.RequireWritable(caller.Process, place, bits.Length);
            UserMemory.Read(caller.Process, place, bits.Span);
            hwpt.GetDirtyBitmap(Iova + done * PageSize, count * PageSize, PageSize, bits, clear: (Flags & NoClear) == 0);
            UserMemory.Write(caller.Process, place, bits.Span);
        }

        return Errno.None;
    }

    /// <summary>What is wrong with the whole is told before any window loses its marks; what remains is the windows' own.</summary>
    private readonly void RequireRange(HwptPaging hwpt)
    {
        if (Length > ulong.MaxValue - Iova)
        {
            throw new IommufdException(Errno.EOVERFLOW, "length", Length, $"from 0x{Iova:x} on must end within 64 bits");
        }

        ulong alignment = Math.Max(PageSize, hwpt.Ioas.Alignment);
        if (PageSize == 0 || Length == 0 || (Iova | Length) % alignment != 0)
        {
            throw new IommufdException(Errno.EINVAL, "length", Length, $"must not be 0 and, as iova 0x{Iova:x}, a multiple of {alignment}");
        }
    }
}
