using System.Text.Json;
using FastNest.Amd.Events;

namespace FastNest.Cli.Captures;

/// <summary>Events in words.</summary>
internal static class EventText
{
    /// <summary>The specification's name, as <c>IO_PAGE_FAULT</c>.</summary>
    public static string Name(EventCode code) => JsonNamingPolicy.SnakeCaseUpper.ConvertName(code.ToString());

    /// <summary>The name with the flags that are set and the address.</summary>
    public static string Describe(IommuEvent entry)
    {
        string flags = string.Concat(EventFlag.All.Where(flag => flag.Get(entry)).Select(flag => $" {flag.Name}=1"));
        return $"{Name(entry.Code)}{flags} address 0x{entry.Word1:x}";
    }
}
