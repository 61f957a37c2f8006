namespace FastNest.Memory;

/// <summary>A shared read section, left when disposed.</summary>
internal readonly ref struct SharedSection(ReadSection section) : IDisposable
{
    public void Dispose() => section.Leave();
}
