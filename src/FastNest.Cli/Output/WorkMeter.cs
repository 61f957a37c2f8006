namespace FastNest.Cli.Output;

/// <summary>How far a piece of work has come; written by the worker, read by whoever shows it.</summary>
internal sealed class WorkMeter
{
    private readonly WorkMeter? _whole;
    private readonly double _share;
    private double _done;

    public WorkMeter()
    {
    }

    private WorkMeter(WorkMeter whole, double share)
    {
        _whole = whole;
        _share = share;
    }

    /// <summary>From 0 to 1.</summary>
    public double Done => Volatile.Read(ref _done);

    /// <summary>A meter for a part of this work.</summary>
    /// <param name="share">From 0 to 1.</param>
    public WorkMeter Part(double share) => new(this, share);

    /// <summary>Sets how much of this work is done.</summary>
    public void Report(double done)
    {
        done = Math.Min(done, 1);
        _whole?.Report(_whole.Done + (done - _done) * _share);
        Volatile.Write(ref _done, done);
    }
}
