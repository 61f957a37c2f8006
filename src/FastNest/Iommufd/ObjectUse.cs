namespace FastNest.Iommufd;

/// <summary>A short-term reference on an object, for one call.</summary>
internal readonly struct ObjectUse(IommufdObject target) : IDisposable
{
    public void Dispose() => target.EndUse();
}
