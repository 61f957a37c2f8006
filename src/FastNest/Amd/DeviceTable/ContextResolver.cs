using FastNest.Amd.Events;
using FastNest.Amd.Pprs;
using FastNest.Amd.Registers;
using FastNest.Engine;
using FastNest.Formats;
using FastNest.Memory;
using FastNest.Requests;

namespace FastNest.Amd.DeviceTable;

/// <summary>Turns a device table entry, and for a PASID its GCR3 entry, into what the engine needs to know (digest section 5.1).</summary>
internal sealed class ContextResolver(GuestPhysicalSpace memory, RegisterFile registers, IommuFeatures features)
{
    private const ulong IntCtlAbort = 0;
    private const int SmallestGuestLevels = 4;

    private readonly DeviceTableReader _table = new(memory, registers);
    private readonly DteRules _rules = new(features);
    private readonly bool _servesGuests = features.Has(ExtendedFeature.ViommuSup);
    private readonly Gcr3Table _gcr3 = new(memory);

    public TranslationContext Resolve(in TranslationRequest request, ContextBuilder builder)
    {
        switch (_table.Read(request.Device, out DteValue dte, out ulong address))
        {
            case DteLookup.OutOfRange:
                return TranslationContext.Refused(FaultReason.DeviceOutOfRange);
            case DteLookup.Unreadable:
                TranslationContext unreadable = TranslationContext.Refused(FaultReason.ContextUnreadable);
                unreadable.Fault = new(FaultReason.ContextUnreadable, TranslationStage.None, address, request.Access);
                return unreadable;
            default:
                TranslationContext context = ResolveMemory(in request, in dte, allowsGuest: true, builder);
                ResolveMessages(in dte, ref context);
                return context;
        }
    }

    /// <summary>
    /// Resolves the host's stage alone, for what the IOMMU itself reads and writes on behalf of guests: whatever guest tables
    /// the entry names, and with no way past translation (reading 93).
    /// </summary>
    public TranslationContext ResolveHost(in TranslationRequest request, ContextBuilder builder)
    {
        DteLookup lookup = _table.Read(request.Device, out DteValue dte, out _);
        if (lookup != DteLookup.Found || !dte.Has(Dte.V))
        {
            return TranslationContext.Refused(
                lookup == DteLookup.Unreadable ? FaultReason.ContextUnreadable : FaultReason.TranslationDisabled);
        }

        return ResolveMemory(in request, in dte, allowsGuest: false, builder);
    }

    /// <summary>Whether a device may ask for pages (reading 80); an event without a code when it may.</summary>
    /// <param name="request">What it asks.</param>
    /// <param name="note">As a context's: to whom a device belongs that may.</param>
    public IommuEvent AdmitPageRequest(in PageRequest request, out ulong note)
    {
        note = 0;
        IommuEvent invalid = PprLayout.Invalid(in request);
        ulong control = registers[RegisterMap.Control];
        if (!features.Has(ExtendedFeature.PPRSup) || !ControlRegister.PprEn.IsSet(control))
        {
            return invalid;
        }

        using SharedSection section = memory.EnterShared();
        DteLookup lookup = _table.Read(request.Device, out DteValue dte, out ulong address);
        bool guest = dte.Has(Dte.GV) && ControlRegister.GTEn.IsSet(control);
        FaultReason reason = lookup == DteLookup.Unreadable ? FaultReason.ContextUnreadable
            : dte.Has(Dte.V) ? _rules.CheckMemory(in dte, guest)
            : FaultReason.None;
        if (reason == FaultReason.None)
        {
            // A device beyond the table has an entry of zeros here.
            note = Note(in dte);
            return dte.Has(Dte.V) && dte.Has(Dte.PPR) ? default : invalid;
        }

        ulong page = PprLayout.Address.InPlace(request.Address);
        TranslationRequest asked = new Requester(request.Device, request.Pasid, request.Privileged).Request(page, request.Access);
        TranslationResult fault = TranslationResult.Fault(reason, reason == FaultReason.ContextUnreadable ? address : page, request.Access);
        return FaultEvents.Of(in asked, in fault, isMessage: false);
    }

