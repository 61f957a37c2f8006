using FastNest.Engine;
using FastNest.Iommufd;
using FastNest.Iommufd.AmdHost;
using FastNest.Iommufd.Drivers;
using FastNest.Memory;
using FastNest.Requests;
using Xunit;

namespace FastNest.Tests.Iommufd;

/// <summary>The example that README gives for the VM object: this is it, and it runs.</summary>
public sealed class EmbeddingExampleTests
{
    private const string Begin = "// example";
    private const string End = "// end of the example";

    [Fact]
    public void ADeviceOfAVmReachesTheVmsMemory()
    {
        byte[] guestDte = new byte[32];
        // example
        using var memory = new GuestPhysicalSpace();
        memory.AddOwned(0, 256 << 20);                                   // the machine; the VM gets the upper half
        using var driver = new AmdHostDriver(memory);                    // the host: one IOMMU, one device behind it
        AmdHostIommu iommu = driver.AddIommu();
        HostDevice nic = driver.AddDevice(iommu, DeviceId.FromBdf(1, 0, 0));
        var vmm = new UserAddressSpace(memory);                          // the VMM's process, which has the VM's memory
        vmm.Map(0x7000_0000_0000, 128 << 20, 128 << 20);

        using var context = new IommufdContext(memory, vmm);             // open("/dev/iommu")
        Ioas ioas = context.CreateIoas();
        ioas.Map(
            IoasMapOptions.FixedIova | IoasMapOptions.Readable | IoasMapOptions.Writeable, 0x7000_0000_0000, 128 << 20, 0);
        Device device = context.Bind(nic);
        Hwpt parent = context.AllocateHwpt(device.Id, ioas.Id, HwptOptions.NestParent);
        Viommu viommu = context.AllocateViommu(3, device.Id, parent.Id); // the VM object: AMD's hardware vIOMMU
        context.AllocateVdevice(viommu.Id, device.Id, 0x10);             // the VM knows the device as 00:02.0
        context.AllocateHardwareQueue(viommu.Id, 2, 0, 0, 0x1000);       // its command buffer, at its own address 0
        viommu.Write(0x18, 8, 1 | 1 << 12);                              // a trapped write: it turns the buffer on
        using ViommuMapping page = context.Map(viommu.MmapOffset, viommu.MmapLength);
        page.Write(0x08, 4, 0);                                          // the VF page: its bell, without a trap
        Hwpt nested = context.AllocateHwpt(device.Id, viommu.Id, HwptOptions.None, 3, guestDte);
        device.Attach(nested.Id);                                        // what the VM wrote into its device table

        using TranslationPort port = iommu.Iommu.OpenPort();             // the device's DMA, through both stages
        TranslationResult result = port.Translate(new Requester(nic.Id).Request(0x9000, Access.Write));
        // end of the example
        Assert.Equal((true, 0x800_9000UL), (result.Succeeded, result.Address));
    }

    [Fact]
    public void TheReadmesExampleIsTheOneThatRuns()
    {
        string root = Root();
        string source = File.ReadAllText(Path.Combine(root, "tests", "FastNest.Tests", "Iommufd", "EmbeddingExampleTests.cs"));
        string example = source.Split(Begin + "\n")[^1].Split(End)[0];
        string readme = File.ReadAllText(Path.Combine(root, "README.md"));
        Assert.Contains(string.Concat(Lines(example)), string.Concat(Lines(readme)), StringComparison.Ordinal);
    }

    private static IEnumerable<string> Lines(string text) => text.Split('\n').Select(line => line.Trim());

    /// <summary>The repository, above the folder that the test was built into.</summary>
    private static string Root()
    {
        string folder = AppContext.BaseDirectory;
        while (!File.Exists(Path.Combine(folder, "FastNest.sln")))
        {
            folder = Path.GetDirectoryName(folder) ?? throw new InvalidOperationException("no FastNest.sln above the tests");
        }

        return folder;
    }
}
