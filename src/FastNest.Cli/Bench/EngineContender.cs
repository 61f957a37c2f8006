using FastNest.Engine;
using FastNest.Requests;

namespace FastNest.Cli.Bench;

/// <summary>A port of the engine.</summary>
internal sealed class EngineContender : IContender
{
    private readonly Workload _workload;
    private readonly TranslationPort _port;
    private readonly TranslationResult[] _results = new TranslationResult[Workload.Batch];

    public EngineContender(string name, Workload workload, CacheOptions caches, WalkStrategy strategy)
    {
        Name = name;
        _workload = workload;
        _port = workload.Machine.Iommu.OpenPort(caches, strategy);
    }

    public string Name { get; }

    public void Run()
    {
        TranslationRequest[] requests = _workload.Requests;
        if (requests.Length != 0)
        {
            for (int done = 0; done < requests.Length; done += Workload.Batch)
            {
                _port.Translate(requests.AsSpan(done, Workload.Batch), _results);
            }

            return;
        }

        Requester requester = _workload.Machine.Requester(0);
        for (int done = 0; done < _workload.Iovas.Length; done += Workload.Batch)
        {
            _port.Translate(requester, _workload.Iovas.AsSpan(done, Workload.Batch), Access.Read, _results);
        }
    }

    public bool IsRight()
    {
        int first = _workload.Iovas.Length - Workload.Batch;
        for (int i = 0; i < Workload.Batch; i++)
        {
            if (!_results[i].Succeeded || _results[i].Address != _workload.Expected(first + i))
            {
                return false;
            }
        }

        return true;
    }

    public void Dispose() => _port.Dispose();
}
