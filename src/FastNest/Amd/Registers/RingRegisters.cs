using FastNest.Rings;

namespace FastNest.Amd.Registers;

/// <summary>Reads where a ring lies from its base register.</summary>
internal static class RingRegisters
{
    private const ulong ShortestLength = 8;
    private const ulong LongestLength = 15;

    /// <summary>Length codes below 8 are reserved: such a ring cannot run (readings 40, 41).</summary>
    public static RingGeometry Geometry(ulong baseRegister)
    {
        ulong code = BaseRegister.RingLength.Get(baseRegister);
        ulong length = code is >= ShortestLength and <= LongestLength ? RingGeometry.EntrySize << (int)code : 0;
        return new(BaseRegister.Address.InPlace(baseRegister), length);
    }
}
