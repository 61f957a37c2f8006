using FastNest.Iommufd;
using FastNest.Tests.Properties;
using FsCheck.Xunit;
using Xunit;

namespace FastNest.Tests.Iommufd;

/// <summary>Who may be destroyed when, against a model that counts users; and the same calls from several threads.</summary>
[Trait("Suite", "iommufd")]
public sealed class ObjectGraphTests
{
    private const int Devices = 3;

    [Property(MaxTest = 100)]
    public void AnObjectGoesWhenNothingUsesItAndNotBefore(int seed)
    {
        var random = new Random(seed);
        var iommu = new MockIommu();
        using (var machine = new IoasMachine())
        {
            IommufdContext context = machine.Context;
            Device[] devices = [.. Enumerable.Range(0, Devices).Select(i => context.Bind(new MockDevice(iommu, (uint)i + 1)))];
            Ioas ioas = context.CreateIoas();
            var users = new Dictionary<Hwpt, int>();
            var parents = new Dictionary<Hwpt, Hwpt>();
            var attached = new Hwpt?[Devices];
            for (int step = 0; step < 60; step++)
            {
                int at = random.Next(Devices);
                Hwpt? chosen = users.Count == 0 ? null : users.Keys.OrderBy(static hwpt => hwpt.Id).ElementAt(random.Next(users.Count));
                switch (random.Next(6))
                {
                    case 0:
                        users.Add(context.AllocateHwpt(devices[at].Id, ioas.Id, HwptOptions.NestParent), 0);
                        break;
                    case 1 when chosen is HwptPaging:
                        Hwpt nested = context.AllocateHwpt(devices[at].Id, chosen.Id, HwptOptions.None, MockIommu.NestedType, new byte[] { 1, 0, 0, 0 });
                        users.Add(nested, 0);
                        users[chosen]++;
                        parents.Add(nested, chosen);
                        break;
                    case 2 when chosen is not null:
                        bool replaces = random.Next(2) == 0;
                        Errno expected = replaces
                            ? attached[at] is null ? Errno.EINVAL : Errno.None
                            : attached[at] is null || attached[at] == chosen ? Errno.None : Errno.EBUSY;
                        if (!replaces && attached[at] == chosen)
                        {
                            break;
                        }

                        Assert.Equal(expected, Call(() =>
                        {
                            if (replaces)
                            {
                                devices[at].Replace(chosen.Id);
                            }
                            else
                            {
                                devices[at].Attach(chosen.Id);
                            }
                        }));
                        if (expected == Errno.None)
                        {
                            Leave(at);
                            attached[at] = chosen;
                            users[chosen]++;
                        }

                        break;
                    case 3:
                        devices[at].Detach();
                        Leave(at);
                        break;
                    case 4 when chosen is not null:
                        Assert.Equal(users[chosen] == 0 ? Errno.None : Errno.EBUSY, Call(() => context.Destroy(chosen.Id)));
                        if (users[chosen] == 0)
                        {
                            users.Remove(chosen);
                            if (parents.Remove(chosen, out Hwpt? parent))
                            {
                                users[parent]--;
                            }
                        }

                        break;
                    case 5 when users.Count != 0:
                        Assert.Equal(Errno.EBUSY, Call(() => context.Destroy(ioas.Id)));
                        break;
                }

                Assert.Equal(users.Count, iommu.Alive);
                Assert.All(Enumerable.Range(0, Devices), i => Assert.Same(attached[i], devices[i].AttachedTo()));
            }

            void Leave(int device)
            {
                if (attached[device] is { } before)
                {
                    users[before]--;
                    attached[device] = null;
                }
            }
        }

        Assert.Equal(0, iommu.Alive);
    }

    [Property(Arbitrary = [typeof(Seed)], MaxTest = 100)]
    public void EveryObjectHasTheUsersThatAreCounted(Seed seed)
    {
        ArgumentNullException.ThrowIfNull(seed);
        using var play = new ObjectGraphPlay(new(seed.Value));
        for (int step = 0; step < 120; step++)
        {
            play.Step();
        }
    }

