namespace FastNest.Cli.Vms;

/// <summary>The host moves parts of VMs' memory from one place to another while their devices run.</summary>
/// <param name="places">The host's memory.</param>
internal class ParentMigration(HostPlaces places)
{
    /// <summary>Moves an area of a VM; its devices are refused meanwhile, and reach the new place afterwards.</summary>
    /// <param name="vm">The VM, whose processor stands still.</param>
    /// <param name="area">What moves.</param>
    /// <param name="counters">Counts what happens.</param>
    public void Move(VirtualMachine vm, GuestArea area, WorkCounters counters)
    {
        ulong from = area.Place;
        ulong to = places.Take(vm.Number, out bool isUntouched);
        counters.StaleWrites += isUntouched ? 0 : 1;
        vm.Memory.Turn();
        Remap(vm, area, to);
        area.Place = to;
        places.Give(from);
        vm.Memory.Turn();
        counters.Migrations++;
    }

    /// <summary>
    /// Takes the mapping out of the nest parent, which returns when no IOMMU and no vIOMMU uses it any more; copies; maps anew.
    /// A test may do it wrongly.
    /// </summary>
    protected virtual void Remap(VirtualMachine vm, GuestArea area, ulong to)
    {
        vm.Memory.Unmap(area);
        places.Copy(area.Place, to);
        vm.Memory.Map(area, to);
    }
}
