using FastNest.Amd;
using FastNest.Amd.Logs;
using FastNest.Amd.Registers;
using FastNest.Memory;
using Xunit;

namespace FastNest.Tests.Amd;

public sealed class LogRingTests
{
    private const int Threads = 4;
    private const int Each = 5000;

    [Fact]
    public void EntriesOfManyThreadsAreAllThereOnce()
    {
        using var memory = new GuestPhysicalSpace();
        memory.AddOwned(0, 16UL << 15);
        var registers = new RegisterFile(IommuFeatures.Built);
        var log = new LogRing(LogRegisters.Event, memory, registers, new InterruptLatch(null));
        registers[RegisterMap.EventLogBase] = 15UL << 56;
        registers[RegisterMap.Control] = ControlRegister.IommuEn.Mask | ControlRegister.EventLogEn.Mask;
        log.Update();
        using var start = new Barrier(Threads);
        Thread[] threads = [.. Enumerable.Range(0, Threads).Select(number => new Thread(() =>
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
}
