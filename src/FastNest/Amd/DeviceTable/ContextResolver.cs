using FastNest.Amd.Registers;
using FastNest.Engine;
using FastNest.Formats;
using FastNest.Requests;

namespace FastNest.Amd.DeviceTable;

/// <summary>Turns a device table entry into what the engine needs to know (48882 section 2.2.2; digest section 5.1).</summary>
internal sealed class ContextResolver(DeviceTableReader table, DteRules rules, RegisterFile registers)
{
    private const ulong IntCtlAbort = 0;

    public TranslationContext Resolve(DeviceId device) => table.Read(device, out DteValue dte, out ulong address) switch
    {
        DteLookup.Found => Resolve(in dte),
        DteLookup.OutOfRange => TranslationContext.Refused(FaultReason.DeviceOutOfRange),
        _ => TranslationContext.Refused(FaultReason.ContextUnreadable, address),
    };

    private TranslationContext Resolve(in DteValue dte)
    {
        TranslationContext context = ResolveMemory(in dte);
        ResolveMessages(in dte, ref context);
        return context;
    }

    private TranslationContext ResolveMemory(in DteValue dte)
    {
        if (!dte.Has(Dte.V))
        {
            return new() { Mode = ContextMode.PassThrough };
        }

        bool guest = dte.Has(Dte.GV) && registers.IsSet(RegisterMap.Control, ControlRegister.GTEn);
        FaultReason reason = rules.CheckMemory(in dte, guest);
        if (reason != FaultReason.None)
        {
            return TranslationContext.Refused(reason);
        }

        return new()
        {
            // Reading 2: without TV the entry is valid and blocks.
            Mode = dte.Has(Dte.TV) ? ContextMode.Host : ContextMode.Refused,
            Reason = dte.Has(Dte.TV) ? FaultReason.None : FaultReason.TranslationDisabled,
            Domain = (ushort)dte.Get(Dte.DomainID),
            HostRoot = Dte.HostPageTableRoot.InPlace(dte.Word0),
            HostLevels = (byte)dte.Get(Dte.Mode),
            Permissions = AmdV1.Permissions(dte.Word0),
            Excludable = dte.Has(Dte.EX),
            Faults = dte.Has(Dte.SA) ? FaultPolicy.ReportNone : dte.Has(Dte.SE) ? FaultPolicy.ReportFirst : FaultPolicy.ReportAll,
        };
    }

    /// <summary>Reading 21: IV governs messages whatever V is.</summary>
    private static void ResolveMessages(in DteValue dte, ref TranslationContext context)
    {
        if (!dte.Has(Dte.IV))
        {
            return;
        }

        FaultReason reason = DteRules.CheckInterrupt(in dte);
        if (reason != FaultReason.None)
        {
            (context.Messages, context.MessageReason) = (MessagePolicy.Malformed, reason);
        }
        else if (dte.Get(Dte.IntCtl) == IntCtlAbort)
        {
            (context.Messages, context.MessageReason) = (MessagePolicy.Block, FaultReason.MessageBlocked);
        }
    }
}
