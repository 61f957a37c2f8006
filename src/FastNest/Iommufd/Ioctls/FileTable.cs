namespace FastNest.Iommufd.Ioctls;

/// <summary>A process's open files by their numbers, as far as calls of a context give or take them. Any thread.</summary>
internal sealed class FileTable
{
    /// <summary>0 to 2 are a process's standard files, 3 is the context's own.</summary>
    private const int First = 4;

    private readonly Lock _gate = new();
    private readonly SortedSet<int> _free = [];
    private readonly Dictionary<int, object> _files = [];

    /// <summary>Gives a file the lowest number that is free.</summary>
    public int Open(object file)
    {
        lock (_gate)
        {
            int number = _free.Count != 0 ? _free.Min : First + _files.Count;
            _free.Remove(number);
            _files.Add(number, file);
            return number;
        }
    }

    /// <exception cref="IommufdException">EBADF: no file of this kind has the number.</exception>
    public T Find<T>(int number)
        where T : class
    {
        lock (_gate)
        {
            return _files.GetValueOrDefault(number) as T
                ?? throw new IommufdException(Errno.EBADF, "fd", (uint)number, $"is no {typeof(T).Name}");
        }
    }

    /// <summary>Takes a file out.</summary>
    /// <exception cref="IommufdException">EBADF: no file has the number.</exception>
    public object Close(int number)
    {
        lock (_gate)
        {
            if (!_files.Remove(number, out object? file))
            {
                throw new IommufdException(Errno.EBADF, "fd", (uint)number, "is not open");
            }

            _free.Add(number);
            return file;
        }
    }
}
