using FastNest.Amd.Events;

namespace FastNest.Cli.Captures;

/// <summary>What is certain about a recorded refusal; what was not recorded is not judged.</summary>
/// <param name="Event">The event, null when not recorded.</param>
/// <param name="Flags">The flags recorded.</param>
internal sealed record RecordedFault(EventCode? Event, IReadOnlyList<RecordedFlag> Flags)
{
    private static readonly Dictionary<string, EventCode> Codes =
        Enum.GetValues<EventCode>().Where(code => code != EventCode.None).ToDictionary(EventText.Name);

    public static RecordedFault Read(ref StrictReader json)
    {
        EventCode? code = null;
        List<RecordedFlag> flags = [];
        while (json.NextField(out string name))
        {
            if (name == "event")
            {
                const string expected = "an event's name as \"IO_PAGE_FAULT\"";
                json.Require(Codes.TryGetValue(json.Text(expected), out EventCode known), expected);
                code = known;
            }
            else if (EventFlag.All.FirstOrDefault(flag => flag.Name == name) is { } flag)
            {
                flags.Add(new(flag, json.Number(1) == 1));
            }
            else
            {
                throw json.UnknownField("event, " + string.Join(", ", EventFlag.All.Select(known => known.Name)));
            }
        }

        return new(code, flags);
    }

    public bool Agrees(IommuEvent entry) =>
        (Event is null || Event == entry.Code) && Flags.All(flag => flag.Flag.Get(entry) == flag.Value);

    public override string ToString()
    {
        string[] parts = [.. Event is { } code ? [EventText.Name(code)] : Array.Empty<string>(), .. Flags.Select(flag => flag.ToString())];
        return parts.Length == 0 ? "refused" : "refused: " + string.Join(' ', parts);
    }
}

/// <summary>A flag of an event with its recorded value.</summary>
internal readonly record struct RecordedFlag(EventFlag Flag, bool Value)
{
    public override string ToString() => $"{Flag.Name}={(Value ? 1 : 0)}";
}
