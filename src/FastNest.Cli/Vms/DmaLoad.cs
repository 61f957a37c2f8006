using FastNest.Dma;
using FastNest.Engine;
using FastNest.Memory;
using FastNest.Requests;

namespace FastNest.Cli.Vms;

/// <summary>
/// A device at full speed: batches of translations and transfers of pages, each answer and each content held against what its VM
/// and the host have there. Of the devices' thread.
/// </summary>
internal sealed class DmaLoad
{
    private const int Batch = 256;
    private const int Reads = 8;
    private const int Writes = 2;

    /// <summary>Every so many steps a buffer is read whether or not it is mapped.</summary>
    private const int ProbeInterval = 64;

    private readonly VirtualMachine _vm;
    private readonly HostPlaces _places;
    private readonly TranslationPort _port;
    private readonly DmaPort _dma;
    private readonly Requester _requester;
    private readonly DmaBuffers _buffers;
    private readonly DmaTokens _tokens;
    private readonly DmaCounters _counters;
    private readonly Random _random;
    private readonly int[] _chosen = new int[Batch];
    private readonly BufferState[] _states = new BufferState[Batch];
    private readonly ulong[] _iovas = new ulong[Batch];
    private readonly TranslationResult[] _results = new TranslationResult[Batch];
    private readonly byte[] _content = new byte[GuestPhysicalSpace.PageSize];
    private long _steps;

    /// <param name="vm">Whose device it is.</param>
    /// <param name="device">Which of the VM's.</param>
    /// <param name="buffers">What its addresses lead to.</param>
    /// <param name="tokens">What the VM's devices wrote.</param>
    /// <param name="places">The host's memory.</param>
    /// <param name="port">The port of the devices' thread.</param>
    /// <param name="counters">Counts what happens.</param>
    public DmaLoad(
        VirtualMachine vm, int device, DmaBuffers buffers, DmaTokens tokens, HostPlaces places, TranslationPort port, DmaCounters counters)
    {
        _vm = vm;
        _places = places;
        _port = port;
        _dma = new(port);
        _requester = new(vm.Devices[device].Host.Id);
        _buffers = buffers;
        _tokens = tokens;
        _counters = counters;
        _random = new(vm.Number * 16 + device);
    }

    /// <summary>A batch of translations, then transfers.</summary>
    public void Step()
    {
        if (_steps++ % ProbeInterval == 0)
        {
            Read(_random.Next(DmaBuffers.Count));
        }

        if (!Choose())
        {
            return;
        }

        Translate();
        for (int i = 0; i < Reads; i++)
        {
            Read(_chosen[i]);
        }

        for (int i = 0; i < Writes; i++)
        {
            Write(_chosen[i]);
        }
    }

    /// <summary>Takes buffers that are mapped; not all of them still are when they are used.</summary>
    private bool Choose()
    {
        int start = _random.Next(DmaBuffers.Count);
        int count = 0;
        for (int i = 0; i < 2 * Batch && count < Batch; i++)
        {
            int buffer = (start + 37 * i) % DmaBuffers.Count;
            BufferState state = _buffers[buffer];
            if (state.IsMapped && state.IsStable)
            {
                _chosen[count] = buffer;
                _states[count] = state;
                _iovas[count++] = DmaBuffers.Iova(buffer);
            }
        }

        return count == Batch;
    }

    private void Translate()
    {
        long epoch = _vm.Memory.Epoch;
        _port.Translate(_requester, _iovas, Access.Read, _results);
        Volatile.ReadBarrier();
        _counters.Translations += Batch;
        for (int i = 0; i < Batch; i++)
        {
            int page = _states[i].Page;
            ulong expected = _vm.Data[page / VmLayout.PagesPerArea].Place + (ulong)(page % VmLayout.PagesPerArea) * GuestPhysicalSpace.PageSize;
            TranslationResult result = _results[i];
            if (result.Succeeded && result.Address == expected)
            {
                continue;
            }

            _counters.Faults += result.Succeeded ? 0 : 1;
            if (!IsSame(_chosen[i], _states[i], epoch))
            {
                continue;
            }

            _counters.WrongFaults += result.Succeeded ? 0 : 1;
            bool isForeign = result.Succeeded && _places.IsForeign(result.Address, _vm.Number);
            _counters.ForeignReads += isForeign ? 1 : 0;
            _counters.StaleReads += result.Succeeded && !isForeign ? 1 : 0;
        }
    }

    private void Read(int buffer)
    {
        BufferState state = _buffers[buffer];
        long epoch = _vm.Memory.Epoch;
        DmaResult result = _dma.Read(_requester, DmaBuffers.Iova(buffer), _content);
        Volatile.ReadBarrier();
        bool isSame = IsSame(buffer, state, epoch);
        if (!result.Succeeded)
        {
            _counters.Faults++;
            _counters.WrongFaults += isSame && state.IsMapped ? 1 : 0;
            return;
        }

        _counters.Reads++;
        _counters.Bytes += _content.Length;
        bool isWhole = Stamp.TryRead(_content, out ulong page, out ulong token);
        if (page == Stamp.Freed || token == Stamp.Freed)
        {
            _counters.StaleReads++;
        }
        else if (!Stamp.IsOf(page, _vm.Number) || !Stamp.IsOf(token, _vm.Number))
        {
            _counters.ForeignReads++;
        }
        else if (!isWhole || (isSame && (!state.IsMapped || page != Stamp.Page(_vm.Number, state.Page))))
        {
            _counters.StaleReads++;
        }
        else if (isSame && !_tokens.IsLast(state.Page, token))
        {
            _counters.LostWrites++;
        }
    }

    private void Write(int buffer)
    {
        BufferState state = _buffers[buffer];
        long epoch = _vm.Memory.Epoch;
        ulong token = _tokens.Next();
        Span<byte> half = _content.AsSpan(Stamp.HalfLength);
        Stamp.Fill(half, token);
        DmaResult result = _dma.Write(_requester, DmaBuffers.Iova(buffer) + Stamp.HalfLength, half);
        Volatile.ReadBarrier();
        bool isSame = IsSame(buffer, state, epoch);
        if (!result.Succeeded)
        {
            _counters.Faults++;
            _counters.WrongFaults += isSame && state.IsMapped ? 1 : 0;
            return;
        }

        _counters.Writes++;
        _counters.Bytes += half.Length;
        if (!isSame)
        {
            _tokens.Forget();
        }
        else if (state.IsMapped)
        {
            _tokens.Remember(state.Page, token);
        }
        else
        {
            _counters.StaleReads++;
        }
    }

    /// <summary>Whether nothing that matters changed since a buffer and the epoch were looked at.</summary>
    private bool IsSame(int buffer, BufferState state, long epoch) =>
        state.IsStable && epoch % 2 == 0 && _buffers[buffer] == state && _vm.Memory.Epoch == epoch;
}
