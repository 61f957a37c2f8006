namespace FastNest.Cli.Vms;

/// <summary>What a VM's devices wrote last into each page of data, as far as it is certain. Of the devices' thread.</summary>
/// <param name="vm">Whose.</param>
internal sealed class DmaTokens(int vm)
{
    private readonly ulong[] _last = new ulong[VmLayout.DataPages];
    private long _count;

    /// <summary>A word that was not written yet.</summary>
    public ulong Next() => Stamp.Token(vm, ++_count);

    /// <summary>A page has this word from now on.</summary>
    public void Remember(int page, ulong token) => _last[page] = token;

    /// <summary>Something was written, but it is not certain where.</summary>
    public void Forget() => Array.Clear(_last);

    /// <summary>Whether a page may have this word.</summary>
    public bool IsLast(int page, ulong token) => _last[page] == 0 || _last[page] == token;
}
