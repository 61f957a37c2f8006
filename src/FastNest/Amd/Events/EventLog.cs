using FastNest.Amd.Logs;
using FastNest.Amd.Registers;

namespace FastNest.Amd.Events;

/// <summary>Where events go: the log, and for hardware errors registers as well. Any thread may append.</summary>
internal sealed class EventLog(LogRing ring, RegisterFile registers, IommuFeatures features)
{
    private readonly Lock _hardwareError = new();

    public void Append(in IommuEvent entry)
    {
        if (entry.Code is EventCode.DevTabHardwareError or EventCode.PageTabHardwareError or EventCode.CommandHardwareError
            && features.Has(ExtendedFeature.HESup))
        {
            RecordHardwareError(in entry);
        }

        ring.Append(entry.Word0, entry.Word1);
    }

    /// <summary>The first hardware error is kept until it is acknowledged (reading 51).</summary>
    private void RecordHardwareError(in IommuEvent entry)
    {
        lock (_hardwareError)
        {
            if (registers.IsSet(RegisterMap.HwEventStatus, BaseRegister.HEV))
            {
                registers.Set(RegisterMap.HwEventStatus, BaseRegister.HEO);
                return;
            }

            registers[RegisterMap.HwEventUpper] = entry.Word0;
            registers[RegisterMap.HwEventLower] = entry.Word1;
            registers.Set(RegisterMap.HwEventStatus, BaseRegister.HEV);
        }
    }
}
