using FastNest.Requests;
using FastNest.Walks;

namespace FastNest.Engine;

/// <summary>A port's second stage: its caches and its walk. Callers are inside the port's read section.</summary>
internal abstract class HostStage
{
    /// <summary>
    /// Finds the page of the second stage's input that holds an address. Rights are left to the caller to judge, but what it
    /// needs must be said: a cached page that lacks it is looked up in memory again.
    /// </summary>
    /// <param name="space">The second stage.</param>
    /// <param name="address">Its input.</param>
    /// <param name="need">What the page is wanted for; writing sets its Dirty bit where that is asked for.</param>
    /// <param name="leaf">The page, with the tables' rights; the context's own permissions come on top.</param>
    /// <param name="fault">Why there is none.</param>
    public abstract bool TryLocate(in HostSpace space, ulong address, Access need, out WalkLeaf leaf, out WalkFault fault);

    /// <summary>Finds where an address that is needed for a purpose of its own, such as reading a table, stands in memory.</summary>
    public bool TryReach(in HostSpace space, ulong address, Access need, out ulong physical, out WalkFault fault)
    {
        physical = 0;
        if (!TryLocate(in space, address, need, out WalkLeaf leaf, out fault))
        {
            return false;
        }

        if ((need & ~(leaf.Rights & space.Permissions)) != 0)
        {
            fault = new(FaultReason.PermissionDenied, TranslationStage.Host, address, need);
            return false;
        }

        physical = leaf.At(address);
        return true;
    }
}
