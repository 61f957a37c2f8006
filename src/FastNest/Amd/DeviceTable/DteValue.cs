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

    /// <summary>The entry with a field replaced.</summary>
    public DteValue With(BitField field, ulong value) => field.Word switch
    {
        0 => this with { Word0 = field.With(Word0, value) },
        1 => this with { Word1 = field.With(Word1, value) },
        2 => this with { Word2 = field.With(Word2, value) },
        _ => this with { Word3 = field.With(Word3, value) },
    };

    /// <summary>The entry with an address put in place, whose low bits other fields have.</summary>
    public DteValue WithAddress(BitField field, ulong address) => With(field, address >> field.Low);
}