    private TranslationContext ResolveMemory(in TranslationRequest request, in DteValue dte, bool allowsGuest, ContextBuilder builder)
    {
        if (!dte.Has(Dte.V))
        {
            return new() { Mode = ContextMode.PassThrough };
        }

        ulong control = registers[RegisterMap.Control]; // for as long as the context is kept (reading 86)
        bool guest = allowsGuest && dte.Has(Dte.GV) && ControlRegister.GTEn.IsSet(control);
        FaultReason reason = _rules.CheckMemory(in dte, guest);
        if (reason != FaultReason.None)
        {
            return TranslationContext.Refused(reason);
        }

        var context = new TranslationContext
        {
            Mode = ContextMode.Host,
            Domain = (ushort)dte.Get(Dte.DomainID),
            Note = Note(in dte),
            Excludable = dte.Has(Dte.EX),
            AllowsAts = dte.Has(Dte.I),
            Faults = dte.Has(Dte.SA) ? FaultPolicy.ReportNone : dte.Has(Dte.SE) ? FaultPolicy.ReportFirst : FaultPolicy.ReportAll,
        };
        context.Host = new()
        {
            Root = Dte.HostPageTableRoot.InPlace(dte.Word0),
            Levels = (byte)dte.Get(Dte.Mode),
            Domain = context.Domain,
            Permissions = AmdV1.Permissions(dte.Word0),
            Marks = HostMarks(control, dte.Get(Dte.HAD)),
        };
        if (!dte.Has(Dte.TV))
        {
            // Reading 2: without TV the entry is valid and blocks.
            return Refuse(ref context, FaultReason.TranslationDisabled);
        }

        builder.Tag(ref context.Host);
        if (guest && (request.HasPasid || dte.Has(Dte.GIoV)))
        {
            return ResolveGuest(in request, in dte, control, builder, ref context);
        }

        return request.HasPasid ? Refuse(ref context, FaultReason.PasidUnsupported) : context;
    }

    private TranslationContext ResolveGuest(
        in TranslationRequest request, in DteValue dte, ulong control, ContextBuilder builder, ref TranslationContext context)
    {
        ulong root = Dte.Gcr3Root14To12.Get(dte.Word0) << 12
            | Dte.Gcr3Root30To15.Get(dte.Word1) << 15
            | Dte.Gcr3Root51To31.Get(dte.Word1) << 31;
        bool inGuestSpace = ControlRegister.GCR3TRPMode.IsSet(control);
        int levels = 1 + (int)dte.Get(Dte.GLX);
        if (!_gcr3.TryFind(
            root, levels, inGuestSpace, in context.Host, builder, in request, request.Pasid, out ulong guestRoot, out context.Fault))
        {
            return Refuse(ref context, context.Fault.Reason);
        }

        context.Mode = ContextMode.Nested;
        context.Guest = new()
        {
            Root = guestRoot,
            Pasid = request.Pasid,
            Levels = (byte)(SmallestGuestLevels + (int)dte.Get(Dte.GuestPagingMode)),
            SignExtended = request.Pasid != 0,
            EnforcesExecute = features.Has(ExtendedFeature.NXSup),
            EnforcesUser = features.Has(ExtendedFeature.USSup),
            Marks = GuestMarks(control),
        };
        builder.Tag(ref context.Guest, in context.Host);
        return context;
    }

    /// <summary>The quadword that names a guest, of a device that belongs to one; else 0.</summary>
    private ulong Note(in DteValue dte) => _servesGuests && dte.Has(Dte.VImuEn) ? dte.Word3 : 0;

    private static TranslationContext Refuse(ref TranslationContext context, FaultReason reason)
    {
        context.Mode = ContextMode.Refused;
        context.Reason = reason;
        return context;
    }

    /// <summary>The host's bits are kept only where DTE.HAD, Control.HADUpdate and the features all say so (digest section 3).</summary>
    private MarkPolicy HostMarks(ulong control, ulong had)
    {
        MarkPolicy offered = (features.Has(ExtendedFeature.HASup) ? MarkPolicy.Accessed : MarkPolicy.None)
            | (features.Has(ExtendedFeature.HDSup) ? MarkPolicy.Dirty : MarkPolicy.None);
        return offered & Decode(had) & Decode(ControlRegister.HADUpdate.Get(control));

        // Reading 33: both fields are coded alike.
        static MarkPolicy Decode(ulong code) => code switch
        {
            1 => MarkPolicy.Accessed,
            3 => MarkPolicy.Accessed | MarkPolicy.Dirty,
            _ => MarkPolicy.None,
        };
    }

    private static MarkPolicy GuestMarks(ulong control) =>
        (ControlRegister.GAUpdateDis.IsSet(control) ? MarkPolicy.None : MarkPolicy.Accessed)
        | (ControlRegister.GDUpdateDis.IsSet(control) ? MarkPolicy.None : MarkPolicy.Dirty);

    /// <summary>Reading 21: IV governs messages whatever V is.</summary>
    private static void ResolveMessages(in DteValue dte, ref TranslationContext context)
    {
        if (!dte.Has(Dte.IV))
        {
            return;
        }

        FaultReason reason = DteRules.CheckInterrupt(in dte);
        if (reason == FaultReason.None && dte.Get(Dte.IntCtl) == IntCtlAbort)
        {
            reason = FaultReason.MessageBlocked;
        }

        context.Messages = reason == FaultReason.None ? MessagePolicy.Forward : MessagePolicy.Refuse;
        context.MessageReason = reason;
    }
}
