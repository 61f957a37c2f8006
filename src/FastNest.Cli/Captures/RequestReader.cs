using FastNest.Requests;

namespace FastNest.Cli.Captures;

/// <summary>Reads the lines of <c>requests.jsonl</c> and <c>recorded-errors.jsonl</c>.</summary>
internal static class RequestReader
{
    private const int AddressBits = 52;
    private const long PasidLimit = (1L << TranslationRequest.PasidBits) - 1;

    private const string Known = "device, pasid, iova, access, privileged, spa, fault, source";
    private const string KnownOfErrors = "device, pasid, iova, access, privileged, spa, recorded, rule";

    private static readonly string[] Required = ["device", "iova", "access", "spa"];

    public static List<RecordedRequest> Read(string path, bool areErrors)
    {
        string file = Path.GetFileName(path);
        return CaptureFile.ReadLines(path, (ref StrictReader json) => ReadOne(ref json, file, areErrors));
    }

    private static RecordedRequest ReadOne(ref StrictReader json, string file, bool isError)
    {
        DeviceId device = default;
        uint? pasid = null;
        ulong iova = 0;
        Access access = default;
        bool privileged = false;
        ulong? spa = null;
        RecordedFault? fault = null;
        string? rule = null;
        HashSet<string> missing = [.. Required];
        json.BeginObject();
        while (json.NextField(out string name))
        {
            missing.Remove(name);
            switch (name)
            {
                case "device":
                    device = json.Device();
                    break;
                case "pasid":
                    pasid = (uint?)json.NumberOrNull(PasidLimit);
                    break;
                case "iova":
                    iova = json.Hex(64);
                    break;
                case "access":
                    json.Require(AccessWord.TryParse(json.Text(AccessWord.Expected), out access), AccessWord.Expected);
                    break;
                case "privileged":
                    privileged = json.Boolean();
                    break;
                case "spa":
                    spa = json.HexOrNull(AddressBits);
                    break;
                case "fault" when !isError:
                    fault = json.TryBeginObject() ? RecordedFault.Read(ref json) : null;
                    break;
                case "source" when !isError:
                    json.Text("a text");
                    break;
                case "recorded" when isError:
                    json.HexOrNull(64);
                    break;
                case "rule" when isError:
                    rule = json.Text("a text");
                    break;
                default:
                    throw json.UnknownField(isError ? KnownOfErrors : Known);
            }
        }

        if (missing.Count > 0)
        {
            throw json.Error($"expected the field \"{Required.First(missing.Contains)}\"");
        }

        if (spa is not null && fault is not null)
        {
            throw json.Error("expected \"spa\" or \"fault\" to be null, found both with a value");
        }

        // Without a PASID prefix there is no privilege to ask for.
        TranslationRequest request = pasid is { } number
            ? new(device, number, iova, access, privileged)
            : new(device, iova, access);
        return new($"{file}:{json.Line}", request, spa, fault, rule);
    }
}
