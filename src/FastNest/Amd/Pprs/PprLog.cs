using FastNest.Amd.Logs;
using FastNest.Amd.Registers;

namespace FastNest.Amd.Pprs;

/// <summary>Where page requests go: the log, or straight back to the device where automatic answers are on (reading 83).</summary>
internal sealed class PprLog(LogRing ring, RegisterFile registers, DeviceMail mail)
{
    private const ulong ResponseCodeMask = 15;

    public void Append(in PageRequest request)
    {
        ulong control = registers[RegisterMap.Control];
        if (ControlRegister.PprAutoRspEn.IsSet(control) && (!ring.Runs || ControlRegister.PprAutoRspAon.IsSet(control)))
        {
            Answer(in request);
        }
        else
        {
            ring.Append(PprLayout.Word0(in request, PprLayout.PageServiceRequest), PprLayout.Address.InPlace(request.Address));
        }
    }

    private void Answer(in PageRequest request)
    {
        if (request.Last)
        {
            ulong code = registers[RegisterMap.PprAutoResponse] & ResponseCodeMask;
            mail.Post(new PageResponse(request.Device, request.Pasid, request.Group, (int)code));
        }
    }
}
