using FastNest.Requests;

namespace FastNest.Amd.Events;

/// <summary>
/// Remembers which devices with DTE.SE have had a fault logged since their entry was last invalidated (reading 54). One bit
/// a device; any thread.
/// </summary>
internal sealed class DeviceFaultLatch
{
    private readonly ulong[] _logged = new ulong[65536 / 64];

    /// <summary>Marks a device; true for the first of its faults.</summary>
    public bool IsFirst(DeviceId device)
    {
        ulong bit = 1UL << (int)(device.Value % 64);
        return (Interlocked.Or(ref _logged[Index(device)], bit) & bit) == 0;
    }

    public void Forget(DeviceId device) => Interlocked.And(ref _logged[Index(device)], ~(1UL << (int)(device.Value % 64)));

    public void ForgetAll()
    {
        for (int i = 0; i < _logged.Length; i++)
        {
            Volatile.Write(ref _logged[i], 0);
        }
    }

    private static int Index(DeviceId device) => (int)(device.Value % 65536 / 64);
}
