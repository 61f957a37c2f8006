using System.Buffers.Binary;
using System.Runtime.InteropServices;

namespace FastNest.Iommufd.Ioctls;

/// <summary>The rule of sizes that VFIO's calls follow: of a longer structure, what is behind the known part is not looked at.</summary>
internal static class VfioFrame
{
    /// <summary>Takes the known part of a structure, whose first four bytes say how long it is.</summary>
    /// <param name="argument">The caller's memory.</param>
    /// <param name="known">Bytes that callers of every version give.</param>
    /// <exception cref="IommufdException">EFAULT: the memory is shorter. EINVAL: the structure says that it is.</exception>
    public static T Take<T>(ReadOnlySpan<byte> argument, int known)
        where T : unmanaged
    {
        if (argument.Length < known)
        {
            throw new IommufdException(Errno.EFAULT, "argument", (ulong)argument.Length, $"bytes are less than {known}");
        }

        uint size = BinaryPrimitives.ReadUInt32LittleEndian(argument);
        if (size < known)
        {
            throw new IommufdException(Errno.EINVAL, "argsz", size, $"must be at least {known}");
        }

        T call = default;
        argument[..known].CopyTo(MemoryMarshal.AsBytes(new Span<T>(ref call)));
        return call;
    }

    /// <summary>Answers in the caller's memory.</summary>
    /// <exception cref="IommufdException">EFAULT: it ends before.</exception>
    public static void Put(Span<byte> argument, int offset, ReadOnlySpan<byte> answer)
    {
        if (offset + answer.Length > argument.Length)
        {
            throw new IommufdException(Errno.EFAULT, "argsz", (ulong)(offset + answer.Length), $"the memory ends after {argument.Length} bytes");
        }

        answer.CopyTo(argument[offset..]);
    }

    /// <summary>Refuses flags that are not known.</summary>
    /// <exception cref="IommufdException">EINVAL: one is set.</exception>
    public static void RequireKnown(uint flags, uint known)
    {
        if ((flags & ~known) != 0)
        {
            throw new IommufdException(Errno.EINVAL, "flags", flags, $"only 0x{known:x} may be set");
        }
    }
}
