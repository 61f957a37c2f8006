using FastNest.Reference.Registers;
using FastNest.Requests;

namespace FastNest.Reference.Walks;

/// <summary>Answers one request in the order of section 5.1; <paramref name="device"/> is its device table entry.</summary>
internal sealed class Translation(IReferenceMemory memory, RegisterFile registers, TranslationRequest request, DeviceFetch device)
{
    private const ulong WindowFirst = 0xFEE0_0000;
    private const ulong WindowLast = 0xFEEF_FFFF;
    private readonly Features _features = registers.Features;
    private readonly Control _control = registers.Control;
    private readonly List<ReferenceStep> _steps = [];
    private Suppression _suppression;

    public ReferenceAnswer Run()
    {
        ReferenceAnswer? early = BeforeTables(out DeviceEntry? dte, out bool throughGuest);
        if (early is not null)
            return early;
        HostStage host = new(memory, dte!, request, _steps);
        return throughGuest ? ThroughGuest(dte!, host) : ThroughHost(dte!, host);
    }

    /// <summary>The answer where no table is needed for it; otherwise null and the entry that says which tables to use.</summary>
    public ReferenceAnswer? BeforeTables(out DeviceEntry? dte, out bool throughGuest)
    {
        dte = null;
        throughGuest = false;
        if (!_control.IommuEn)
            return Pass(64, Access.All, "IommuEn=0: passes untranslated"); // readings 55, 70
        bool inWindow = !request.HasPasid && request.Iova >= WindowFirst && request.Iova <= WindowLast;
        if (inWindow && request.Kind == RequestKind.Untranslated)
            return InterruptWindow();
        if (inWindow && request.Kind == RequestKind.Translation)
            return Refuse(new(null, "the interrupt window is not translated")); // reading 73

        dte = DecodeDeviceEntry(isInterrupt: false, out Refusal? refusal);
        if (dte is null)
            return Refuse(refusal!);
        if (!dte.V)
            return request.Kind == RequestKind.Untranslated ? Pass(64, Access.All, "DTE.V=0: passes untranslated") : RefuseAts("V"); // readings 16, 71

        _suppression = dte.Suppression;
        bool guestTranslation = dte.GV && _control.GTEn; // reading 23
        if (dte.HasReservedBit(_features))
            return Refuse(new(Events.IllegalDeviceTableEntry(request, reservedBit: true, isInterrupt: false), "DTE has a reserved bit set"));
        if (dte.IllegalEncoding(_features, guestTranslation) is string encoding)
            return Refuse(new(Events.IllegalDeviceTableEntry(request, reservedBit: false, isInterrupt: false), $"DTE is illegal: {encoding}"));
        if (request.Kind != RequestKind.Untranslated && !dte.I)
            return RefuseAts("I");
        if (request.Kind == RequestKind.Translated)
            return Pass(64, Access.All, "translated already: passes unchanged"); // reading 74
        if (IsExcluded(dte))
            return Pass(12, Access.All, "in the exclusion range: passes untranslated");
        if (!dte.TV)
            return Refuse(NotPresent(dte, "DTE.V=1, TV=0: no translation")); // reading 2
        if (request.HasPasid && !guestTranslation)
            return Refuse(NotPresent(dte, "a PASID without guest translation (GV, GTEn)")); // reading 17
        throughGuest = guestTranslation && (request.HasPasid || dte.GIoV);
        return null;
    }

    // reading 71
    private ReferenceAnswer RefuseAts(string bit) => Refuse(new(
        Events.InvalidDeviceRequest(request, type: request.Kind == RequestKind.Translated ? 1UL : 5UL), $"DTE.{bit}=0: no ATS"));

    private ReferenceAnswer ThroughHost(DeviceEntry dte, HostStage host)
    {
        HostResult? walk = host.Walk(request.Iova, request.Access, nested: false, out Refusal? refusal);
        if (walk is null)
            return Refuse(refusal!);
        MarkRules rules = new(dte, _features, _control);
        if (JudgeHost(walk, host, rules, out Access granted, out bool writes) is Refusal denied)
            return Refuse(denied);
        if (dte.Mode == 0)
            return Pass(64, granted, "DTE.Mode=0: passes one to one");
        Marks marks = new(rules);
        marks.AddHostWalk(walk, writes);
        return Grant(walk.Spa, walk.Shift, granted, marks.All, "translated by the host table");
    }

    /// <summary>Whether a completed host walk by itself serves the request.</summary>
    public Refusal? JudgeHost(HostResult walk, HostStage host, MarkRules rules, out Access granted, out bool writes)
    {
        Judge judge = new(rules, request);
        granted = judge.Granted(walk.Permissions, guestLacksDirty: false, walk.LacksDirty);
        writes = judge.Writes(granted);
        return judge.IsAts ? judge.RefuseNothing(granted) : host.Deny(walk.Permissions, request.Iova, request.Access); // reading 4
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
        DeviceEntry? dte = DecodeDeviceEntry(isInterrupt: true, out Refusal? refusal);
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

    private DeviceEntry? DecodeDeviceEntry(bool isInterrupt, out Refusal? refusal)
    {
        refusal = null;
        if (device.Spa is not ulong spa)
        {
            ReferenceEvent beyond = Events.IoPageFault(
                request, request.Iova, PageFault.NotPresent, guest: false, domain: 0, Events.IsWrite(request), Events.IsExecute(request), isInterrupt);
            refusal = new(beyond, $"device {request.Device} lies beyond the device table"); // reading 18
            return null;
        }

        if (device.Raw is not ulong[] raw)
        {
            _steps.Add(new() { Name = "DTE", Stage = ReferenceStage.Device, Level = 0, Spa = spa, Note = "memory does not exist" });
            refusal = new(Events.DeviceTableHardwareError(request, spa, isInterrupt), $"DTE at 0x{spa:x}: memory does not exist");
            return null;
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

    /// <summary>The event of a refusal: page faults of translation requests have none. // readings 72, 76, 78</summary>
    public static ReferenceEvent? EventOf(Refusal refusal, in TranslationRequest request) =>
        request.Kind == RequestKind.Translation && refusal.Event?.Code == ReferenceEventCode.IoPageFault ? null : refusal.Event;

    private ReferenceAnswer Refuse(Refusal refusal) => new()
    {
        Request = request,
        Event = EventOf(refusal, request),
        Steps = _steps,
        Verdict = refusal.Verdict,
        Suppression = _suppression,
    };
}
