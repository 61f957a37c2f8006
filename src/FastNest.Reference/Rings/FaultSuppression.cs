namespace FastNest.Reference.Rings;

/// <summary>DTE.SA and DTE.SE: which page faults are kept out of the log. // reading 54</summary>
internal sealed class FaultSuppression
{
    private readonly HashSet<uint> _reported = [];

    public bool Hides(ReferenceAnswer answer)
    {
        if (answer.Event?.Code != ReferenceEventCode.IoPageFault)
            return false;
        return answer.Suppression switch
        {
            Suppression.All => true,
            Suppression.AfterFirst => !_reported.Add(answer.Request.Device.Value),
            _ => false,
        };
    }

    public void Forget(ushort device) => _reported.Remove(device);

    public void ForgetAll() => _reported.Clear();
}
