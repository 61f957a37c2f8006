using System.Runtime.ExceptionServices;

namespace FastNest.Tests.Machine;

/// <summary>
/// A thread of a test. What it throws fails the test that joins it: unhandled, it would end the process and every other test
/// with it. It has ended when it is disposed of, so that a test that fails takes no memory from under it.
/// </summary>
internal sealed class Worker : IDisposable
{
    private const int Patience = 30_000;

    private readonly Thread _thread;
    private ExceptionDispatchInfo? _failure;

    public Worker(Action work) => _thread = new(() => Guard(work)) { IsBackground = true };

    public void Start() => _thread.Start();

    /// <summary>Waits for the end.</summary>
    /// <returns>False when it did not come in time.</returns>
    public bool Join(int milliseconds = Timeout.Infinite)
    {
        bool ended = _thread.Join(milliseconds);
        if (ended)
        {
            _failure?.Throw();
        }

        return ended;
    }

    public void Dispose()
    {
        if ((_thread.ThreadState & ThreadState.Unstarted) == 0)
        {
            _thread.Join(Patience);
        }
    }

    private void Guard(Action work)
    {
        try
        {
            work();
        }
        catch (Exception failure)
        {
            _failure = ExceptionDispatchInfo.Capture(failure);
        }
    }
}
