using System.Text.Json;
using FastNest.Requests;

namespace FastNest.Tests.Captures;

/// <summary>A request and what is certain of its answer.</summary>
public sealed class CapturedRequest
{
    public required TranslationRequest Request { get; init; }

    /// <summary>The output address; null when it must be refused.</summary>
    public ulong? Spa { get; init; }

    /// <summary>The event's name; null when it is not judged.</summary>
    public string? Event { get; init; }

    /// <summary>The event's flags that are certain, by lower-case name.</summary>
    public required IReadOnlyDictionary<string, bool> Flags { get; init; }

    /// <summary>The line itself.</summary>
    public required string Line { get; init; }

    internal static CapturedRequest Parse(JsonElement line)
    {
        string deviceText = line.GetProperty("device").GetString()!;
        if (!DeviceId.TryParse(deviceText, out DeviceId device))
            throw new InvalidDataException(deviceText);
        ulong iova = CaptureFolder.Hex(line.GetProperty("iova").GetString()!);
        Access access = line.GetProperty("access").GetString() switch
        {
            "read" => Access.Read,
            "write" => Access.Write,
            "execute" => Access.Execute,
            string other => throw new InvalidDataException(other),
            null => throw new InvalidDataException("access"),
        };
        bool privileged = line.TryGetProperty("privileged", out JsonElement p) && p.GetBoolean();
        JsonElement pasid = line.GetProperty("pasid");
        Dictionary<string, bool> flags = [];
        string? name = null;
        if (line.TryGetProperty("fault", out JsonElement fault) && fault.ValueKind == JsonValueKind.Object)
        {
            foreach (JsonProperty property in fault.EnumerateObject())
            {
                if (property.Name == "event")
                    name = property.Value.GetString();
                else
                    flags.Add(property.Name, property.Value.GetInt32() != 0);
            }
        }

        return new()
        {
            Request = pasid.ValueKind == JsonValueKind.Null
                ? new(device, iova, access)
                : new(device, pasid.GetUInt32(), iova, access, privileged),
            Spa = line.GetProperty("spa").GetString() is string spa ? CaptureFolder.Hex(spa) : null,
            Event = name,
            Flags = flags,
            Line = line.GetRawText(),
        };
    }
}
