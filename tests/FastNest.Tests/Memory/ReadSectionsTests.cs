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
}
