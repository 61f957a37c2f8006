using System.Diagnostics.CodeAnalysis;

namespace FastNest.Iommufd;

/// <summary>
/// Values by ascending key: a treap, whose depth grows with the logarithm of the count whatever the order of the calls. Not
/// thread safe.
/// </summary>
internal sealed class OrderedMap<T>
    where T : class
{
    private Node? _root;
    private uint _random = 0x9E3779B9;

    public int Count { get; private set; }

    /// <summary>The value with the greatest key that is not above the given one.</summary>
    public bool TryFloor(ulong key, [NotNullWhen(true)] out T? value)
    {
        Node? best = null;
        for (Node? node = _root; node is not null;)
        {
            (best, node) = node.Key <= key ? (node, node.Right) : (best, node.Left);
        }

        value = best?.Value;
        return best is not null;
    }

    /// <summary>The value with the least key that is not below the given one.</summary>
    public bool TryCeiling(ulong key, [NotNullWhen(true)] out T? value)
    {
        Node? best = null;
        for (Node? node = _root; node is not null;)
        {
            (best, node) = node.Key >= key ? (node, node.Left) : (best, node.Right);
        }

        value = best?.Value;
        return best is not null;
    }

    /// <summary>Adds a value under a key that is not there yet.</summary>
    public void Add(ulong key, T value)
    {
        // xorshift32: priorities need no secrecy, only no pattern that a sequence of keys could follow.
        _random ^= _random << 13;
        _random ^= _random >> 17;
        _random ^= _random << 5;
        var added = new Node(key, value, _random);
        ref Node? place = ref _root;
        while (place is not null && place.Priority >= added.Priority)
        {
            place = ref (key < place.Key ? ref place.Left : ref place.Right);
        }

        Split(place, key, out added.Left, out added.Right);
        place = added;
        Count++;
    }

    /// <summary>Takes out the value of a key.</summary>
    public bool Remove(ulong key)
    {
        ref Node? place = ref _root;
        while (place is not null && place.Key != key)
        {
            place = ref (key < place.Key ? ref place.Left : ref place.Right);
        }

        if (place is null)
        {
            return false;
        }

        place = Join(place.Left, place.Right);
        Count--;
        return true;
    }

    /// <summary>The values in order, each found anew: the map may change between two of them.</summary>
    public IEnumerable<T> From(ulong key, Func<T, ulong> last)
    {
        while (TryCeiling(key, out T? value))
        {
            yield return value;
            ulong end = last(value);
            if (end == ulong.MaxValue)
            {
                yield break;
            }

            key = end + 1;
        }
    }

    private static void Split(Node? node, ulong key, out Node? below, out Node? above)
    {
        if (node is null)
        {
            below = above = null;
        }
        else if (node.Key < key)
        {
            below = node;
            Split(node.Right, key, out node.Right, out above);
        }
        else
        {
            above = node;
            Split(node.Left, key, out below, out node.Left);
        }
    }

    private static Node? Join(Node? below, Node? above)
    {
        if (below is null || above is null)
        {
            return below ?? above;
        }

        if (below.Priority >= above.Priority)
        {
            below.Right = Join(below.Right, above);
            return below;
        }

        above.Left = Join(below, above.Left);
        return above;
    }

    private sealed class Node(ulong key, T value, uint priority)
    {
        public readonly ulong Key = key;
        public readonly T Value = value;
        public readonly uint Priority = priority;
        public Node? Left;
        public Node? Right;
    }
}
