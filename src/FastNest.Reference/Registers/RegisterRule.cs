namespace FastNest.Reference.Registers;

/// <summary>Which bits of a register read, which can be written, and which a written 1 clears.</summary>
internal readonly record struct RegisterRule(ulong Read, ulong Write, ulong ClearByOne)
{
    public static RegisterRule Reserved => default;

    public static RegisterRule ReadOnly(ulong mask) => new(mask, 0, 0);

    public static RegisterRule ReadWrite(ulong mask) => new(mask, mask, 0);

    public static RegisterRule WriteOneToClear(ulong mask) => new(mask, 0, mask);

    /// <summary>The rule when the feature is there; a register of a feature not offered is reserved. // reading 59</summary>
    public RegisterRule If(bool offered) => offered ? this : Reserved;
}
