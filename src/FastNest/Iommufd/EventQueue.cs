using System.Buffers.Binary;

namespace FastNest.Iommufd;

/// <summary>
/// Events of a VM's devices, in the driver's form (vEVENTQ). Its reader holds a reference until <see cref="Close"/>. Calls may come
/// from any thread.
/// </summary>
/// <remarks>The records of struct iommufd_vevent_header; Linux drivers/iommu/iommufd/eventq.c.</remarks>
public sealed class EventQueue : IommufdObject
{
    /// <summary>Bytes before the data of each event: flags and sequence number.</summary>
    public const int HeaderLength = 8;

    /// <summary>The flag of a record without data: events are missing up to its sequence number.</summary>
    public const uint LostEvents = 1;

    private readonly Lock _gate = new();
    private readonly Queue<(uint Sequence, byte[] Data)> _events = new();
    private readonly uint _depth;
    private uint _sequence = uint.MaxValue;
    private bool _lost;
    private bool _closed;

    internal EventQueue(Viommu viommu, uint type, uint depth)
        : base(viommu.Context)
    {
        Viommu = viommu;
        Type = type;
        _depth = depth;
        viommu.Add(this);
        viommu.AddUser();
        AddUser();
    }

    /// <summary>Whose devices' events they are.</summary>
    public Viommu Viommu { get; }

    /// <summary>The driver's type of events.</summary>
    public uint Type { get; }

    /// <summary>Whether a record waits to be read.</summary>
    public bool IsReadable
    {
        get
        {
            lock (_gate)
            {
                return _events.Count != 0 || _lost;
            }
        }
    }

    /// <summary>Reads whole records, as many as fit; never waits.</summary>
    /// <param name="destination">Receives them, one behind the other.</param>
    /// <returns>How many bytes; 0 when nothing waits, or the first record does not fit.</returns>
    public int Read(Span<byte> destination)
    {
        using ObjectUse use = Use();
        int read = 0;
        lock (_gate)
        {
            while (_events.TryPeek(out (uint Sequence, byte[] Data) next) && destination.Length - read >= HeaderLength + next.Data.Length)
            {
                read += Write(destination[read..], 0, next.Sequence, next.Data);
                _events.Dequeue();
            }

            if (_lost && _events.Count == 0 && destination.Length - read >= HeaderLength)
            {
                read += Write(destination[read..], LostEvents, _sequence, []);
                _lost = false;
            }
        }

        return read;
    }

    /// <summary>The reader goes; only now the queue can be destroyed.</summary>
    public void Close()
    {
        lock (_gate)
        {
            if (_closed)
            {
                return;
            }

            _closed = true;
        }

        ReleaseUser();
    }

    internal void Add(ReadOnlySpan<byte> data)
    {
        lock (_gate)
        {
            // Numbers go from 0 to INT_MAX and count what is lost, too.
            _sequence = (_sequence + 1) & int.MaxValue;
            _lost = _events.Count >= _depth;
            if (!_lost)
            {
                _events.Enqueue((_sequence, data.ToArray()));
            }
        }
    }

    private protected override void OnContextClosing() => Close();

    private protected override void OnDestroyed()
    {
        Viommu.Remove(this);
        Viommu.ReleaseUser();
    }

    private static int Write(Span<byte> destination, uint flags, uint sequence, ReadOnlySpan<byte> data)
    {
        BinaryPrimitives.WriteUInt32LittleEndian(destination, flags);
        BinaryPrimitives.WriteUInt32LittleEndian(destination[4..], sequence);
        data.CopyTo(destination[HeaderLength..]);
        return HeaderLength + data.Length;
    }
}
