namespace FastNest.Cli.Captures;

/// <summary>A register access with the commands that the recorded machine executed because of it.</summary>
internal sealed record TraceStep(MmioAccess Access, IReadOnlyList<RecordedCommand> Commands);

/// <summary>What a driver did to the IOMMU from reset, in order.</summary>
internal static class DriverTrace
{
    public static List<TraceStep> Read(string mmioPath, string commandsPath)
    {
        List<MmioAccess> accesses = MmioAccess.ReadAll(mmioPath);
        List<RecordedCommand> commands = RecordedCommand.ReadAll(commandsPath);
        if (accesses.Count == 0)
        {
            throw new CaptureException(mmioPath, 1, "expected at least one register access");
        }

        RequireAscending(mmioPath, accesses.Select(access => (access.Line, access.Order)));
        RequireAscending(commandsPath, commands.Select(command => (command.Line, command.Order)));
        if (commands.Count > 0 && commands[0].Order < accesses[0].Order)
        {
            throw new CaptureException(commandsPath, commands[0].Line, "expected a register access before the first command");
        }

        List<TraceStep> steps = [];
        int next = 0;
        for (int i = 0; i < accesses.Count; i++)
        {
            long end = i + 1 < accesses.Count ? accesses[i + 1].Order : long.MaxValue;
            int first = next;
            while (next < commands.Count && commands[next].Order < end)
            {
                next++;
            }

            steps.Add(new(accesses[i], commands.GetRange(first, next - first)));
        }

        return steps;
    }

    private static void RequireAscending(string path, IEnumerable<(int Line, long Order)> records)
    {
        long before = -1;
        foreach ((int line, long order) in records)
        {
            if (order <= before)
            {
                throw new CaptureException(path, line, $"field \"n\": expected more than {before}, found {order}");
            }

            before = order;
        }
    }
}
