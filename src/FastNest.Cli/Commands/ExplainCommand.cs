using System.CommandLine;
using System.CommandLine.Parsing;
using FastNest.Cli.Captures;
using FastNest.Cli.Explanations;
using FastNest.Cli.Output;
using FastNest.Requests;

namespace FastNest.Cli.Commands;

/// <summary><c>fastnest explain</c>: how one request is answered, entry by entry.</summary>
internal static class ExplainCommand
{
    private const uint LargestPasid = (1u << TranslationRequest.PasidBits) - 1;

    public static Command Make(Terminal terminal)
    {
        Argument<string?> folder = Arguments.Folder("The folder of a capture.", ArgumentArity.ExactlyOne);
        var device = new Option<DeviceId>("--device")
        {
            HelpName = "BDF",
            Description = "Who asks, as 00:1f.2.",
            Required = true,
            CustomParser = ParseDevice,
        };
        var iova = new Option<ulong>("--iova")
        {
            HelpName = "ADDR",
            Description = "The device address, any 64-bit value.",
            Required = true,
            CustomParser = ParseIova,
        };
        var pasid = new Option<uint?>("--pasid")
        {
            HelpName = "N",
            Description = "The PASID of the request.",
            CustomParser = ParsePasid,
        };
        var access = new Option<Access?>("--access")
        {
            HelpName = "read|write|execute",
            Description = "What is done to memory; without it, read.",
            CustomParser = ParseAccess,
        };
        var privileged = new Option<bool>("--privileged") { Description = "The request asks for supervisor privilege; needs --pasid." };
        Option<bool> json = Options.Json();
        var command = new Command("explain", "Shows every entry read for one request, and what the engine answers.")
        {
            folder, device, iova, pasid, access, privileged, json,
        };
        command.Validators.Add(result =>
        {
            if (result.GetValue(privileged) && result.GetResult(pasid) is null)
            {
                result.AddError("--privileged: expected together with --pasid, whose prefix carries the privilege");
            }
        });
        command.SetAction(parsed =>
        {
            Access kind = parsed.GetValue(access) ?? Access.Read;
            TranslationRequest request = parsed.GetValue(pasid) is { } number
                ? new(parsed.GetValue(device), number, parsed.GetValue(iova), kind, parsed.GetValue(privileged))
                : new(parsed.GetValue(device), parsed.GetValue(iova), kind);
            return Show(terminal, Explanation.Of(CaptureFolder.Open(parsed.GetValue(folder)), request), parsed.GetValue(json));
        });
        return command;
    }

    /// <summary>Prints an explanation.</summary>
    /// <returns>The exit code.</returns>
    internal static int Show(Terminal terminal, Explanation explanation, bool json)
    {
        if (json)
        {
            terminal.WriteJson(ExplanationJson.Of(explanation));
        }
        else
        {
            ExplanationText.Write(terminal, explanation);
        }

        return explanation.AllAgree ? ExitCode.Agreed : ExitCode.Disagreed;
    }

    private static DeviceId ParseDevice(ArgumentResult result)
    {
        string text = result.Tokens[0].Value;
        if (!DeviceId.TryParse(text, out DeviceId device))
        {
            result.AddError($"--device {text}: expected bus:device.function in hexadecimal, as 00:1f.2");
        }

        return device;
    }

    private static ulong ParseIova(ArgumentResult result)
    {
        string text = result.Tokens[0].Value;
        if (!Quantity.TryAny(text, out ulong iova))
        {
            result.AddError($"--iova {text}: expected a 64-bit address, as 0xffffe000");
        }

        return iova;
    }

    private static uint? ParsePasid(ArgumentResult result)
    {
        string text = result.Tokens[0].Value;
        if (Quantity.TryAny(text, out ulong pasid) && pasid <= LargestPasid)
        {
            return (uint)pasid;
        }

        result.AddError($"--pasid {text}: expected a number from 0 to 0x{LargestPasid:x}");
        return null;
    }

    private static Access? ParseAccess(ArgumentResult result)
    {
        string text = result.Tokens[0].Value;
        if (!AccessWord.TryParse(text, out Access access))
        {
            result.AddError($"--access {text}: expected {AccessWord.Expected}");
        }

        return access;
    }
}
