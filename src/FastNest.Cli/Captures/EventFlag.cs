using FastNest.Amd.Events;

namespace FastNest.Cli.Captures;

/// <summary>A flag of an event log entry as captures name it.</summary>
internal sealed record EventFlag(string Name, Func<IommuEvent, bool> Get)
{
    public static IReadOnlyList<EventFlag> All { get; } =
    [
        new("pr", entry => entry.PR),
        new("rw", entry => entry.RW),
        new("pe", entry => entry.PE),
        new("rz", entry => entry.RZ),
        new("gn", entry => entry.GN),
        new("nx", entry => entry.NX),
        new("us", entry => entry.US),
        new("i", entry => entry.I),
        new("tr", entry => entry.TR),
    ];
}