    [Fact]
    public void ThreadsThatMakeAttachAndDestroyAnythingLeaveNothing()
    {
        var iommu = new MockIommu();
        using (var machine = new IoasMachine())
        {
            IommufdContext context = machine.Context;
            Device[] devices = [.. Enumerable.Range(0, Devices).Select(i => context.Bind(new MockDevice(iommu, (uint)i + 1)))];
            Ioas ioas = context.CreateIoas();
            ioas.Map(IoasMachine.Fixed, IoasMachine.User, 16 * IoasMachine.Page, 0x10000);
            Parallel.For(0, 4, new ParallelOptions { MaxDegreeOfParallelism = 4 }, thread =>
            {
                var random = new Random(thread);
                for (int step = 0; step < 1000; step++)
                {
                    Device device = devices[random.Next(Devices)];
                    uint id = (uint)random.Next(5, 20);
                    Errno errno = random.Next(6) switch
                    {
                        0 => Call(() => context.AllocateHwpt(device.Id, ioas.Id)),
                        1 => Call(() => device.Attach(random.Next(3) == 0 ? ioas.Id : id)),
                        2 => Call(() => device.Replace(random.Next(3) == 0 ? ioas.Id : id)),
                        3 => Call(() => device.Detach()),
                        _ => Call(() => context.Destroy(id)),
                    };
                    Assert.Contains(errno, new[] { Errno.None, Errno.EBUSY, Errno.ENOENT, Errno.EINVAL });
                }
            });
            Array.ForEach(devices, static device => device.Unbind());
        }

        Assert.Equal(0, iommu.Alive);
    }

    /// <summary>The hardware is told of one change at a time, and a group never translates through two HWPTs.</summary>
    [Fact]
    public void AttachmentsOfAGroupChangeOneAfterTheOther()
    {
        var iommu = new MockIommu();
        object group = new();
        using var machine = new IoasMachine();
        IommufdContext context = machine.Context;
        MockDevice[] hosts = [new(iommu, 1, group), new(iommu, 2, group)];
        Device[] devices = [.. hosts.Select(context.Bind)];
        Ioas ioas = context.CreateIoas();
        Hwpt[] hwpts = [.. devices.Select(device => context.AllocateHwpt(device.Id, ioas.Id))];
        int inside = 0;
        int wrong = 0;
        Array.ForEach(hosts, host => host.Changing = () =>
        {
            wrong += Interlocked.Increment(ref inside) == 1 ? 0 : 1;
            Thread.Sleep(0);
            wrong += hosts.SelectMany(static host => host.Attached.Values).Distinct().Count() <= 1 ? 0 : 1;
            Interlocked.Decrement(ref inside);
        });
        Parallel.For(0, devices.Length, new ParallelOptions { MaxDegreeOfParallelism = devices.Length }, i =>
        {
            for (int step = 0; step < 3000; step++)
            {
                Assert.Contains(Call(() => devices[i].Attach(hwpts[i].Id)), new[] { Errno.None, Errno.EINVAL });
                devices[i].Detach();
            }
        });
        Assert.Equal(0, wrong);
        Assert.All(hwpts, hwpt => context.Destroy(hwpt.Id));
    }

    [Fact]
    public void AContextClosesOverHardwareQueues()
    {
        var iommu = new MockIommu();
        using (var machine = new IoasMachine())
        {
            IommufdContext context = machine.Context;
            Device device = context.Bind(new MockDevice(iommu, 1));
            Ioas ioas = context.CreateIoas();
            ioas.Map(IoasMachine.Fixed, IoasMachine.User, IoasMachine.Page, 0x10000);
            Hwpt parent = context.AllocateHwpt(device.Id, ioas.Id, HwptOptions.NestParent);
            Viommu viommu = context.AllocateViommu(MockIommu.ViommuType, device.Id, parent.Id);
            context.AllocateHardwareQueue(viommu.Id, MockIommu.QueueType, 0, 0x10000, IoasMachine.Page);
            context.AllocateHardwareQueue(viommu.Id, MockIommu.QueueType, 1, 0x10000, IoasMachine.Page);
        }

        Assert.Equal(0, iommu.Alive);
    }

    private static Errno Call(Action call)
    {
        try
        {
            call();
            return Errno.None;
        }
        catch (IommufdException refused)
        {
            return refused.Errno;
        }
    }
}
