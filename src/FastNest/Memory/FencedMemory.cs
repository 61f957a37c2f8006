using System.Collections.Concurrent;
using System.Globalization;
using System.Runtime.InteropServices;

namespace FastNest.Memory;

/// <summary>
/// Memory between pages that nobody may touch, for runs that look for errors: an access past either end, or to memory that was given
/// back, ends the process at once. Addresses of the last blocks that were given back stay taken, so that late accesses meet nothing
/// else. Linux alone; asked for by the environment variable FASTNEST_FENCED=1.
/// </summary>
internal static unsafe partial class FencedMemory
{
    private const string Variable = "FASTNEST_FENCED";
    private const nuint Page = 4096;
    private const int QuarantinedBlocks = 256;

    // Linux include/uapi/asm-generic/mman-common.h
    private const int NoAccess = 0;
    private const int ReadWrite = 1 | 2;
    private const int PrivateAnonymousUnreserved = 0x02 | 0x20 | 0x4000;
    private const int DontNeed = 4;

    private static readonly ConcurrentQueue<(nint Start, nuint Length)> s_quarantine = new();

    /// <summary>Whether memory is to be fenced.</summary>
    public static bool IsAskedFor { get; } = Environment.GetEnvironmentVariable(Variable) == "1";

    /// <summary>Takes zeroed memory.</summary>
    /// <param name="length">Bytes; the fence behind them begins with the next page.</param>
    /// <param name="alignment">A power of two, at least a page.</param>
    /// <param name="reserved">What has been taken with its fences; see <see cref="Free"/>.</param>
    /// <returns>The first byte.</returns>
    /// <exception cref="PlatformNotSupportedException">This is not Linux.</exception>
    /// <exception cref="InsufficientMemoryException">There is not so much memory.</exception>
    public static nint Allocate(nuint length, nuint alignment, out (nint Start, nuint Length) reserved)
    {
        if (!OperatingSystem.IsLinux())
        {
            throw new PlatformNotSupportedException($"{Variable}=1: memory is fenced on Linux alone");
        }

        nuint usable = checked((length + Page - 1) & ~(Page - 1));
        reserved.Length = checked(usable + alignment + 2 * Page);
        reserved.Start = Map(0, reserved.Length, NoAccess, PrivateAnonymousUnreserved, -1, 0);
        if (reserved.Start == -1)
        {
            throw new InsufficientMemoryException($"{length} bytes between fences: error {Marshal.GetLastPInvokeError()}");
        }

        nint start = (nint)(((nuint)reserved.Start + Page + alignment - 1) & ~(alignment - 1));
        if (usable != 0 && Protect(start, usable, ReadWrite) != 0)
        {
            int error = Marshal.GetLastPInvokeError();
            _ = Unmap(reserved.Start, reserved.Length);
            throw new InsufficientMemoryException($"{length} bytes between fences: error {error}");
        }

        return start;
    }

    /// <summary>Gives memory back: it is gone at once, its addresses later.</summary>
    public static void Free((nint Start, nuint Length) reserved)
    {
        _ = Protect(reserved.Start, reserved.Length, NoAccess);
        _ = Advise(reserved.Start, reserved.Length, DontNeed);
        s_quarantine.Enqueue(reserved);
        while (s_quarantine.Count > QuarantinedBlocks && s_quarantine.TryDequeue(out (nint Start, nuint Length) oldest))
        {
            _ = Unmap(oldest.Start, oldest.Length);
        }
    }

    /// <summary>Finds out whether all of a range may be read and written, by what the kernel says of this process.</summary>
    public static bool IsAccessible(nint start, ulong length)
    {
        var at = (ulong)start;
        ulong end = at + length;
        foreach (string line in File.ReadLines("/proc/self/maps"))
        {
            // first-last rwxp …, by ascending addresses
            int dash = line.IndexOf('-', StringComparison.Ordinal);
            int space = line.IndexOf(' ', dash);
            ulong first = ulong.Parse(line.AsSpan(0, dash), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture);
            ulong last = ulong.Parse(line.AsSpan(dash + 1, space - dash - 1), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture);
            if (last <= at)
            {
                continue;
            }

            if (first > at || !line.AsSpan(space + 1).StartsWith("rw", StringComparison.Ordinal))
            {
                return false;
            }

            at = last;
            if (at >= end)
            {
                return true;
            }
        }

        return false;
    }

    [LibraryImport("libc", EntryPoint = "mmap", SetLastError = true)]
    private static partial nint Map(nint address, nuint length, int protection, int flags, int file, nint offset);

    [LibraryImport("libc", EntryPoint = "mprotect", SetLastError = true)]
    private static partial int Protect(nint address, nuint length, int protection);

    [LibraryImport("libc", EntryPoint = "madvise")]
    private static partial int Advise(nint address, nuint length, int advice);

    [LibraryImport("libc", EntryPoint = "munmap")]
    private static partial int Unmap(nint address, nuint length);
}
