using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using FastNest.Amd;
using FastNest.Engine;
using FastNest.Memory;
using FastNest.Requests;

namespace FastNest.Fuzz;

/// <summary>Touches a machine's memory where it may be touched, or where it must not: there a fence, if there is one, ends the process.</summary>
internal static class Fences
{
    public static IReadOnlyList<string> Places { get; } = ["inside", "before", "behind", "freed", "borrowed"];

    /// <summary>Touches one byte.</summary>
    /// <returns>What stood there.</returns>
    public static byte Touch(string place)
    {
        const int page = 4096;
        using var space = new GuestPhysicalSpace();
        if (place == "borrowed")
        {
            space.AddBorrowed(0, page, page); // nothing is ever there
            return 0;
        }

        MemoryRegion region = space.AddOwned(0, 16 * page);
        var iommu = new AmdIommu(space);
        using TranslationPort port = iommu.OpenPort();
        ref byte first = ref At(port, 0);
        ref byte last = ref At(port, 15 * page);
        switch (place)
        {
            case "before":
                return Unsafe.Add(ref first, -1);
            case "behind":
                return Unsafe.Add(ref last, page);
            case "freed":
                space.Remove(region);
                return first;
            default:
                last = first;
                return Unsafe.Add(ref last, page - 1);
        }
    }

    private static ref byte At(TranslationPort port, ulong address)
    {
        using PortBatch batch = port.OpenBatch();
        batch.TranslateToHost(new TranslationRequest(new(1), address, Access.Write), out Span<byte> memory);
        return ref Unsafe.AsRef(in MemoryMarshal.GetReference(memory));
    }
}
