namespace FastNest.Reference;

/// <summary>One decoded field of an entry.</summary>
/// <param name="Name">The field's name in the specification.</param>
/// <param name="Value">Its value, shifted down; an address keeps its place.</param>
public readonly record struct ReferenceField(string Name, ulong Value);
