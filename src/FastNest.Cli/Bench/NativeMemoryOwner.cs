using System.Runtime.InteropServices;

namespace FastNest.Cli.Bench;

/// <summary>Zeroed memory that kernels outside the engine may read by pointer.</summary>
internal sealed unsafe partial class NativeMemoryOwner : IDisposable
{
    private const nuint HugePage = 2 << 20;

    private void* _memory;

    public NativeMemoryOwner(ulong length)
    {
        _memory = NativeMemory.AlignedAlloc((nuint)length, HugePage);
        if (OperatingSystem.IsLinux())
        {
            _ = Advise(_memory, (nuint)length, 14);
        }

        NativeMemory.Clear(_memory, (nuint)length);
    }

    public nint Start => (nint)_memory;

    public void Dispose()
    {
        NativeMemory.AlignedFree(_memory);
        _memory = null;
    }

    [LibraryImport("libc", EntryPoint = "madvise")]
    private static partial int Advise(void* address, nuint length, int advice);
}
