using System.Buffers.Binary;
using FastNest.Dma;
using FastNest.Engine;
using FastNest.Requests;

namespace FastNest.Cli.Vms;

/// <summary>
/// What a VM's device does, on a thread of its own: batches of translations, reads and writes, each checked against what the
/// VM's driver and the host say to hold. What changes meanwhile may be seen as it was or as it is.
/// </summary>
internal sealed class DeviceTraffic(VmHost host, Vm vm, GuestDriver driver)
{
    private const int Batch = 256;
    private const int Transfers = 16;

    private readonly ulong[] _iovas = new ulong[Batch];
    private readonly TranslationResult[] _results = new TranslationResult[Batch];
    private readonly byte[] _page = new byte[16];
    private long _translations;
    private long _bytes;

    /// <summary>Any thread.</summary>
    public long Translations => Volatile.Read(ref _translations);

    /// <summary>Any thread.</summary>
    public long Bytes => Volatile.Read(ref _bytes);

    /// <summary>What led to another VM's memory, or was another's.</summary>
    public long Foreign { get; private set; }

    /// <summary>What was seen though its invalidation had been completed before.</summary>
    public long Stale { get; private set; }

    /// <summary>What was refused though it was mapped all the time.</summary>
    public long Lost { get; private set; }

    /// <summary>What was refused, mostly because it was not mapped.</summary>
    public long Refused { get; private set; }

    public void Run(CancellationToken stop)
    {
        using TranslationPort port = host.Iommu.Iommu.OpenPort();
        var dma = new DmaPort(port);
        var requester = new Requester(vm.Device.Host.Id);
        var random = new Random(vm.Number);
        while (!stop.IsCancellationRequested)
        {
            Translate(port, requester, random);
            for (int i = 0; i < Transfers; i++)
            {
                Transfer(dma, requester, random.Next(GuestDriver.Slots), isWrite: i % 4 == 0);
            }
        }
    }

    private void Translate(TranslationPort port, Requester requester, Random random)
    {
        for (int i = 0; i < Batch; i++)
        {
            _iovas[i] = GuestDriver.IovaOf(random.Next(GuestDriver.Slots));
        }

        port.Translate(requester, _iovas, Access.Read, _results);
        foreach (ref readonly TranslationResult result in _results.AsSpan())
        {
            Foreign += result.Succeeded && VmHost.OwnerOf(result.Address) != vm.Number ? 1 : 0;
        }

        Volatile.Write(ref _translations, _translations + Batch);
    }

    private void Transfer(DmaPort dma, Requester requester, int slot, bool isWrite)
    {
        long moves = vm.Moves;
        long epoch = driver.EpochOf(slot);
        ulong expected = driver.PageOf(slot);
        DmaResult result;
        if (isWrite)
        {
            BinaryPrimitives.WriteUInt64LittleEndian(_page, GuestPage.Of(vm.Number, 0));
            result = dma.Write(requester, GuestDriver.IovaOf(slot) + sizeof(ulong), _page.AsSpan(0, sizeof(ulong)));
        }
        else
        {
            result = dma.Read(requester, GuestDriver.IovaOf(slot), _page);
        }

        bool isStill = epoch % 2 == 0 && epoch == driver.EpochOf(slot);
        if (!result.Succeeded)
        {
            Refused++;
            Lost += isStill && expected != 0 && moves % 2 == 0 && moves == vm.Moves ? 1 : 0;
            return;
        }

        Volatile.Write(ref _bytes, _bytes + result.Done);
        Stale += isStill && expected == 0 ? 1 : 0;
        if (!isWrite)
        {
            ulong mark = BinaryPrimitives.ReadUInt64LittleEndian(_page);
            Foreign += GuestPage.VmOf(mark) == vm.Number ? 0 : 1;
            Stale += isStill && expected != 0 && mark != GuestPage.Of(vm.Number, expected) ? 1 : 0;
        }
    }
}
