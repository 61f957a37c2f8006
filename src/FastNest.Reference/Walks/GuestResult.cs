using FastNest.Requests;

namespace FastNest.Reference.Walks;

/// <summary>A granted translation through the guest stage, and through the host stage beneath it.</summary>
internal sealed record GuestResult(ulong Spa, int Shift, Access Permissions, IReadOnlyList<ReferenceUpdate> Updates);

/// <summary>Where a walk of PASID table or guest table stands: everything that the rest of it depends on.</summary>
internal readonly record struct GuestPoint(bool InPasidTable, int Level, ulong Table, bool Writable, bool User, bool NoExecute)
{
    public string Name => InPasidTable ? $"GCR3 L{Level}" : $"guest L{Level}";
}

/// <summary>What one entry leads to: one of <see cref="Next"/>, <see cref="Page"/> and <see cref="Refusal"/>.</summary>
internal sealed record GuestStep(string Note)
{
    public GuestPoint? Next { get; init; }

    public GuestPage? Page { get; init; }

    public Refusal? Refusal { get; init; }

    /// <summary>The rights collected up to here; those of <paramref name="before"/> when the entry was refused.</summary>
    public GuestPage Rights(GuestPoint before)
    {
        GuestPoint at = Next ?? before;
        return Page ?? new(0, 0, at.Writable, at.User, at.NoExecute);
    }
}
