using FastNest.Amd.Logs;
using FastNest.Amd.Registers;
using FastNest.Requests;

namespace FastNest.Amd.Pprs;

/// <summary>Where page requests go: the log, or straight back to the device where automatic answers are on (reading 83).</summary>
internal sealed class PprLog(LogRing ring, RegisterFile registers, DeviceMail mail)
{
    private const ulong ResponseCodeMask = 15;

    /// <param name="request">What the device asks.</param>
    /// <param name="named">The device as the log's owner knows it.</param>
    public void Append(in PageRequest request, DeviceId named)
    {
        ulong control = registers[RegisterMap.Control];
        if (ControlRegister.PprAutoRspEn.IsSet(control) && (!ring.Runs || ControlRegister.PprAutoRspAon.IsSet(control)))
        {
            Answer(in request);
        }
        else
        {
            ring.Append(PprLayout.Word0(request with { Device = named }, PprLayout.PageServiceRequest), PprLayout.Address.InPlace(request.Address));
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
