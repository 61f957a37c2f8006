using System.Text;
using System.Text.Json;
using FastNest.Requests;

namespace FastNest.Cli.Captures;

/// <summary>
/// Reads JSON of which every field is known and every value has one form; whatever else stands there is refused with the
/// line that it stands on.
/// </summary>
internal ref struct StrictReader
{
    private const int LongestQuote = 40;

    private readonly ReadOnlySpan<byte> _text;
    private readonly string _file;
    private readonly int _firstLine;
    private readonly Stack<HashSet<string>> _seen = new();
    private Utf8JsonReader _json;
    private string _field = "";

    /// <param name="text">The JSON text, one value.</param>
    /// <param name="file">What errors call the file.</param>
    /// <param name="firstLine">The line on which the text starts.</param>
    public StrictReader(ReadOnlySpan<byte> text, string file, int firstLine)
    {
        _text = text;
        _file = file;
        _firstLine = firstLine;
        _json = new(text);
    }

    /// <summary>The line of the token read last.</summary>
    public readonly int Line => _firstLine + _text[..(int)_json.TokenStartIndex].Count((byte)'\n');

    /// <summary>Enters an object, as the whole text or as the value of the current field.</summary>
    public void BeginObject()
    {
        Next();
        Require(_json.TokenType == JsonTokenType.StartObject, "a JSON object");
        _seen.Push(new(StringComparer.Ordinal));
    }

    /// <summary>Enters an object unless the value is null.</summary>
    public bool TryBeginObject()
    {
        Next();
        Require(_json.TokenType is JsonTokenType.StartObject or JsonTokenType.Null, "a JSON object or null");
        if (_json.TokenType == JsonTokenType.Null)
        {
            return false;
        }

        _seen.Push(new(StringComparer.Ordinal));
        return true;
    }

    /// <summary>Goes on to the next field of the object entered last, or leaves it.</summary>
    public bool NextField(out string name)
    {
        Next();
        if (_json.TokenType == JsonTokenType.EndObject)
        {
            _seen.Pop();
            name = "";
            return false;
        }

        name = _field = Decoded();
        if (!_seen.Peek().Add(name))
        {
            throw Error($"field \"{name}\" occurs twice");
        }

        return true;
    }

    /// <summary>Makes sure that nothing follows.</summary>
    public void End()
    {
        try
        {
            while (_json.Read())
            {
                throw Error("expected nothing after the JSON value");
            }
        }
        catch (JsonException exception)
        {
            throw Malformed(exception);
        }
    }

    public string Text(string expected)
    {
        Next();
        Require(_json.TokenType == JsonTokenType.String, expected);
        return Decoded();
    }

    public ulong Hex(int bits)
    {
        string expected = $"a hexadecimal string of at most {bits} bits, as \"0x1f\"";
        string text = Text(expected);
        Require(Quantity.TryHex(text, out ulong value) && Quantity.Fits(value, bits), expected);
        return value;
    }

    public ulong? HexOrNull(int bits)
    {
        string expected = $"a hexadecimal string of at most {bits} bits, as \"0x1f\", or null";
        Next();
        if (_json.TokenType == JsonTokenType.Null)
        {
            return null;
        }

        ulong value = 0;
        Require(
            _json.TokenType == JsonTokenType.String && Quantity.TryHex(Decoded(), out value) && Quantity.Fits(value, bits),
            expected);
        return value;
    }

    public long Number(long limit)
    {
        Next();
        long value = 0;
        Require(
            _json.TokenType == JsonTokenType.Number && _json.TryGetInt64(out value) && value >= 0 && value <= limit,
            $"a number from 0 to {limit}");
        return value;
    }

    public long? NumberOrNull(long limit)
    {
        Next();
        if (_json.TokenType == JsonTokenType.Null)
        {
            return null;
        }

        long value = 0;
        Require(
            _json.TokenType == JsonTokenType.Number && _json.TryGetInt64(out value) && value >= 0 && value <= limit,
            $"a number from 0 to {limit}, or null");
        return value;
    }

    public bool Boolean()
    {
        Next();
        Require(_json.TokenType is JsonTokenType.True or JsonTokenType.False, "true or false");
        return _json.TokenType == JsonTokenType.True;
    }

    public DeviceId Device()
    {
        const string expected = "a device as \"00:1f.2\"";
        Require(DeviceId.TryParse(Text(expected), out DeviceId device), expected);
        return device;
    }

    /// <summary>Refuses the value read last unless a condition holds.</summary>
    public readonly void Require(bool condition, string expected)
    {
        if (!condition)
        {
            string where = _field.Length == 0 ? "" : $"field \"{_field}\": ";
            throw Error($"{where}expected {expected}, found {Found()}");
        }
    }

    public readonly CaptureException UnknownField(string known) => Error($"unknown field \"{_field}\"; expected one of {known}");

    public readonly CaptureException Error(string problem) => new(_file, Line, problem);

    private void Next()
    {
        try
        {
            if (!_json.Read())
            {
                throw Error("expected more JSON, found the end");
            }
        }
        catch (JsonException exception)
        {
            throw Malformed(exception);
        }
    }

    /// <summary>The text of the token read last, whose bytes and escapes the parser has not looked at.</summary>
    private readonly string Decoded()
    {
        try
        {
            return _json.GetString()!;
        }
        catch (InvalidOperationException exception)
        {
            throw new CaptureException($"{_file}:{Line}: expected correct Unicode text, found \"{Quote()}\"", exception);
        }
    }

    private readonly CaptureException Malformed(JsonException exception)
    {
        // The message ends in its own line number, which counts within this text.
        string message = exception.Message.Split(" LineNumber:")[0].TrimEnd('.', ' ');
        return new(
            $"{_file}:{_firstLine + exception.LineNumber}: byte {exception.BytePositionInLine + 1}: expected correct JSON: {message}",
            exception);
    }

    private readonly string Found() => _json.TokenType switch
    {
        JsonTokenType.StartObject => "an object",
        JsonTokenType.StartArray => "an array",
        JsonTokenType.String => $"\"{Quote()}\"",
        _ => Quote(),
    };

    private readonly string Quote()
    {
        string text = Encoding.UTF8.GetString(_json.ValueSpan);
        return text.Length <= LongestQuote ? text : text[..LongestQuote] + "...";
    }
}
