using FastNest.Engine;
using FastNest.Memory;
using FastNest.Requests;
using FastNest.Walks;

namespace FastNest.Amd.DeviceTable;

/// <summary>Looks a PASID up in a device's GCR3 table.</summary>
internal sealed class Gcr3Table(GuestPhysicalSpace memory)
{
    private const int BitsPerLevel = 9;
    private const ulong IndexMask = 511;

    /// <param name="root">The top table.</param>
    /// <param name="levels">1 to 3.</param>
    /// <param name="inGuestSpace">Whether the tables' addresses are guest physical (Control.GCR3TRPMode).</param>
    /// <param name="space">The second stage.</param>
    /// <param name="builder">Lends the second stage's walk.</param>
    /// <param name="request">Who asks, with which PASID.</param>
    /// <param name="pasid">The PASID to look up.</param>
    /// <param name="guestRoot">The guest physical address of the PASID's table.</param>
    /// <param name="fault">Why there is none.</param>
    public bool TryFind(
        ulong root,
        int levels,
        bool inGuestSpace,
        in HostSpace space,
        ContextBuilder builder,
        in TranslationRequest request,
        uint pasid,
        out ulong guestRoot,
        out WalkFault fault)
    {
        guestRoot = root;
        if (pasid >> (BitsPerLevel * levels) != 0)
        {
            return Fail(FaultReason.PasidOutOfRange, request.Iova, in request, out fault);
        }

        for (int level = levels; level > 0; level--)
        {
            ulong address = guestRoot + ((pasid >> (BitsPerLevel * (level - 1))) & IndexMask) * sizeof(ulong);
            ulong physical = address;
            if (inGuestSpace && !builder.Host.TryReach(in space, address, Access.Read, out physical, out fault))
            {
                return false;
            }

            if (!memory.TryLoad64(physical, out ulong entry))
            {
                return Fail(FaultReason.TableUnreadable, physical, in request, out fault);
            }

            if (!Gcr3Layout.V.IsSet(entry))
            {
                return Fail(FaultReason.PasidNotPresent, request.Iova, in request, out fault);
            }

            if ((entry & Gcr3Layout.Layout.Reserved(0)) != 0)
            {
                return Fail(FaultReason.ReservedBit, request.Iova, in request, out fault);
            }

            guestRoot = Gcr3Layout.Address.InPlace(entry);
        }

        fault = default;
        return true;
    }

    private static bool Fail(FaultReason reason, ulong address, in TranslationRequest request, out WalkFault fault)
    {
        fault = new(reason, TranslationStage.Guest, address, request.Access);
        return false;
    }
}
