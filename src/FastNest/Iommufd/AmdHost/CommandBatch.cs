using FastNest.Amd.Commands;

namespace FastNest.Iommufd.AmdHost;

/// <summary>Commands that go to an IOMMU together. Made by <see cref="CommandSubmission.Begin"/>; disposing lets others in.</summary>
internal ref struct CommandBatch
{
    private readonly CommandSubmission _submission;
    private Lock.Scope _scope;

    internal CommandBatch(CommandSubmission submission, Lock.Scope scope)
    {
        _submission = submission;
        _scope = scope;
    }

    /// <summary>Puts a command behind the others.</summary>
    /// <exception cref="IommufdException">EIO: the ring is full and the IOMMU takes nothing from it.</exception>
    public readonly void Add(in Command command) => _submission.Add(in command);

    /// <summary>Has the IOMMU execute the batch, and returns when all of it is complete.</summary>
    /// <exception cref="IommufdException">EIO: the IOMMU does not complete.</exception>
    public readonly void Complete() => _submission.Complete();

    public void Dispose() => _scope.Dispose();
}
