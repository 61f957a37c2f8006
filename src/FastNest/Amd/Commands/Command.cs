using FastNest.Layouts;

namespace FastNest.Amd.Commands;

/// <summary>One command as fetched.</summary>
internal readonly record struct Command(ulong Word0, ulong Word1)
{
    public Opcode Opcode => (Opcode)CommandLayout.Code.Get(Word0);

    public ulong Get(BitField field) => field.Get(field.Word == 0 ? Word0 : Word1);

    public bool Has(BitField field) => Get(field) != 0;

    public ulong InPlace(BitField field) => field.InPlace(field.Word == 0 ? Word0 : Word1);
}
