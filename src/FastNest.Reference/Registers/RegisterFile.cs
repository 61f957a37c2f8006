namespace FastNest.Reference.Registers;

/// <summary>The values of the registers, as last written or restored.</summary>
internal sealed class RegisterFile(bool irtCacheDisSticks, bool gstBufferTrpModeSticks)
{
    private readonly Dictionary<ulong, ulong> _raw = [];

    public Features Features => new(Raw(RegisterMap.ExtendedFeature), Raw(RegisterMap.ExtendedFeature2));

    public Control Control =>
        new(Control.Reduce(Raw(RegisterMap.ControlOffset), Features, irtCacheDisSticks, gstBufferTrpModeSticks));

    /// <summary>The W1C bits of the status register.</summary>
    public ulong StatusBits
    {
        get => Raw(RegisterMap.Status) & RegisterMap.StatusClearable;
        set => Set(RegisterMap.Status, value);
    }

    /// <summary>The same values, to be changed apart.</summary>
    public RegisterFile Copy()
    {
        RegisterFile copy = new(irtCacheDisSticks, gstBufferTrpModeSticks);
        foreach ((ulong offset, ulong value) in _raw)
            copy._raw.Add(offset, value);
        return copy;
    }

    public void Set(ulong offset, ulong value) => _raw[offset] = value;

    /// <summary>A register's value, its bits of features not offered removed.</summary>
    public ulong Get(ulong offset) => offset == RegisterMap.ControlOffset
        ? Control.Value
        : Raw(offset) & RegisterMap.Rule(offset, Features).Read;

    /// <summary>Applies a write of the bytes in <paramref name="written"/> by the register's rule.</summary>
    public void Merge(ulong offset, ulong bits, ulong written)
    {
        RegisterRule rule = RegisterMap.Rule(offset, Features);
        ulong writable = rule.Write & written;
        ulong value = Get(offset);
        value = value & ~writable | bits & writable;
        value &= ~(rule.ClearByOne & written & bits);
        Set(offset, value);
        if (offset == RegisterMap.ControlOffset)
            Set(offset, Control.Value);
    }

    private ulong Raw(ulong offset) => _raw.GetValueOrDefault(offset);
}
