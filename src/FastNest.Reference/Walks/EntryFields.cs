namespace FastNest.Reference.Walks;

/// <summary>Names and places of the fields of each kind of entry, to show them decoded.</summary>
internal static class EntryFields
{
    private static readonly Field[] DeviceTable =
    [
        new("V", 0, 0), new("TV", 1, 1), new("HAD", 8, 7), new("Mode", 11, 9), new("HostPageTableRoot", 51, 12, true),
        new("PPR", 52, 52), new("GPRP", 53, 53), new("GIoV", 54, 54), new("GV", 55, 55), new("GLX", 57, 56),
        new("GCR3TRP[14:12]", 60, 58), new("IR", 61, 61), new("IW", 62, 62),
        new("DomainID", 79, 64), new("GCR3TRP[30:15]", 95, 80), new("I", 96, 96), new("SE", 97, 97), new("SA", 98, 98),
        new("IoCtl", 100, 99), new("Cache", 101, 101), new("SD", 102, 102), new("EX", 103, 103), new("SysMgt", 105, 104),
        new("SATS", 106, 106), new("GCR3TRP[51:31]", 127, 107),
        new("IV", 128, 128), new("IntTabLen", 132, 129), new("IG", 133, 133), new("IntTableRoot", 179, 134),
        new("GuestPagingMode", 183, 182), new("InitPass", 184, 184), new("EIntPass", 185, 185), new("NMIPass", 186, 186),
        new("HPTMode", 187, 187), new("IntCtl", 189, 188), new("Lint0Pass", 190, 190), new("Lint1Pass", 191, 191),
        new("vImuEn", 207, 207), new("GDeviceID", 223, 208), new("GuestID", 239, 224), new("AttrV", 246, 246),
        new("Mode0FC", 247, 247), new("SnoopAttribute", 255, 248),
    ];

    private static readonly Field[] Host =
    [
        new("PR", 0, 0), new("A", 5, 5), new("D", 6, 6), new("NextLevel", 11, 9), new("Address", 51, 12, true),
        new("U", 59, 59), new("FC", 60, 60), new("IR", 61, 61), new("IW", 62, 62),
    ];

    private static readonly Field[] Gcr3 = [new("V", 0, 0), new("Address", 51, 12, true)];

    private static readonly Field[] Guest =
    [
        new("P", 0, 0), new("RW", 1, 1), new("US", 2, 2), new("PWT", 3, 3), new("PCD", 4, 4), new("A", 5, 5), new("D", 6, 6),
        new("PS", 7, 7), new("G", 8, 8), new("Address", 51, 12, true), new("NX", 63, 63),
    ];

    public static IReadOnlyList<ReferenceField> OfDeviceTable(ulong[] entry) => Decode(DeviceTable, entry);

    public static IReadOnlyList<ReferenceField> OfHost(ulong entry) => Decode(Host, [entry]);

    public static IReadOnlyList<ReferenceField> OfGcr3(ulong entry) => Decode(Gcr3, [entry]);

    public static IReadOnlyList<ReferenceField> OfGuest(ulong entry) => Decode(Guest, [entry]);

    private static List<ReferenceField> Decode(Field[] fields, ulong[] entry)
    {
        List<ReferenceField> decoded = [];
        foreach (Field field in fields)
        {
            ulong quadword = entry[field.Low / 64];
            ulong value = Bits.Field(quadword, field.High % 64, field.Low % 64);
            decoded.Add(new(field.Name, field.InPlace ? value << (field.Low % 64) : value));
        }

        return decoded;
    }

    private readonly record struct Field(string Name, int High, int Low, bool InPlace = false);
}
