namespace FastNest.Reference;

/// <summary>A command that was executed.</summary>
/// <param name="Opcode">Bits 63:60.</param>
/// <param name="Low">The first quadword.</param>
/// <param name="High">The second quadword.</param>
/// <param name="Spa">Where it was fetched from.</param>
public readonly record struct ReferenceCommand(int Opcode, ulong Low, ulong High, ulong Spa);
