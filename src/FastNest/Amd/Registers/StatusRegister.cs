using FastNest.Layouts;
using static FastNest.Layouts.BitField;

namespace FastNest.Amd.Registers;

/// <summary>The Status register, MMIO 2020h.</summary>
internal static class StatusRegister
{
    public static readonly BitField EventOverflow = Bit(0);
    public static readonly BitField EventLogInt = Bit(1);
    public static readonly BitField ComWaitInt = Bit(2);
    public static readonly BitField EventLogRun = Bit(3);
    public static readonly BitField CmdBufRun = Bit(4);
    public static readonly BitField PprOverflow = Bit(5);
    public static readonly BitField PprInt = Bit(6);
    public static readonly BitField PprLogRun = Bit(7);
    public static readonly BitField GALogRun = Bit(8);
    public static readonly BitField GALogOverflow = Bit(9);
    public static readonly BitField GAInt = Bit(10);
    public static readonly BitField PprOverflowB = Bit(11);
    public static readonly BitField PprLogActive = Bit(12);
    public static readonly BitField EventOverflowB = Bit(15);
    public static readonly BitField EventLogActive = Bit(16);
    public static readonly BitField PprOverflowEarlyB = Bit(17);
    public static readonly BitField PprOverflowEarly = Bit(18);

    public static readonly ulong WriteOneToClear =
        EventOverflow.Mask | EventLogInt.Mask | ComWaitInt.Mask | PprOverflow.Mask | PprInt.Mask | GALogOverflow.Mask | GAInt.Mask
        | PprOverflowB.Mask | EventOverflowB.Mask | PprOverflowEarlyB.Mask | PprOverflowEarly.Mask;
}
