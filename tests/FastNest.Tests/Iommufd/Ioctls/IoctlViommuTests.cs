using FastNest.Iommufd;
using FastNest.Iommufd.AmdHost;
using Xunit;

namespace FastNest.Tests.Iommufd.Ioctls;

/// <summary>AMD's vIOMMU through the binary form: its data go both ways.</summary>
[Trait("Suite", "iommufd")]
public sealed class IoctlViommuTests : IDisposable
{
    private const uint Type = 3;
    private const uint Length = 24;

    private readonly IoasMachine _machine = new();
    private readonly AmdHostDriver _driver;
    private readonly IoctlClient _client;
    private readonly uint _device;
    private readonly uint _parent;

    public IoctlViommuTests()
    {
        _driver = new(_machine.Memory);
        _client = new(_machine.Context, _machine.Memory);
        _device = _machine.Context.Bind(_driver.AddDevice(_driver.AddIommu(), new(0x10))).Id;
        _client.AllocateHwpt(_device, _client.AllocateIoas(), out _parent, flags: 1);
    }

    public void Dispose()
    {
        _machine.Context.Dispose();
        _driver.Dispose();
        _machine.Dispose();
    }

    [Fact]
    public void ItsDataComeBack()
    {
        _client.Put([.. Enumerable.Repeat((byte)0xFF, (int)Length)]);
        Assert.Equal(Errno.None, _client.AllocateViommu(Type, _device, _parent, out uint id, Length, IoctlClient.Scratch));
        byte[] data = _client.Get((int)Length);
        Viommu viommu = _machine.Context.Objects.Find<Viommu>(id, "id");
        Assert.Equal(viommu.MmapOffset, IoctlClient.Long(data, 16));
        Assert.Equal(1u, IoctlClient.Word(data, 12)); // the first guest id
        _machine.Context.Map(IoctlClient.Long(data, 16), viommu.MmapLength).Dispose();
        Assert.Equal(Errno.EINVAL, _client.AllocateViommu(Type, _device, _parent, out _, Length - 1, IoctlClient.Scratch));
    }

    [Fact]
    public void WhatCannotBeToldIsNotMade()
    {
        _machine.Process.Map(0x1_0000, 0x300_0000, IoasMachine.Page, writable: false);
        int before = _machine.Context.Objects.Published().Count;
        Assert.Equal(Errno.EFAULT, _client.AllocateViommu(Type, _device, _parent, out _, Length, 0x1_0000));
        Assert.Equal(Errno.EFAULT, _client.AllocateViommu(Type, _device, _parent, out _, Length, 0x10));
        Assert.Equal(before, _machine.Context.Objects.Published().Count);
    }
}
