namespace FastNest.Layouts;

/// <summary>A structure of 64-bit words as a table of its fields; whatever no field covers is reserved.</summary>
internal sealed class BitLayout
{
    private readonly ulong[] _defined;

    public BitLayout(string name, int words, params ReadOnlySpan<BitField> fields)
    {
        Name = name;
        Fields = fields.ToArray();
        _defined = new ulong[words];
        foreach (BitField field in fields)
        {
            if ((_defined[field.Word] & field.Mask) != 0)
            {
                throw new ArgumentException($"{name}: field {field.Name} overlaps another");
            }

            _defined[field.Word] |= field.Mask;
        }
    }

    public string Name { get; }

    public IReadOnlyList<BitField> Fields { get; }

    public int Words => _defined.Length;

    /// <summary>The bits of a word that some field covers.</summary>
    public ulong Defined(int word) => _defined[word];

    /// <summary>The bits of a word that no field covers.</summary>
    public ulong Reserved(int word) => ~_defined[word];
}
