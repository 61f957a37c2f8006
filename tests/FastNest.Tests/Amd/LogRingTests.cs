using FastNest.Amd;
using FastNest.Amd.Logs;
using FastNest.Amd.Registers;
using FastNest.Memory;
using FastNest.Rings;
using FastNest.Tests.Machine;
using Xunit;

namespace FastNest.Tests.Amd;

public sealed class LogRingTests
{
    private const int Threads = 4;
    private const int Each = 5000;
    private const int SharedSections = 16;

    [Fact]
    public void EntriesOfManyThreadsAreAllThereOnce()
    {
        using var memory = new GuestPhysicalSpace();
        memory.AddOwned(0, 16UL << 15);
        var registers = new RegisterFile(IommuFeatures.Built);
        var log = new LogRing(LogRegisters.Event, new PhysicalRings(memory), registers, new InterruptLatch(null));
        registers[RegisterMap.EventLogBase] = 15UL << 56;
        registers[RegisterMap.Control] = ControlRegister.IommuEn.Mask | ControlRegister.EventLogEn.Mask;
        log.Update();
        using var start = new Barrier(Threads);
        Worker[] threads = [.. Enumerable.Range(0, Threads).Select(number => new Worker(() =>
        {
            start.SignalAndWait();
            for (int i = 1; i <= Each; i++)
            {
                log.Append((ulong)(number * Each + i), (ulong)(number * Each + i));
            }
        }))];
        Array.ForEach(threads, static thread => thread.Start());
        Array.ForEach(threads, static thread => thread.Join());
        Assert.Equal(16UL * Threads * Each, registers[RegisterMap.EventTail]);
        var seen = new HashSet<ulong>();
        for (ulong at = 0; at < 16UL * Threads * Each; at += 16)
        {
            memory.Load64(at, out ulong low);
            memory.Load64(at + 8, out ulong high);
            Assert.Equal(low, high);
            Assert.True(seen.Add(low), $"entry {low} twice");
        }
    }

    /// <summary>Two entries meet: the second has no place before the first has moved the tail.</summary>
    [Fact]
    public void AnEntryThatComesWhileAnotherIsWrittenTakesTheNextPlace()
    {
        using var memory = new GuestPhysicalSpace();
        memory.AddOwned(0, 0x1000);
        var registers = new RegisterFile(IommuFeatures.Built);
        var log = new LogRing(LogRegisters.Event, new PhysicalRings(memory), registers, new InterruptLatch(null));
        registers[RegisterMap.EventLogBase] = 8UL << 56;
        registers[RegisterMap.Control] = ControlRegister.IommuEn.Mask | ControlRegister.EventLogEn.Mask;
        log.Update();

        Worker[] threads = [.. Enumerable.Range(1, 2).Select(number => new Worker(() => log.Append((ulong)number, (ulong)number)))];
        HoldSharedSections(memory, SharedSections, () =>
        {
            Array.ForEach(threads, static thread => thread.Start());
            Assert.DoesNotContain(threads, static thread => thread.Join(50));
        });
        Array.ForEach(threads, static thread => thread.Join());
        memory.Load64(0, out ulong first);
        memory.Load64(16, out ulong second);
        Assert.Equal((32UL, 3UL), (registers[RegisterMap.EventTail], first + second));
    }

    /// <summary>With every shared section taken, a store waits: between its writer's look at the tail and the tail's move.</summary>
    private static void HoldSharedSections(GuestPhysicalSpace memory, int count, Action action)
    {
        if (count == 0)
        {
            action();
            return;
        }

        using SharedSection section = memory.EnterShared();
        HoldSharedSections(memory, count - 1, action);
    }
}
