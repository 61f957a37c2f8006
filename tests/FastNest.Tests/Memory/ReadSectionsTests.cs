using FastNest.Memory;
using FastNest.Tests.Machine;
using Xunit;

namespace FastNest.Tests.Memory;

public sealed class ReadSectionsTests
{
    private readonly ReadSections _sections = new();

    [Fact]
    public void NobodyIsWaitedForWhenAllAreIdle()
    {
        ReadSection section = _sections.Register();
        _sections.WaitForReaders();
        _sections.Enter(section);
        section.Leave();
        _sections.WaitForReaders();
    }

    [Fact]
    public void AReaderThatEnteredBeforeIsWaitedForAndOneThatEnteredSinceIsNot()
    {
        ReadSection old = _sections.Register();
        ReadSection young = _sections.Register();
        _sections.Enter(old);
        var waiter = new Worker(_sections.WaitForReaders);
        waiter.Start();
        Assert.False(waiter.Join(50));
        _sections.Enter(young);
        old.Leave();
        Assert.True(waiter.Join(10_000), "waited for a reader that entered after the call");
        young.Leave();
    }

    [Fact]
    public void AReaderThatEntersAgainMeanwhileIsNotWaitedForASecondTime()
    {
        ReadSection section = _sections.Register();
        _sections.Enter(section);
        var waiter = new Worker(_sections.WaitForReaders);
        waiter.Start();
        Assert.False(waiter.Join(30));
        section.Leave();
        _sections.Enter(section);
        Assert.True(waiter.Join(10_000));
        section.Leave();
    }

    [Fact]
    public void AnUnregisteredSectionIsForgotten()
    {
        ReadSection section = _sections.Register();
        _sections.Enter(section);
        _sections.Unregister(section);
        var waiter = new Worker(_sections.WaitForReaders);
        waiter.Start();
        Assert.True(waiter.Join(10_000));
    }

    [Fact]
    public void ASharedSectionIsTakenByOneAtATime()
    {
        ReadSection section = _sections.Register();
        Assert.True(_sections.TryEnter(section));
        Assert.False(_sections.TryEnter(section));
        section.Leave();
        Assert.True(_sections.TryEnter(section));
    }

    /// <summary>A writer frees what it unpublished; readers must never see it freed.</summary>
    [Fact]
    public void NothingIsReleasedUnderAReader()
    {
        int[] cell = [1];
        int[][] published = [cell];
        bool stop = false;
        int bad = 0;
        Worker[] readers = [.. Enumerable.Range(0, 3).Select(_ => new Worker(() =>
        {
            ReadSection section = _sections.Register();
            while (!Volatile.Read(ref stop))
            {
                _sections.Enter(section);
                int[] seen = Volatile.Read(ref published[0]);
                for (int i = 0; i < 20; i++)
                {
                    bad += Volatile.Read(ref seen[0]) == 1 ? 0 : 1;
                }

                section.Leave();
            }
        }))];
        Array.ForEach(readers, static reader => reader.Start());
        for (int i = 0; i < 400; i++)
        {
            int[] old = published[0];
            Volatile.Write(ref published[0], [1]);
            _sections.WaitForReaders();
            Volatile.Write(ref old[0], 0);
        }

        Volatile.Write(ref stop, true);
        Array.ForEach(readers, static reader => reader.Join());
        Assert.Equal(0, bad);
    }

    /// <summary>
    /// A reader that has announced itself sees what was published before the writer looked for readers, or is seen by it: a
    /// store that lingers behind the load would let both miss each other. Processors do that once in many thousand tries.
    /// </summary>
    [Fact]
    public void AReaderAndAWriterNeverMissEachOther()
    {
        const long rounds = 5_000_000;
        ReadSection section = _sections.Register();
        long published = 0;
        long released = 0;
        long missed = 0;
        using var start = new Barrier(2);
        using var reader = new Worker(() =>
        {
            start.SignalAndWait();
            for (long seen = 0; seen < rounds;)
            {
                _sections.Enter(section);
                seen = Volatile.Read(ref published);
                for (int i = 0; i < 30; i++)
                {
                    missed += Volatile.Read(ref released) > seen ? 1 : 0;
                }

                section.Leave();
            }
        });
        reader.Start();
        start.SignalAndWait();
        for (long i = 1; i <= rounds; i++)
        {
            Volatile.Write(ref published, i);
            _sections.WaitForReaders();
            Volatile.Write(ref released, i);
        }

        reader.Join();
        Assert.Equal(0, missed);
    }
}
