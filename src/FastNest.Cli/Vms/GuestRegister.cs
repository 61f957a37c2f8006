namespace FastNest.Cli.Vms;

/// <summary>The registers that a VM's driver uses, by their offsets (48882 section 3.4).</summary>
internal static class GuestRegister
{
    public const ulong DeviceTableBase = 0x00;
    public const ulong CommandBufferBase = 0x08;
    public const ulong EventLogBase = 0x10;
    public const ulong Control = 0x18;
    public const ulong ExtendedFeature = 0x30;
    public const ulong PprLogBase = 0x38;
    public const ulong CommandHead = 0x2000;
    public const ulong CommandTail = 0x2008;
    public const ulong EventHead = 0x2010;
    public const ulong EventTail = 0x2018;
    public const ulong Status = 0x2020;
    public const ulong PprHead = 0x2030;
    public const ulong PprTail = 0x2038;
}
