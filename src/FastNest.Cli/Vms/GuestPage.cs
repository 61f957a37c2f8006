namespace FastNest.Cli.Vms;

/// <summary>What stands in each page of data of a VM, so that whoever reads it knows whose it is and which.</summary>
internal static class GuestPage
{
    private const ulong Mark = 0x5A5A_0000_0000_0000;
    private const int VmShift = 40;
    private const int PageShift = 12;

    public static ulong Of(int vm, ulong address) => Mark | (ulong)vm << VmShift | address >> PageShift;

    /// <summary>Which VM's it is; negative if it is no such mark.</summary>
    public static int VmOf(ulong mark) => (mark & 0xFFFF_0000_0000_0000) == Mark ? (int)(mark >> VmShift & 0xFF) : -1;
}
