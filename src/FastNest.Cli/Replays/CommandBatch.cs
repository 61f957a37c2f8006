using FastNest.Cli.Captures;

namespace FastNest.Cli.Replays;

/// <summary>The commands that one register write sets going.</summary>
internal sealed class CommandBatch(IDriverMachine machine, string commandsPath, IReadOnlyList<RecordedCommand> commands)
{
    private readonly Dictionary<ulong, ulong> _lastStores = LastStores(commands);

    /// <summary>How many of the commands store something when done.</summary>
    public int Stores { get; } = commands.Count(command => command.Bytes.Store is not null);

    public bool HeadFollowed =>
        machine.Read(DriverRegister.CommandHead, sizeof(ulong)) == machine.Read(DriverRegister.CommandTail, sizeof(ulong));

    /// <summary>Puts the commands where the driver had put them.</summary>
    public void Prepare()
    {
        if (commands.Count == 0)
        {
            return;
        }

        ulong ring = machine.Read(DriverRegister.CommandBase, sizeof(ulong));
        ulong length = DriverRegister.RingLength(ring);
        foreach (RecordedCommand command in commands)
        {
            if (command.Head >= length)
            {
                throw new CaptureException(
                    commandsPath, command.Line, $"field \"head\": expected less than the ring's length 0x{length:x}, found 0x{command.Head:x}");
            }

            ulong at = DriverRegister.RingAddress(ring) + command.Head;
            machine.TryStore(at, command.Bytes.Low);
            machine.TryStore(at + sizeof(ulong), command.Bytes.High);
        }

        foreach ((ulong address, ulong data) in _lastStores)
        {
            // Whatever stands there now must not pass for the store.
            machine.TryStore(address, ~data);
        }
    }

    /// <summary>How many stores are in memory; of those to one address only the last can be seen and speaks for all.</summary>
    public int StoresDone() => commands.Count(command =>
        command.Bytes.Store is { } address
        && machine.TryLoad(address, out ulong found)
        && found == _lastStores[address]);

    private static Dictionary<ulong, ulong> LastStores(IReadOnlyList<RecordedCommand> commands)
    {
        Dictionary<ulong, ulong> stores = [];
        foreach (RecordedCommand command in commands)
        {
            if (command.Bytes.Store is { } address)
            {
                stores[address] = command.Bytes.StoreData;
            }
        }

        return stores;
    }
}
