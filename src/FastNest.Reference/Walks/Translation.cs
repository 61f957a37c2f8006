using FastNest.Reference.Registers;
using FastNest.Requests;

namespace FastNest.Reference.Walks;

/// <summary>Answers one request in the order of section 5.1.</summary>
internal sealed class Translation(IReferenceMemory memory, RegisterFile registers, TranslationRequest request)
{
    private const ulong WindowFirst = 0xFEE0_0000;
    private const ulong WindowLast = 0xFEEF_FFFF;
    private readonly Features _features = registers.Features;
    private readonly Control _control = registers.Control;
    private readonly List<ReferenceStep> _steps = [];
    private Suppression _suppression;

    public ReferenceAnswer Run()
    {
        if (!_control.IommuEn)
            return Pass(64, Access.All, "IommuEn=0: passes untranslated"); // reading 55
        if (!request.HasPasid && request.Iova >= WindowFirst && request.Iova <= WindowLast)
            return InterruptWindow();

        DeviceEntry? dte = FetchDeviceEntry(isInterrupt: false, out Refusal? refusal);
        if (dte is null)
            return Refuse(refusal!);
        if (!dte.V)
            return Pass(64, Access.All, "DTE.V=0: passes untranslated"); // reading 16

        _suppression = dte.Suppression;
        bool guestTranslation = dte.GV && _control.GTEn; // reading 23
        if (dte.HasReservedBit(_features))
            return Refuse(new(Events.IllegalDeviceTableEntry(request, reservedBit: true, isInterrupt: false), "DTE has a reserved bit set"));
        if (dte.IllegalEncoding(_features, guestTranslation) is string encoding)
            return Refuse(new(Events.IllegalDeviceTableEntry(request, reservedBit: false, isInterrupt: false), $"DTE is illegal: {encoding}"));
        if (IsExcluded(dte))
            return Pass(12, Access.All, "in the exclusion range: passes untranslated");
        if (!dte.TV)
            return Refuse(NotPresent(dte, "DTE.V=1, TV=0: no translation")); // reading 2
        if (request.HasPasid && !guestTranslation)
            return Refuse(NotPresent(dte, "a PASID without guest translation (GV, GTEn)")); // reading 17

        HostStage host = new(memory, dte, request, _steps);
        return guestTranslation && (request.HasPasid || dte.GIoV) ? ThroughGuest(dte, host) : ThroughHost(dte, host);
    }

    private ReferenceAnswer ThroughHost(DeviceEntry dte, HostStage host)
    {
        HostResult? walk = host.Walk(request.Iova, request.Access, nested: false, out Refusal? refusal);
        if (walk is null)
            return Refuse(refusal!);
        if (host.Deny(walk, request.Iova, request.Access) is Refusal denied)
            return Refuse(denied); // reading 4
        if (dte.Mode == 0)
            return Pass(64, walk.Permissions, "DTE.Mode=0: passes one to one");
        Marks marks = new(dte, _features, _control, request);
        marks.AddHostWalk(walk, Events.IsWrite(request));
        return Grant(walk.Spa, walk.Shift, walk.Permissions, marks.All, "translated by the host table");
    }

    private ReferenceAnswer ThroughGuest(DeviceEntry dte, HostStage host)
    {
        GuestStage guest = new(memory, dte, _features, _control, request, host, _steps);
        GuestResult? result = guest.Run(out Refusal? refusal);
        if (result is null)
            return Refuse(refusal!);
        string verdict = dte.Mode == 0 ? "translated by the guest table" : "translated by guest and host table";
        return Grant(result.Spa, result.Shift, result.Permissions, result.Updates, verdict);
    }

