using FastNest.Layouts;

namespace FastNest.Amd.DeviceTable;

/// <summary>The four quadwords of a device table entry, read as one.</summary>
internal readonly record struct DteValue(ulong Word0, ulong Word1, ulong Word2, ulong Word3)
{
    public ulong Word(int index) => index switch
    {
        0 => Word0,
        1 => Word1,
        2 => Word2,
        _ => Word3,
    };

    public ulong Get(BitField field) => field.Get(Word(field.Word));

    public bool Has(BitField field) => field.IsSet(Word(field.Word));
}
