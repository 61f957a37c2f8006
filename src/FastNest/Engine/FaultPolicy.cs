namespace FastNest.Engine;

/// <summary>Which of a device's faults are reported.</summary>
internal enum FaultPolicy : byte
{
    /// <summary>Every one.</summary>
    ReportAll,

    /// <summary>The first, until the context is invalidated.</summary>
    ReportFirst,

    /// <summary>None.</summary>
    ReportNone,
}
