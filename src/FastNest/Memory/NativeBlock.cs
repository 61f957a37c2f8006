using System.Runtime.InteropServices;
using System.Runtime.Versioning;

namespace FastNest.Memory;

/// <summary>
/// Zeroed native memory that the system commits as it is touched, in huge pages where it grants them; fenced if that is asked for.
/// </summary>
internal sealed unsafe partial class NativeBlock : IDisposable
{
    private const nuint HugePage = 2 << 20;
    private const int AdviseHugePages = 14;

    private readonly (nint Start, nuint Length) _fenced;
    private void* _allocation;

    public NativeBlock(ulong length)
    {
        nuint size = checked((nuint)length);
        nuint alignment = size >= HugePage ? HugePage : 4096;
        if (FencedMemory.IsAskedFor)
        {
            Start = FencedMemory.Allocate(size, alignment, out _fenced);
            _allocation = (void*)Start;
            return;
        }

        _allocation = NativeMemory.AllocZeroed(checked(size + alignment));
        Start = (nint)(((nuint)_allocation + alignment - 1) & ~(alignment - 1));
        if (alignment == HugePage && OperatingSystem.IsLinux())
        {
            // Advice only: a kernel without transparent huge pages refuses, and small pages serve as well.
            _ = Advise((void*)Start, size & ~(HugePage - 1), AdviseHugePages);
        }
    }

    ~NativeBlock() => Free();

    /// <summary>The first byte, aligned to 4 KiB, or to 2 MiB from that size on.</summary>
    public nint Start { get; }

    public void Dispose()
    {
        Free();
        GC.SuppressFinalize(this);
    }

    [LibraryImport("libc", EntryPoint = "madvise")]
    [SupportedOSPlatform("linux")]
    private static partial int Advise(void* address, nuint length, int advice);

    private void Free()
    {
        void* allocation = _allocation;
        _allocation = null;
        if (allocation != null && _fenced.Length != 0)
        {
            FencedMemory.Free(_fenced);
        }
        else
        {
            NativeMemory.Free(allocation);
        }
    }
}
