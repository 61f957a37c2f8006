using System.Diagnostics;
using FastNest.Fuzz.Soak;
using FastNest.Memory;
using Xunit;

namespace FastNest.Tests.Memory;

/// <summary>Memory between fences, in processes that end when they touch one; elsewhere than on Linux the mode says that it is not there.</summary>
public sealed class FencedMemoryTests
{
    [Fact]
    public async Task WhatIsInsideMayBeTouched() => Assert.Equal((0, "read 0"), await Run(true, "fence", "inside"));

    [Theory]
    [InlineData("before")]
    [InlineData("behind")]
    [InlineData("freed")]
    public async Task WhatIsNotEndsTheProcess(string place)
    {
        if (OperatingSystem.IsLinux())
        {
            (int code, string output) = await Run(true, "fence", place);
            Assert.True(code is 134 or 139, $"{code} {output}"); // SIGABRT, as the runtime ends, or SIGSEGV
            Assert.Equal("", output);
        }
    }

    [Fact]
    public async Task BorrowedMemoryIsLookedAtWhenItIsLent()
    {
        Assert.NotEqual(0, (await Run(true, "fence", "borrowed")).Code);
        Assert.Equal((0, "read 0"), await Run(false, "fence", "borrowed")); // a promise, without the mode
    }

    /// <summary>Translators against changes and invalidations: nothing is touched that is not there, and nothing is stale.</summary>
    [Theory]
    [InlineData()]
    [InlineData("--tiny")]
    public async Task TheSoakRunsBetweenFences(params string[] more)
    {
        (int code, string output) = await Run(true, ["soak", "--seconds", "2", "--seed", "5", .. more]);
        Assert.True(code == 0, output);
        Assert.Contains(" 0 violations", output, StringComparison.Ordinal);
    }

    [Fact]
    public void WhatTheKernelSaysOfMemoryIsUnderstood()
    {
        if (!OperatingSystem.IsLinux())
        {
            return;
        }

        nint start = FencedMemory.Allocate(3 * 4096 - 8, 1 << 16, out (nint Start, nuint Length) reserved);
        Assert.Equal(0, start % (1 << 16));
        Assert.True(FencedMemory.IsAccessible(start, 3 * 4096));
        Assert.True(FencedMemory.IsAccessible(start + 4096, 2 * 4096));
        Assert.False(FencedMemory.IsAccessible(start, 3 * 4096 + 1));
        Assert.False(FencedMemory.IsAccessible(start - 1, 2));
        FencedMemory.Free(reserved);
        Assert.False(FencedMemory.IsAccessible(start, 1));
        Assert.False(FencedMemory.IsAccessible(4096, 4096));
        Assert.Throws<InsufficientMemoryException>(() => FencedMemory.Allocate((nuint)1 << 60, 4096, out _));
        Assert.Throws<OverflowException>(() => FencedMemory.Allocate(nuint.MaxValue, 4096, out _));
    }

    private static async Task<(int Code, string Output)> Run(bool fenced, params string[] args)
    {
        var start = new ProcessStartInfo(Environment.GetEnvironmentVariable("DOTNET_HOST_PATH") ?? "dotnet", [typeof(SoakReport).Assembly.Location, .. args])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        start.Environment["FASTNEST_FENCED"] = fenced && OperatingSystem.IsLinux() ? "1" : "0";
        start.Environment["DOTNET_DbgEnableMiniDump"] = "0";
        using Process process = Process.Start(start)!;
        Task<string> errors = process.StandardError.ReadToEndAsync();
        string output = await process.StandardOutput.ReadToEndAsync();
        await process.WaitForExitAsync();
        await errors;
        return (process.ExitCode, output.Trim());
    }
}
