using FastNest.Amd.Viommu;
using FastNest.Memory;
using FastNest.Tests.Machine;
using Xunit;

namespace FastNest.Tests.Amd.Viommu;

/// <summary>A VF page in plain memory, driven by polling (digest section 8.3).</summary>
public sealed class SharedVfPageTests : IDisposable
{
    private const ulong Page = 0x1F0_0000;
    private const ulong Head = 0x00;
    private const ulong Tail = 0x08;
    private const ulong EventTail = 0x18;
    private const ulong EventHead = 0x10;
    private const ulong Status = 0x20;
    private const ulong ComWaitInt = 1 << 2;

    private readonly GuestMachine _machine = new();
    private readonly TestGuest _guest;
    private readonly SharedVfPage _page;

    public SharedVfPageTests()
    {
        _machine.AddGuest(4, 0x1000).Start();
        _guest = _machine.AddGuest(5, 0x1001).Start();
        _page = new(_machine.Viommu.VfMmio, _machine.Memory, Page, 5 << 12);
    }

    public void Dispose() => _machine.Dispose();

    [Fact]
    public void CommandsRunWhenTheTailThatTheGuestStoredIsPolled()
    {
        Store(Tail, _guest.Queue(Bits.StoreWait(TestGuest.Semaphore, 7), Bits.StoreWait(TestGuest.Semaphore, 8)));
        Assert.Equal((0UL, 0UL), (_guest.Peek(TestGuest.Semaphore), Load(Head)));
        Assert.True(_page.Poll());
        Assert.Equal((8UL, 32UL, 32UL), (_guest.Peek(TestGuest.Semaphore), Load(Head), _guest.Read(Head)));
        Assert.False(_page.Poll());
        Assert.Equal(2L, _machine.Viommu.CommandsExecuted);
    }

    [Fact]
    public void EventsShowWhenPolledAndTheGuestTakesThemOut()
    {
        Store(Tail, _guest.Queue((0, 0xF0UL << 56))); // an illegal command
        Assert.True(_page.Poll());
        Assert.Equal((16UL, 0UL), (Load(EventTail), Load(EventHead)));
        Store(EventHead, 16);
        Assert.True(_page.Poll());
        Assert.Equal(16UL, _guest.Read(EventHead));
    }

    [Fact]
    public void BitsOfTheStatusAreClearedByStoringThemAlone()
    {
        Store(Tail, _guest.Queue(Bits.Command(1, 2, 0))); // COMPLETION_WAIT with an interrupt
        Assert.True(_page.Poll());
        ulong before = Load(Status);
        Assert.Equal(ComWaitInt, before & ComWaitInt);
        Store(Status, ComWaitInt);
        Assert.True(_page.Poll());
        Assert.Equal((before & ~ComWaitInt, before & ~ComWaitInt), (Load(Status), _guest.Status));
        Assert.NotEqual(0UL, Load(Status));
    }

    [Fact]
    public void WhatMayNotBeWrittenIsPutBack()
    {
        Store(EventTail, 0x40);
        Store(Head, 0x40);
        Assert.True(_page.Poll());
        Assert.Equal((0UL, 0UL, 0UL, 0UL), (Load(EventTail), Load(Head), _guest.Read(EventTail), _guest.Read(Head)));
        Assert.False(_page.Poll());
    }

    [Fact]
    public void AStoreThatMeetsThePollIsTheNextPolls()
    {
        var window = new Intruder(_machine.Viommu.VfMmio);
        var page = new SharedVfPage(window, _machine.Memory, Page, 5 << 12);
        ulong first = _guest.Queue(Bits.StoreWait(TestGuest.Semaphore, 1));
        window.Meanwhile = () =>
        {
            Store(Tail, _guest.Queue(Bits.StoreWait(TestGuest.Semaphore, 2)));
        };
        Store(Tail, first);
        Assert.True(page.Poll());
        Assert.Equal((1UL, first + 16), (_guest.Peek(TestGuest.Semaphore), Load(Tail)));
        Assert.True(page.Poll());
        Assert.Equal((2UL, first + 16), (_guest.Peek(TestGuest.Semaphore), Load(Head)));
    }

    [Fact]
    public void WhatIsPutBackIsNotPutOverAStore()
    {
        var window = new Intruder(_machine.Viommu.VfMmio);
        var page = new SharedVfPage(window, _machine.Memory, Page, 5 << 12);
        window.Meanwhile = () => Store(EventTail, 0x50);
        Store(EventTail, 0x40);
        Assert.True(page.Poll());
        Assert.Equal(0x50UL, Load(EventTail));
        Assert.True(page.Poll());
        Assert.Equal(0UL, Load(EventTail));
    }

    [Fact]
    public void APageIsOneGuestsAlone()
    {
        _machine.Poke(Page + 0x200, 0x55); // no register is there
        Store(Tail, 16);
        _page.Poll();
        Assert.Equal(0UL, _machine.Viommu.VfMmio.Read((4 << 12) + Tail, 8));
        Assert.Equal(0x55UL, _machine.Peek(Page + 0x200));
    }

    [Fact]
    public void APageThatIsGoneHasNothingStored()
    {
        using var memory = new GuestPhysicalSpace();
        MemoryRegion region = memory.AddOwned(0, 0x1000);
        var page = new SharedVfPage(_machine.Viommu.VfMmio, memory, 0, 5 << 12);
        memory.Remove(region);
        Assert.False(page.Poll());
    }

    [Theory]
    [InlineData(Page + 8, 0, "address")]
    [InlineData(1UL << 40, 0, "address")]
    [InlineData(Page, 8, "offset")]
    public void WhereNoPageIsThereIsNone(ulong address, ulong offset, string name) => Assert.Equal(
        name,
        Assert.Throws<ArgumentException>(() => new SharedVfPage(_machine.Viommu.VfMmio, _machine.Memory, address, offset)).ParamName);

    private ulong Load(ulong offset) => _machine.Peek(Page + offset);

    private void Store(ulong offset, ulong value) => _machine.Poke(Page + offset, value);

    /// <summary>Does something while a register is written.</summary>
    private sealed class Intruder(IMmioWindow window) : IMmioWindow
    {
        public Action? Meanwhile { get; set; }

        public ulong Read(ulong offset, int size) => window.Read(offset, size);

        public void Write(ulong offset, int size, ulong value)
        {
            window.Write(offset, size, value);
            Action? meanwhile = Meanwhile;
            Meanwhile = null;
            meanwhile?.Invoke();
        }
    }
}
