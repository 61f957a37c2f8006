using FastNest.Iommufd;
using FastNest.Tests.Properties;
using FsCheck.Xunit;
using Xunit;

namespace FastNest.Tests.Iommufd.Ioctls;

/// <summary>Calls of hostile programs, and of honest ones beside the typed calls.</summary>
public sealed class IoctlProperties
{
    private const ulong Page = IoasMachine.Page;

    /// <summary>Any bytes: nothing is thrown, and a call that fails leaves everything as it was.</summary>
    [Property(Arbitrary = [typeof(Seed)], MaxTest = 100)]
    public void WhateverIsCalledACallThatFailsChangesNothing(Seed seed)
    {
        ArgumentNullException.ThrowIfNull(seed);
        var dice = new Dice(seed.Value);
        using var machine = new IoasMachine(pinLimit: 64);
        IommufdContext context = machine.Context;
        var iommu = new MockIommu();
        Device device = context.Bind(new MockDevice(iommu, 1));
        device.Attach(context.CreateIoas().Id);
        var client = new IoctlClient(context, machine.Memory);
        for (int call = 0; call < 300; call++)
        {
            (uint number, int full, int minimum) = dice.From(IoctlClient.Commands);
            int size = dice.OneIn(8) ? dice.Between(0, full + 9) : dice.OneIn(4) ? minimum : full;
            byte[] bytes = new byte[size];
            Fill(dice, bytes, full);
            byte[] before = [.. bytes];
            string state = State(context, machine);
            number = dice.OneIn(30) ? (uint)dice.Below(256) : number;
            Errno errno = client.Call(number, bytes);
            Assert.True(Enum.IsDefined(errno), $"call {call}: {errno}");

            // Ranges that do not fit and entries that were done are told all the same; unmapping may stop on its way.
            if (errno != Errno.None && number is not (0x84 or 0x86 or 0x8D))
            {
                Assert.True(before.AsSpan().SequenceEqual(bytes), $"call {call}, 0x{number:x}: {errno} and an answer");
                Assert.True(state == State(context, machine), $"call {call}, 0x{number:x}: {errno} and {state} became {State(context, machine)}");
            }
        }

        context.Dispose();
        Assert.Equal((0, 0L), (iommu.Alive, machine.Process.PinnedPages));
    }

    /// <summary>The same calls in both forms, each in a context of its own.</summary>
    [Property(Arbitrary = [typeof(Seed)], MaxTest = 60)]
    public void TheBinaryFormDoesWhatTheTypedOneDoes(Seed seed)
    {
        ArgumentNullException.ThrowIfNull(seed);
        var dice = new Dice(seed.Value);
        using var binary = new IoasMachine();
        using var typed = new IoasMachine();
        var client = new IoctlClient(binary.Context, binary.Memory);
        uint[] ids = [client.AllocateIoas(), client.AllocateIoas()];
        Ioas[] spaces = [typed.Context.CreateIoas(), typed.Context.CreateIoas()];
        binary.Context.Bind(new MockDevice(new(), 1)).Attach(ids[0]);
        typed.Context.Bind(new MockDevice(new(), 1)).Attach(spaces[0].Id);
        for (int call = 0; call < 150; call++)
        {
            int space = dice.Below(2);
            var flags = (IoasMapOptions)dice.Of(7, 7, 6, 5, 4, 1, 8);
            ulong iova = (ulong)dice.Below(64) * dice.Of<ulong>(Page, Page, 512);
            ulong length = (ulong)dice.Between(0, 6) * dice.Of<ulong>(Page, Page, 512);
            ulong address = IoasMachine.User + (ulong)dice.Below(16) * Page;
            ulong answer = iova;
            ulong unmapped = length;
            ulong expected = iova;
            Errno[] errnos = dice.Below(4) switch
            {
                0 or 1 => [client.Map(ids[space], address, length, ref answer, (uint)flags), Of(() => expected = spaces[space].Map(flags, address, length, iova))],
                2 =>
                [
                    client.Copy(ids[space], ids[1 - space], length, ref answer, (ulong)call * 512, (uint)flags),
                    Of(() => expected = spaces[space].Copy(flags, spaces[1 - space], (ulong)call * 512, length, iova)),
                ],
                _ => [client.Unmap(ids[space], iova, ref unmapped), Of(() => length = spaces[space].Unmap(iova, length))],
            };
            Assert.True(errnos[0] == errnos[1], $"call {call}: {errnos[0]}, {errnos[1]}");
            Assert.Equal((expected, length), (answer, unmapped));
            Assert.Equal(typed.Process.PinnedPages, binary.Process.PinnedPages);
        }
    }

    private static Errno Of(Action call)
    {
        try
        {
            call();
            return Errno.None;
        }
        catch (IommufdException exception)
        {
            return exception.Errno;
        }
    }

    /// <summary>Fields of four bytes: mostly what may be an id, a flag, a length or a pointer.</summary>
    private static void Fill(Dice dice, byte[] bytes, int full)
    {
        for (int at = 0; at + 4 <= bytes.Length; at += 4)
        {
            uint value = dice.Below(8) switch
            {
                0 => (uint)dice.Below(int.MaxValue),
                1 => uint.MaxValue,
                2 or 3 => (uint)dice.Below(12),
                4 => (uint)dice.Below(16) * 4096,
                5 => (uint)(IoctlClient.Scratch >> (at % 8 == 0 ? 0 : 32)),
                _ => 0,
            };
            BitConverter.TryWriteBytes(bytes.AsSpan(at), at == 0 && !dice.OneIn(10) ? (uint)Math.Min(bytes.Length, full + dice.Below(2) * 8) : value);
        }
    }

    private static string State(IommufdContext context, IoasMachine machine) => string.Join(
        ' ',
        context.Objects.Published().Select(target => $"{target.GetType().Name}{target.Id}u{target.Users}")
            .Append($"pinned {machine.Process.PinnedPages}, {context.RlimitMode}, {context.VfioIoas?.Id}"));
}
