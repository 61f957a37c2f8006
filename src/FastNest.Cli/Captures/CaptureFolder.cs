using FastNest.Memory;

namespace FastNest.Cli.Captures;

/// <summary>A folder that holds one capture.</summary>
internal sealed class CaptureFolder
{
    private const string Shipped = "amd-a-nvme-virtioblk-strict";

    private readonly string _path;

    private CaptureFolder(string path) => _path = path;

    public string Name => new DirectoryInfo(_path).Name;

    /// <summary>Whether it tells what its driver did.</summary>
    public bool HasTrace => File.Exists(At("mmio.jsonl"));

    public string CommandsPath => At("commands.jsonl");

    /// <summary>Opens a folder, or without a path the capture that comes with the tool.</summary>
    public static CaptureFolder Open(string? path)
    {
        path ??= Path.Combine(AppContext.BaseDirectory, "Captures", "Data", Shipped);
        return Directory.Exists(path) ? new(path) : throw new CaptureException($"{path}: expected the folder of a capture, there is none");
    }

    public RegisterSnapshot Registers() => RegisterSnapshot.Read(At("registers.json"));

    /// <summary>Loads the memory anew: every machine gets its own.</summary>
    public GuestPhysicalSpace Memory()
    {
        string path = At("memory.elf");
        if (!File.Exists(path))
        {
            throw new CaptureException($"{path}: expected this file in the capture folder, it is missing");
        }

        var space = new GuestPhysicalSpace();
        try
        {
            ElfCore.Load(path, space);
            return space;
        }
        catch (ElfCoreException exception)
        {
            space.Dispose();
            throw new CaptureException(exception.Message, exception);
        }
    }

    /// <summary>The requests, then those that the recorded machine answered against the architecture.</summary>
    public List<RecordedRequest> Requests()
    {
        List<RecordedRequest> requests = RequestReader.Read(At("requests.jsonl"), areErrors: false);
        if (File.Exists(At("recorded-errors.jsonl")))
        {
            requests.AddRange(RequestReader.Read(At("recorded-errors.jsonl"), areErrors: true));
        }

        return requests.Count > 0 ? requests : throw new CaptureException(At("requests.jsonl"), 1, "expected at least one request");
    }

    public List<TraceStep> Trace() => DriverTrace.Read(At("mmio.jsonl"), CommandsPath);

    private string At(string file) => Path.Combine(_path, file);
}
