using FastNest.Engine;
using FastNest.Iommufd;
using FastNest.Iommufd.AmdHost;
using FastNest.Requests;
using FastNest.Tests.Machine;
using Xunit;

namespace FastNest.Tests.Iommufd.AmdHost;

/// <summary>VMs come and go, and memory with them, while others translate and have commands executed.</summary>
public sealed class LifeCycleTests
{
    private const uint Steady = 0x0310;
    private const uint Moving = 0x0318;
    private const ushort VirtualDevice = 0x0020;
    private const ulong Iova = 0x9000;
    private const ulong Page = 0x10_0000;
    private const ulong Target = 0x30_0000;
    private static readonly TimeSpan Duration = TimeSpan.FromMilliseconds(400);

    [Fact]
    public void WhatIsTakenAwayIsOutOfReachWhenTheCallReturnsWhateverElseGoesOn()
    {
        using var machine = new AmdHostMachine();
        AmdHostDevice steady = machine.AddDevice(Steady);
        AmdHostDevice moving = machine.AddDevice(Moving);
        HostedGuest guest = machine.NewGuest(steady).Start();
        machine.Map(Page, Target, ioas: guest.Ioas);
        guest.Give(steady, VirtualDevice, HostedGuest.Entry(guest.NewContext(Page).Gcr3, 7));
        using TranslationPort port = machine.Iommu.Iommu.OpenPort();
        int state = 0; // modulo 4: 0 mapped, 1 not, 2 and 3 on the way from one to the other
        Run(
            () =>
            {
                Interlocked.Add(ref state, 3);
                guest.Ioas.Unmap(Page, 0x1000);
                Interlocked.Add(ref state, 2);
                Interlocked.Add(ref state, 1);
                machine.Map(Page, Target, ioas: guest.Ioas);
                Interlocked.Add(ref state, 2);
            },
            () => guest.SendAndWait(Bits.Command(3, 7UL << 32, 0x7FFF_FFFF_FFFF_F007)),
            () => Move(machine, moving, guest.Ioas),
            () =>
            {
                int before = Volatile.Read(ref state);
                TranslationResult result = port.Translate(new TranslationRequest(new(Steady), Iova, Access.Write));
                bool still = before == Volatile.Read(ref state);
                Assert.True(!result.Succeeded || result.Address == Target);
                Assert.False(still && before % 4 == 1 && result.Succeeded, "reached after it was unmapped");
                Assert.False(still && before % 4 == 0 && !result.Succeeded, "not reached after it was mapped");
            });
        Assert.DoesNotContain(machine.Events, entry => entry.Code != FastNest.Amd.Events.EventCode.IoPageFault);
    }

    [Fact]
    public void ADeviceThatMovesIsNeverBetweenTwoGuests()
    {
        using var machine = new AmdHostMachine();
        AmdHostDevice device = machine.AddDevice(Moving);
        HostedGuest[] guests = [machine.NewGuest(device), machine.NewGuest(device)];
        AmdNestedDomain[] domains = [.. guests.Select(guest => guest.Attach(device))];
        using TranslationPort port = machine.Iommu.Iommu.OpenPort();
        ulong[] places = [.. guests.Select(guest => guest.Memory + 0x5000)];
        int[] seen = new int[2];
        int turn = 0;
        Run(
            () => device.Attach(null, domains[turn++ % 2]),
            () =>
            {
                TranslationResult result = port.Translate(new TranslationRequest(new(Moving), 0x5000, Access.Read));
                Assert.True(result.Succeeded); // no gap: nothing of the upper half counts here
                Assert.Contains(result.Address, places);
                seen[Array.IndexOf(places, result.Address)]++;
            });
        Assert.All(seen, count => Assert.NotEqual(0, count));
    }

    /// <summary>Does several things over and over, each on a thread, for a while.</summary>
    private static void Run(params Action[] rounds)
    {
        bool stop = false;
        int[] counts = new int[rounds.Length];
        var workers = new List<Worker>();
        for (int i = 0; i < rounds.Length; i++)
        {
            int index = i;
            workers.Add(new(() =>
            {
                while (!Volatile.Read(ref stop))
                {
                    rounds[index]();
                    counts[index]++;
                }
            }));
        }

        workers.ForEach(worker => worker.Start());
        Thread.Sleep(Duration);
        Volatile.Write(ref stop, true);
        workers.ForEach(worker => worker.Dispose());
        workers.ForEach(worker => worker.Join());
        Assert.All(counts, count => Assert.NotEqual(0, count));
    }

    /// <summary>A VM for a moment, with a device that reaches its memory only then.</summary>
    private static void Move(AmdHostMachine machine, AmdHostDevice device, Ioas ioas)
    {
        using TranslationPort port = machine.Iommu.Iommu.OpenPort();
        var request = new TranslationRequest(new(Moving), 0x5000, Access.Read);
        AmdPagingDomain parent = (AmdPagingDomain)device.CreatePaging(HwptOptions.NestParent, default);
        using (var tables = new PagingDomain(ioas, parent.Format, parent))
        {
            parent.Tables = tables;
            tables.Attach();
            using (var viommu = (AmdViommu)device.CreateViommu(AmdViommu.Type, parent, default))
            {
                using IDisposable number = viommu.MapDevice(device, VirtualDevice);
                using var nested = (AmdNestedDomain)viommu.CreateNested(HwptOptions.None, new(3, new byte[32]));
                device.Attach(null, nested);
                Assert.True(port.Translate(in request).Succeeded);
                device.Attach(null, null);
                Assert.False(port.Translate(in request).Succeeded);
            }

            parent.Dispose();
        }
    }
}
