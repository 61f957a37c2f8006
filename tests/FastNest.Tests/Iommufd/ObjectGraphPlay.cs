using FastNest.Iommufd;
using Xunit;

namespace FastNest.Tests.Iommufd;

/// <summary>
/// Objects of every type, and a model that counts who holds whom. Random calls, wrong ones too, must answer as the counts say;
/// after each, every object has as many users as the model counts, and the hardware's side is alive for what lives and no more.
/// </summary>
internal sealed partial class ObjectGraphPlay : IDisposable
{
    private const ulong Page = IoasMachine.Page;
    private const ulong QueueIova = 0x10000;
    private const ulong QueuePages = 4;

    private static readonly byte[] NestedData = [1, 0, 0, 0];

    private readonly Dice _dice;
    private readonly IoasMachine _machine = new();
    private readonly MockIommu[] _iommus = [new(), new()];
    private readonly List<BoundDevice> _devices = [];
    private readonly List<Node> _nodes = [];
    private readonly List<uint> _buried = [];
    private readonly Ioas _ioas;

    public ObjectGraphPlay(Dice dice)
    {
        _dice = dice;
        for (uint i = 0; i < 3; i++)
        {
            var host = new MockDevice(_iommus[i / 2], i + 1);
            _devices.Add(new(host) { Device = Context.Bind(host) });
        }

        _ioas = Context.CreateIoas();
        _ioas.Map(IoasMachine.Fixed, IoasMachine.User, QueuePages * Page, QueueIova);
    }

    private IommufdContext Context => _machine.Context;

    private BoundDevice SomeDevice => _dice.From(_devices);

    /// <summary>Closes the context over whatever there is.</summary>
    public void Dispose()
    {
        _machine.Dispose();
        Assert.All(_iommus, static iommu => Assert.Equal(0, iommu.Alive));
        Assert.All(_devices, static device => Assert.Empty(device.Host.Attached));
    }

    public void Step()
    {
        switch (_dice.Below(18))
        {
            case 0 or 1:
                MakePaging();
                break;
            case 2 or 3:
                MakeNested();
                break;
            case 4:
                MakeFaultQueue();
                break;
            case 5:
                MakeViommu();
                break;
            case 6:
                MakeVdevice();
                break;
            case 7:
                MakeEventQueue();
                break;
            case 8:
                MakeHardwareQueue();
                break;
            case 9:
                MapPage();
                break;
            case 10 or 11 or 12:
                Attach();
                break;
            case 13:
                Detach();
                break;
            case 14 when _dice.OneIn(3):
                Rebind();
                break;
            case 15:
                UnmapQueue();
                break;
            default:
                LetGo();
                break;
        }

        Look();
    }

    private static void Same(Errno expected, Action call)
    {
        Exception? error = Record.Exception(call);
        Assert.True(error is null or IommufdException, $"{error}");
        Assert.Equal(expected, (error as IommufdException)?.Errno ?? Errno.None);
    }

    private Node? Some(params ReadOnlySpan<Kind> kinds)
    {
        var found = new List<Node>();
        foreach (Node node in _nodes)
        {
            if (kinds.Contains(node.Kind))
            {
                found.Add(node);
            }
        }

        return found.Count == 0 ? null : _dice.From(found);
    }

    private void Add(Kind kind, object real, params ReadOnlySpan<Node?> holds)
    {
        var node = new Node(kind, real);
        foreach (Node? held in holds)
        {
            if (held is not null)
            {
                held.Users++;
                node.Holds.Add(held);
            }
        }

        _nodes.Add(node);
    }

    private void Remove(Node node)
    {
        Assert.Equal(0, node.Users);
        node.Holds.ForEach(static held => held.Users--);
        Assert.True(_nodes.Remove(node));
    }

    private void Look()
    {
        foreach (Node node in _nodes)
        {
            if (node.Real is IommufdObject real)
            {
                Assert.Equal((node.Kind, node.Users, false), (node.Kind, real.Users - 1, real.IsDestroyed));
            }
        }

        int alive = _nodes.Count(static node => node.Kind is Kind.Paging or Kind.Auto or Kind.Nested or Kind.Viommu or Kind.Vdevice or Kind.HardwareQueue);
        Assert.Equal(alive, _iommus.Sum(static iommu => iommu.Alive));
        int spaces = _nodes.Count(static node => node.Kind is Kind.Paging or Kind.Auto or Kind.HardwareQueue);
        Assert.Equal(spaces, _ioas.Users - 1);
        Same(spaces == 0 ? Errno.None : Errno.EBUSY, () =>
        {
            if (spaces != 0)
            {
                Context.Destroy(_ioas.Id);
            }
        });
        Assert.All(_buried, id => Same(Errno.ENOENT, () => Context.Destroy(id)));
        foreach (BoundDevice device in _devices)
        {
            Assert.Equal(Errno.EBUSY, IoasMachine.Fails(() => Context.Destroy(device.Device.Id)));
            foreach (uint? pasid in new uint?[] { null, 1, 2 })
            {
                Assert.Same(device.Attached.GetValueOrDefault(pasid ?? uint.MaxValue)?.Real, device.Device.AttachedTo(pasid));
            }
        }
    }

    private enum Kind
    {
        Paging,
        Auto,
        Nested,
        FaultQueue,
        Viommu,
        Vdevice,
        EventQueue,
        HardwareQueue,
        Mapping,
    }

    /// <summary>What lives, how many hold it, and what it holds.</summary>
    private sealed class Node(Kind kind, object real)
    {
        public Kind Kind { get; } = kind;

        public object Real { get; } = real;

        public int Users { get; set; }

        public List<Node> Holds { get; } = [];

        /// <summary>Whether the reader of a queue is still there; it counts as a user.</summary>
        public bool IsOpen { get; set; }

        public Viommu Viommu => (Viommu)Real;

        public Hwpt Hwpt => (Hwpt)Real;

        public Viommu? NestedOn => (Real as HwptNested)?.Viommu;
    }

    private sealed class BoundDevice(MockDevice host)
    {
        public MockDevice Host { get; } = host;

        public required Device Device { get; set; }

        public Dictionary<uint, Node> Attached { get; } = [];

        public Node? Vdevice { get; set; }
    }
}