    // reading 21
    private ReferenceAnswer InterruptWindow()
    {
        if (request.Access != Access.Write)
            return Refuse(new(Events.InvalidDeviceRequest(request, type: 0), "the interrupt window can only be written"));
        DeviceEntry? dte = FetchDeviceEntry(isInterrupt: true, out Refusal? refusal);
        if (dte is null)
            return Refuse(refusal!);
        if (!dte.IV)
            return Message("interrupt message, DTE.IV=0");
        if (dte.HasReservedInterruptBit)
            return Refuse(new(Events.IllegalDeviceTableEntry(request, reservedBit: true, isInterrupt: true), "DTE has a reserved bit set in 255:129"));
        if (dte.IntTabLen > 11 || dte.IntCtl == 3)
        {
            return Refuse(new(
                Events.IllegalDeviceTableEntry(request, reservedBit: false, isInterrupt: true),
                $"DTE is illegal: IntTabLen={dte.IntTabLen}, IntCtl={dte.IntCtl}"));
        }

        if (dte.IntCtl == 0)
            return Refuse(new(Events.InvalidDeviceRequest(request, type: 4), "DTE.IntCtl=0: no interrupt messages"));
        return Message($"interrupt message, DTE.IntCtl={dte.IntCtl}");
    }

    private DeviceEntry? FetchDeviceEntry(bool isInterrupt, out Refusal? refusal)
    {
        refusal = null;
        if (DeviceTable.AddressOf(request.Device, registers) is not ulong spa)
        {
            ReferenceEvent beyond = Events.IoPageFault(
                request, request.Iova, PageFault.NotPresent, guest: false, domain: 0, Events.IsWrite(request), Events.IsExecute(request), isInterrupt);
            refusal = new(beyond, $"device {request.Device} lies beyond the device table"); // reading 18
            return null;
        }

        ulong[] raw = new ulong[4];
        for (int i = 0; i < 4; i++)
        {
            if (!memory.TryRead64(spa + (ulong)i * 8, out raw[i]))
            {
                _steps.Add(new() { Name = "DTE", Stage = ReferenceStage.Device, Level = 0, Spa = spa, Note = "memory does not exist" });
                refusal = new(Events.DeviceTableHardwareError(request, spa, isInterrupt), $"DTE at 0x{spa:x}: memory does not exist"); // reading 58
                return null;
            }
        }

        DeviceEntry dte = new(raw);
        _steps.Add(new()
        {
            Name = "DTE",
            Stage = ReferenceStage.Device,
            Level = 0,
            Spa = spa,
            Raw = raw,
            Fields = EntryFields.OfDeviceTable(raw),
            Permissions = dte.V ? dte.Permissions : Access.All,
            Note = dte.V ? $"V=1, TV={(dte.TV ? 1 : 0)}, Mode={dte.Mode}, GV={(dte.GV ? 1 : 0)}" : "V=0",
        });
        return dte;
    }

    // reading 12
    private bool IsExcluded(DeviceEntry dte)
    {
        ulong low = registers.Get(RegisterMap.ExclusionBase);
        ulong last = registers.Get(RegisterMap.ExclusionLimit) | 0xFFF;
        bool enabled = Bits.IsSet(low, 0), allowAll = Bits.IsSet(low, 1);
        return enabled
            && !_features.SnpSup
            && !request.HasPasid
            && (allowAll || dte.EX)
            && request.Iova >= (low & Bits.Mask(51, 12))
            && request.Iova <= last;
    }

    private Refusal NotPresent(DeviceEntry dte, string words) => new(
        Events.IoPageFault(
            request, request.Iova, PageFault.NotPresent, guest: false, dte.DomainId, Events.IsWrite(request), Events.IsExecute(request)),
        words);

    private ReferenceAnswer Pass(int shift, Access permissions, string verdict) => Grant(request.Iova, shift, permissions, [], verdict);

    private ReferenceAnswer Grant(ulong output, int shift, Access permissions, IReadOnlyList<ReferenceUpdate> updates, string verdict) => new()
    {
        Request = request,
        OutputAddress = output,
        PageShift = shift,
        Permissions = permissions,
        Steps = _steps,
        Updates = updates,
        Verdict = verdict,
    };

    private ReferenceAnswer Message(string verdict) => new()
    {
        Request = request,
        OutputAddress = request.Iova,
        PageShift = 12,
        Permissions = Access.Write,
        IsMessage = true,
        Steps = _steps,
        Verdict = verdict,
    };

    private ReferenceAnswer Refuse(Refusal refusal) => new()
    {
        Request = request,
        Event = refusal.Event,
        Steps = _steps,
        Verdict = refusal.Verdict,
        Suppression = _suppression,
    };
}
