using FastNest.Amd;
using FastNest.Amd.Pprs;
using FastNest.Amd.Viommu;
using FastNest.Memory;
using FastNest.Reference;
using FastNest.Requests;

namespace FastNest.Fuzz.Targets;

/// <summary>The engine and the reference model, each with its own memory of the same content.</summary>
internal sealed class Twins : IDisposable
{
    private readonly List<ulong> _pages = [];
    private readonly List<PageResponse> _responses = [];
    private IommuInterrupt _raised;
    private int _interruptsSeen;

    /// <param name="efr">Extended features.</param>
    /// <param name="efr2">Extended features 2.</param>
    /// <param name="turn">Where guests are served: how many commands a turn of theirs has. GstBufferTRPMode sticks then.</param>
    public Twins(ulong efr, ulong efr2 = 0, int? turn = null)
    {
        Efr = efr;
        Engine = new(Space, new()
        {
            Features = new(efr, efr2, GuestBufferTranslation: turn is not null),
            Viommu = new() { Turn = turn ?? 512, Interrupt = GuestInterrupts.Add },
            InvalidateDeviceTlb = invalidation =>
            {
                DeviceTlbs.Add(invalidation);
                return true;
            },
            Interrupt = interrupt => _raised |= interrupt,
            PageResponse = _responses.Add,
        });
        Reference = new(Model, efr, efr2, gstBufferTrpModeSticks: turn is not null, turn: turn ?? 512);
    }

    public ulong Efr { get; }

    public GuestPhysicalSpace Space { get; } = new();

    public ReferenceMemory Model { get; } = new();

    public AmdIommu Engine { get; }

    public ReferenceIommu Reference { get; }

    /// <summary>What guests were interrupted for, in the engine.</summary>
    public List<GuestInterrupt> GuestInterrupts { get; } = [];

    /// <summary>What devices were told to drop, in the engine.</summary>
    public List<DeviceTlbInvalidation> DeviceTlbs { get; } = [];

    public void Dispose() => Space.Dispose();

    /// <summary>Makes pages exist.</summary>
    public void Add(ulong address, ulong pages)
    {
        Space.AddOwned(address, pages << 12);
        Model.Add(address, pages << 12);
        for (ulong i = 0; i < pages; i++)
        {
            _pages.Add(address + (i << 12));
        }
    }

    /// <summary>Stores in both memories; nothing happens where there is none.</summary>
    public void Store(ulong address, ulong value)
    {
        bool stored = Space.Store64(address, value) == MemoryStatus.Ok;
        Agreement.RequireSame(stored, Model.TryWrite64(address, value));
    }

    public ulong Load(ulong address)
    {
        Space.Load64(address, out ulong value);
        return value;
    }

    public void Write(ulong offset, int size, ulong value)
    {
        Engine.Write(offset, size, value);
        Reference.Write(offset, size, value);
    }

    public void Write(ulong offset, ulong value) => Write(offset, 8, value);

    /// <summary>An answer of the engine against the reference's.</summary>
    public static void AssertSame(in TranslationRequest request, ReferenceAnswer expected, in TranslationResult actual, string where)
    {
        if (!IsSame(in request, expected, in actual))
        {
            throw new DisagreementException(
                $"{where}: {request} -> {actual}, {(actual.Succeeded ? "no event" : AmdIommu.Describe(in request, in actual))}; reference: {expected}");
        }
    }

    /// <summary>Whether an answer of the engine is the reference's.</summary>
    public static bool IsSame(in TranslationRequest request, ReferenceAnswer expected, in TranslationResult actual)
    {
        if (expected.Event is { } entry)
        {
            if (actual.Succeeded)
            {
                return false;
            }

            var described = AmdIommu.Describe(in request, in actual);
            return (entry.Low, entry.High) == (described.Word0, described.Word1);
        }

        // A refusal without an event: readings 73 and 76.
        return actual.Succeeded
            ? (expected.OutputAddress, expected.PageShift, expected.Permissions, expected.IsMessage)
                == (actual.Address, actual.PageShift, actual.Permissions, actual.IsMessage)
            : expected.OutputAddress is null;
    }

    /// <summary>Interrupts since the last call: each kind at most once in the engine, which gathers them.</summary>
    public void AssertSameInterrupts(string where)
    {
        IommuInterrupt expected = IommuInterrupt.None;
        for (; _interruptsSeen < Reference.Interrupts.Count; _interruptsSeen++)
        {
            expected |= Reference.Interrupts[_interruptsSeen] switch
            {
                ReferenceInterrupt.EventLog => IommuInterrupt.EventLog,
                ReferenceInterrupt.CompletionWait => IommuInterrupt.CompletionWait,
                _ => IommuInterrupt.PprLog,
            };
        }

        Agreement.Require(expected == _raised, $"{where}: interrupts {_raised}, reference {expected}");
        _raised = IommuInterrupt.None;
    }

    /// <summary>The answers to page requests so far.</summary>
    public void AssertSameResponses(string where) => Agreement.Require(
        Reference.PageResponses.Select(static r => (r.Device, r.Pasid, r.Group, r.Code))
            .SequenceEqual(_responses.Select(static r => (r.Device, r.Pasid, r.Group, r.Code))),
        $"{where}: responses {string.Join(", ", _responses)}; reference {string.Join(", ", Reference.PageResponses)}");

    public void AssertSameRegisters(string where, IEnumerable<ulong> offsets)
    {
        foreach (ulong offset in offsets)
        {
            ulong expected = Reference.Read(offset, 8);
            ulong actual = Engine.Read(offset, 8);
            Agreement.Require(expected == actual, $"{where}: register {offset:x4} is {actual:x16}, reference {expected:x16}");
        }

        Agreement.Require(
            Reference.ExecutedCommands.Count == Engine.CommandsExecuted,
            $"{where}: {Engine.CommandsExecuted} commands, reference {Reference.ExecutedCommands.Count}");
    }

    public void AssertSameMemory(string where)
    {
        foreach (ulong page in _pages)
        {
            for (ulong at = page; at < page + 0x1000; at += 8)
            {
                Model.TryRead64(at, out ulong expected);
                ulong actual = Load(at);
                Agreement.Require(expected == actual, $"{where}: memory at {at:x} is {actual:x16}, reference {expected:x16}");
            }
        }
    }

    /// <summary>Every 64-bit register there could be.</summary>
    public static IEnumerable<ulong> AllRegisters => Enumerable.Range(0, 0x4000 / 8).Select(static index => (ulong)index * 8);

    /// <summary>Those that there are.</summary>
    public static ulong[] Registers { get; } =
    [
        .. Enumerable.Range(0, 11).Select(static index => (ulong)index * 8), // 0000h to 0050h
        .. Enumerable.Range(0, 22).Select(static index => 0xE0 + (ulong)index * 8), // 00E0h to 0188h
        Mmio.Efr2,
        .. Enumerable.Range(0, 12).Select(static index => 0x200 + (ulong)index * 8),
        .. Enumerable.Range(0, 20).Select(static index => 0x2000 + (ulong)index * 8),
    ];
}
