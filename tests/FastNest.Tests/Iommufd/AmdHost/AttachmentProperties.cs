using FastNest.Iommufd;
using FastNest.Iommufd.AmdHost;
using FastNest.Iommufd.Drivers;
using FastNest.Requests;
using FsCheck;
using FsCheck.Xunit;
using Xunit;

namespace FastNest.Tests.Iommufd.AmdHost;

/// <summary>
/// Whatever is mapped, attached, nested and taken back, in whatever order, on two IOMMUs: after each step every device reaches
/// what the IOAS behind it maps, and nothing else. A failing list of steps is shrunk; to replay, see Properties/Seed.cs.
/// </summary>
public sealed class AttachmentProperties
{
    private const int Iommus = 2;
    private const int Devices = 4; // two behind each
    private const int Spaces = 2;
    private const int Domains = 4; // two over each IOAS
    private const int Pages = 4;
    private const ulong Page = 0x1000;

    [Property(MaxTest = 60)]
    public void DevicesReachWhatTheirIoasMaps(NonNegativeInt[] steps)
    {
        ArgumentNullException.ThrowIfNull(steps);
        using var world = new World();
        foreach (NonNegativeInt step in steps)
        {
            world.Do((int)((uint)step.Get * 2654435761 >> 8)); // sizes are small numbers: spread over every choice
            world.Check(steps);
        }
    }

    private sealed class World : IDisposable
    {
        private readonly AmdHostMachine _machine = new(Iommus);
        private readonly Ioas[] _spaces;
        private readonly ulong?[,] _mapped = new ulong?[Spaces, Pages];
        private readonly AmdHostDevice[] _devices;
        private readonly AmdPagingDomain[] _domains;
        private readonly AmdPagingDomain?[] _attached = new AmdPagingDomain?[Devices];
        private readonly AmdViommu?[,] _viommus = new AmdViommu?[Iommus, Domains];
        private readonly HardwareDomain?[] _nested = new HardwareDomain?[Devices];

        public World()
        {
            _spaces = [.. Enumerable.Range(0, Spaces).Select(_ => _machine.Context.CreateIoas())];
            _devices = [.. Enumerable.Range(0, Devices).Select(i => _machine.AddDevice(Id(i), iommu: i % Iommus))];
            _domains = [.. Enumerable.Range(0, Domains).Select(i => _machine.NewDomain(_devices[0], HwptOptions.NestParent, _spaces[i % Spaces]))];
        }

        public void Do(int step)
        {
            int what = step % 7;
            step /= 7;
            int space = step % Spaces;
            int page = step / Spaces % Pages;
            int device = step % Devices;
            int domain = step / Devices % Domains;
            switch (what)
            {
                case 0 or 1 when _mapped[space, page] is null:
                    _mapped[space, page] = (ulong)(1 + step % 50) * Page;
                    _machine.Map((ulong)page * Page, _mapped[space, page]!.Value, ioas: _spaces[space]);
                    break;
                case 2 when _mapped[space, page] is not null:
                    _mapped[space, page] = null;
                    _spaces[space].Unmap((ulong)page * Page, Page);
                    break;
                case 3:
                    Attach(device, _domains[domain], _domains[domain], null);
                    break;
                case 4:
                    Attach(device, null, null, null);
                    break;
                case 5:
                    ref AmdViommu? viommu = ref _viommus[device % Iommus, domain];
                    viommu ??= (AmdViommu)_devices[device].CreateViommu(AmdViommu.Type, _domains[domain], default);
                    byte[] entry = new byte[32];
                    entry[8] = (byte)(step / 16 % 3); // the guest's domain
                    HardwareDomain nested = viommu.CreateNested(HwptOptions.None, new(3, entry));
                    Attach(device, nested, _domains[domain], nested);
                    break;
                case 6:
                    RemoveViommu(device % Iommus, domain);
                    break;
            }
        }

        public void Check(NonNegativeInt[] steps)
        {
            for (int device = 0; device < Devices; device++)
            {
                for (int page = 0; page < Pages; page++)
                {
                    ulong? expected = _attached[device] is { } domain ? _mapped[Array.IndexOf(_domains, domain) % Spaces, page] : null;
                    ulong? reached = _machine.Reach(Id(device), (ulong)page * Page, Access.Write, iommu: device % Iommus);
                    Assert.True(expected == reached, $"device {device}, page {page}: {reached:x}, not {expected:x}, after [{string.Join(", ", steps.Select(step => step.Get))}]");
                }
            }
        }

        public void Dispose()
        {
            for (int i = 0; i < Iommus * Domains; i++)
            {
                RemoveViommu(i % Iommus, i / Iommus);
            }

            _machine.Dispose();
        }

        private static uint Id(int device) => 0x300 + (uint)device;

        private void Attach(int device, HardwareDomain? domain, AmdPagingDomain? tables, HardwareDomain? nested)
        {
            _devices[device].Attach(null, domain);
            _attached[device] = tables;
            _nested[device]?.Dispose();
            _nested[device] = nested;
        }

        /// <summary>With whatever stands on it.</summary>
        private void RemoveViommu(int iommu, int domain)
        {
            for (int device = iommu; device < Devices; device += Iommus)
            {
                if (_nested[device] is AmdNestedDomain nested && nested.Viommu == _viommus[iommu, domain])
                {
                    Attach(device, null, null, null);
                }
            }

            _viommus[iommu, domain]?.Dispose();
            _viommus[iommu, domain] = null;
        }
    }
}
