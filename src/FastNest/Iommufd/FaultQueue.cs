using System.Buffers.Binary;
using FastNest.Iommufd.Drivers;
using FastNest.Requests;

namespace FastNest.Iommufd;

/// <summary>
/// Page requests of devices on their way to user space, and the answers. Its reader holds a reference until <see cref="Close"/>. Calls
/// may come from any thread.
/// </summary>
/// <remarks>The records of struct iommu_hwpt_pgfault and iommu_hwpt_page_response; Linux drivers/iommu/iommufd/eventq.c.</remarks>
public sealed class FaultQueue : IommufdObject, IPageRequestSink
{
    /// <summary>Bytes of a page request.</summary>
    public const int RequestLength = 40;

    /// <summary>Bytes of an answer: the cookie of the group, and 0 for success or 1 for an invalid request.</summary>
    public const int ResponseLength = 8;

    private const uint PasidValid = 1;
    private const uint LastPage = 2;
    private const uint Privileged = 8;

    private readonly Lock _gate = new();
    private readonly Dictionary<(HostDevice Device, uint? Pasid, int Group), PageRequestGroup> _open = [];
    private readonly LinkedList<PageRequestGroup> _waiting = new();
    private readonly Dictionary<uint, PageRequestGroup> _delivered = [];
    private uint _lastCookie;
    private bool _closed;

    internal FaultQueue(IommufdContext context)
        : base(context) => AddUser();

    /// <summary>Whether a group waits to be read.</summary>
    public bool IsReadable
    {
        get
        {
            lock (_gate)
            {
                return _waiting.Count != 0;
            }
        }
    }

    /// <summary>Reads whole groups, as many as fit; never waits.</summary>
    /// <param name="destination">Receives their requests, <see cref="RequestLength"/> bytes each; a multiple of that long.</param>
    /// <returns>How many bytes; 0 when nothing waits, or the first group does not fit.</returns>
    /// <exception cref="IommufdException">ESPIPE: the length is no such multiple.</exception>
    public int Read(Span<byte> destination)
    {
        using ObjectUse use = Use();
        RequireMultiple(destination.Length, RequestLength);
        int read = 0;
        lock (_gate)
        {
            while (_waiting.First is { Value: var group } && destination.Length - read >= group.Requests.Count * RequestLength)
            {
                _waiting.RemoveFirst();
                group.Cookie = NextCookie();
                _delivered.Add(group.Cookie, group);
                for (int i = 0; i < group.Requests.Count; i++, read += RequestLength)
                {
                    Write(destination.Slice(read, RequestLength), group, i);
                }
            }
        }

        return read;
    }

    /// <summary>Answers groups, in order, up to the first that cannot be.</summary>
    /// <param name="responses">The answers, <see cref="ResponseLength"/> bytes each.</param>
    /// <returns>How many bytes were taken.</returns>
    /// <exception cref="IommufdException">ESPIPE: the length is no such multiple. EINVAL: the first answer has a wrong code or cookie.</exception>
    public int Write(ReadOnlySpan<byte> responses)
    {
        using ObjectUse use = Use();
        RequireMultiple(responses.Length, ResponseLength);
        for (int done = 0; done < responses.Length; done += ResponseLength)
        {
            uint cookie = BinaryPrimitives.ReadUInt32LittleEndian(responses[done..]);
            uint code = BinaryPrimitives.ReadUInt32LittleEndian(responses[(done + 4)..]);
            try
            {
                Respond(cookie, code);
            }
            catch (IommufdException) when (done != 0)
            {
                return done;
            }
        }

        return responses.Length;
    }

    /// <summary>Answers one group.</summary>
    /// <param name="cookie">The group's, as it was read.</param>
    /// <param name="code">0 success, 1 invalid request.</param>
    /// <exception cref="IommufdException">EINVAL: a wrong code, or no group with this cookie waits for an answer. ENOENT: the queue is destroyed.</exception>
    public void Respond(uint cookie, uint code)
    {
        using ObjectUse use = Use();
        if (code > 1)
        {
            throw new IommufdException(Errno.EINVAL, "code", code, "must be 0 or 1");
        }

        PageRequestGroup? group;
        lock (_gate)
        {
            if (!_delivered.Remove(cookie, out group))
            {
                throw new IommufdException(Errno.EINVAL, "cookie", cookie, "no group with this cookie waits for an answer");
            }
        }

        group.Device.Respond(group.Pasid, group.Group, success: code == 0);
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

    void IPageRequestSink.Take(HostDevice device, uint? pasid, int group, ulong address, Access access, bool privileged, bool last)
    {
        lock (_gate)
        {
            if (!_open.TryGetValue((device, pasid, group), out PageRequestGroup? requests))
            {
                requests = new(device, pasid, group);
                _open.Add((device, pasid, group), requests);
            }

            requests.Requests.Add((address, access, privileged));
            if (last)
            {
                _open.Remove((device, pasid, group));
                _waiting.AddLast(requests);
            }
        }
    }

    /// <summary>A device, or one PASID of it, no longer translates through an HWPT of the queue: what it waits for is refused.</summary>
    internal void Abandon(Device device, uint? pasid)
    {
        List<PageRequestGroup> groups;
        lock (_gate)
        {
            groups = [.. _waiting.Concat(_delivered.Values).Where(group => group.Device == device.Host && (pasid is null || group.Pasid == pasid))];
            foreach (PageRequestGroup group in groups)
            {
                _waiting.Remove(group);
                _delivered.Remove(group.Cookie);
            }

            foreach (var key in _open.Keys.Where(key => key.Device == device.Host && (pasid is null || key.Pasid == pasid)).ToArray())
            {
                _open.Remove(key);
            }
        }

        groups.ForEach(static group => group.Device.Respond(group.Pasid, group.Group, success: false));
    }

    private protected override void OnContextClosing() => Close();

    private static void RequireMultiple(int length, int record)
    {
        if (length % record != 0)
        {
            throw new IommufdException(Errno.ESPIPE, "count", (ulong)length, $"must be a multiple of {record}");
        }
    }

    private uint NextCookie()
    {
        do
        {
            _lastCookie++;
        }
        while (_lastCookie == 0 || _delivered.ContainsKey(_lastCookie));

        return _lastCookie;
    }

    private void Write(Span<byte> record, PageRequestGroup group, int index)
    {
        (ulong address, Access access, bool privileged) = group.Requests[index];
        record.Clear();
        uint flags = (group.Pasid is null ? 0 : PasidValid) | (index == group.Requests.Count - 1 ? LastPage : 0);
        BinaryPrimitives.WriteUInt32LittleEndian(record, flags);
        BinaryPrimitives.WriteUInt32LittleEndian(record[4..], Context.Find(group.Device)?.Id ?? 0);
        BinaryPrimitives.WriteUInt32LittleEndian(record[8..], group.Pasid ?? 0);
        BinaryPrimitives.WriteUInt32LittleEndian(record[12..], (uint)group.Group);
        BinaryPrimitives.WriteUInt32LittleEndian(record[16..], (uint)(access & Access.All) | (privileged ? Privileged : 0));
        BinaryPrimitives.WriteUInt64LittleEndian(record[24..], address);
        BinaryPrimitives.WriteUInt32LittleEndian(record[32..], 0);
        BinaryPrimitives.WriteUInt32LittleEndian(record[36..], group.Cookie);
    }
}
