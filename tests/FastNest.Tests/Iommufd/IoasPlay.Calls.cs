using FastNest.Iommufd;
using FastNest.Requests;
using Xunit;

namespace FastNest.Tests.Iommufd;

/// <content>The calls.</content>
internal sealed partial class IoasPlay
{
    private void Map(Space space)
    {
        IoasMapOptions flags = Flags();
        ulong length = Length();
        ulong iova = Iova();
        ulong odd = Odd(8);
        bool isFile = _dice.OneIn(4);
        ulong start = (ulong)_dice.Below(isFile ? FilePages : UserPages) * Page + odd;
        PagesModel pages = isFile
            ? new((page, _) => Physical(_fileModel, page, false), Errno.EINVAL, start / Page, flags.HasFlag(IoasMapOptions.Writeable), _fileModel)
            : new((page, write) => Physical(_processModel, page - User / Page, write), Errno.EFAULT, (User + start) / Page, flags.HasFlag(IoasMapOptions.Writeable), _processModel);
        ulong found = iova;
        Errno expected = CheckFlags(flags, iova, length);
        if (expected == Errno.None && length > ulong.MaxValue - (isFile ? start : User + start))
        {
            expected = Errno.EOVERFLOW;
        }

        if (expected == Errno.None && isFile && (length == 0 || start + length > (ulong)_fileModel.Pages.Count * Page))
        {
            expected = Errno.EINVAL;
        }

        if (expected == Errno.None)
        {
            expected = space.Model.Map(IsFixed(flags), Rights(flags), [(pages, start % Page, length)], length, ref found);
        }

        Placed(expected, found, () => isFile
            ? space.Ioas.MapFile(flags, _file, start, length, iova)
            : space.Ioas.Map(flags, User + start, length, iova, _process));
    }

    private void Copy(Space space)
    {
        Space source = _dice.From(_spaces);
        IoasMapOptions flags = Flags();
        (ulong from, ulong length) = Mapped(source.Model);
        ulong iova = Iova();
        ulong found = iova;
        Errno expected = CheckFlags(flags, iova, length);
        if (expected == Errno.None)
        {
            expected = source.Model.Parts(from, length, out List<(AreaModel Area, ulong First, ulong Last)> parts);
            if (expected == Errno.None)
            {
                expected = space.Model.Map(
                    IsFixed(flags),
                    Rights(flags),
                    parts.ConvertAll(static part => (part.Area.Pages, part.Area.Start + (part.First - part.Area.Iova), part.Last - part.First + 1)),
                    length,
                    ref found);
            }
        }

        Placed(expected, found, () => space.Ioas.Copy(flags, source.Ioas, from, length, iova));
    }

    private void Unmap(Space space)
    {
        (ulong iova, ulong length) = Mapped(space.Model);
        if (_dice.OneIn(2) && space.Model.Areas.Count != 0)
        {
            AreaModel area = _dice.From(space.Model.Areas);
            (iova, length) = (area.Iova, area.Length);
        }
        else if (_dice.OneIn(3))
        {
            (iova, length) = _dice.Of((0UL, ulong.MaxValue), (Low, Places * Page), (Low, 0UL), (ulong.MaxValue, 1UL), (0x1000UL, ulong.MaxValue - 1));
        }

        Errno expected = space.Model.Unmap(iova, length, out ulong removed);
        Same(expected, () => Assert.Equal(removed, space.Ioas.Unmap(iova, length)));
    }

    private void ChangeRanges(Space space)
    {
        object owner = _dice.Of(_owners);
        var range = new IovaRange(Iova(), 0);
        range = range with { Last = range.First + Math.Max(1, Length()) - 1 };
        if (range.Last < range.First)
        {
            range = new(range.First, ulong.MaxValue);
        }

        switch (_dice.Below(4))
        {
            case 0:
                Same(space.Model.Reserve(owner, range), () => space.Ioas.Reserve(owner, range));
                break;
            case 1:
                space.Model.Unreserve(owner);
                space.Ioas.Unreserve(owner);
                break;
            default:
                List<IovaRange> list = [.. Enumerable.Range(0, _dice.Below(3)).Select(_ => Iova()).Select(first => new IovaRange(first, first + Length()))];
                Same(space.Model.Allow([.. list]), () => space.Ioas.AllowIovas([.. list]));
                break;
        }
    }

    private void MoveAccess(Space space)
    {
        Owner owner = _dice.From(_accesses);
        AccessModel model = owner.Model;
        Errno blocked = model.PinsPages ? space.Model.RequireAligned() : Errno.None;
        switch (_dice.Below(4))
        {
            case < 2:
                Errno attached = model.Ioas is not null ? Errno.EINVAL : blocked;
                Same(attached, () => owner.Access.Attach(space.Ioas));
                if (attached == Errno.None)
                {
                    space.Model.Join(model);
                }

                break;
            case 2:
                Errno replaced = model.Ioas is null ? Errno.ENOENT : model.Ioas == space.Model ? Errno.None : blocked;
                Same(replaced, () => owner.Access.Replace(space.Ioas));
                if (replaced == Errno.None && model.Ioas != space.Model)
                {
                    model.Ioas!.Leave(model);
                    space.Model.Join(model);
                    owner.Pins.Clear();
                }

                break;
            default:
                owner.Access.Detach();
                model.Ioas?.Leave(model);
                owner.Pins.Clear();
                break;
        }
    }

    private void Pin()
    {
        Owner owner = SomeAccess();
        if (owner.Pins.Count != 0 && _dice.OneIn(3))
        {
            IovaRange pin = _dice.From(owner.Pins);
            owner.Pins.Remove(pin);
            owner.Access.Unpin(pin.First, pin.Last - pin.First + 1);
            bool done = false;
            owner.Model.Ioas!.Unpin(owner.Model, range => !done && (done = range == pin));
            return;
        }

        (ulong iova, ulong length) = Mapped(owner.Model.Ioas);
        length = length > Places * Page ? 0 : length;
        bool write = _dice.OneIn(2);
        List<ulong> expected = [];
        Errno errno = !owner.Model.PinsPages ? Errno.EINVAL
            : owner.Model.Ioas is null ? Errno.ENOENT
            : owner.Model.Ioas.Pin(owner.Model, iova, length, write ? Access.Write : Access.Read, out expected);
        var found = new ulong[Places + 1];
        Same(errno, () => owner.Access.Pin(iova, length, found, write));
        if (errno == Errno.None)
        {
            owner.Pins.Add(new(iova, iova + (length - 1)));
            Assert.Equal(expected, found[..expected.Count]);
        }
    }

    /// <summary>Reads or writes bytes through an access; some may have been written before an error.</summary>
    private void Touch()
    {
        Owner owner = SomeAccess();
        ulong iova = Mapped(owner.Model.Ioas).Iova + (ulong)_dice.Below(600);
        var bytes = new byte[_dice.Of(0, 1, 63, 511, 4096, 9000)];
        bool write = _dice.OneIn(2);
        Array.Fill(bytes, (byte)_dice.Below(256));
        byte[] expected = [.. bytes];
        Errno errno = bytes.Length == 0 ? Errno.EINVAL
            : (ulong)bytes.Length - 1 > ulong.MaxValue - iova ? Errno.EOVERFLOW
            : owner.Model.Ioas is null ? Errno.ENOENT
            : Errno.None;
        for (int done = 0; errno == Errno.None && done < bytes.Length; done++)
        {
            errno = owner.Model.Ioas!.Parts(iova + (ulong)done, 1, out List<(AreaModel Area, ulong First, ulong Last)> parts);
            if (errno == Errno.None)
            {
                AreaModel area = parts[0].Area;
                errno = !area.Rights.HasFlag(write ? Access.Write : Access.Read) ? Errno.EPERM
                    : area.Pages.Locate(area.Start + (iova + (ulong)done - area.Iova), out ulong physical) is not Errno.None and var missing ? missing
                    : Move(physical, ref expected[done]);
            }
        }

        Same(errno, () =>
        {
            if (write)
            {
                owner.Access.Write(iova, bytes);
            }
            else
            {
                owner.Access.Read(iova, bytes);
            }
        });
        if (errno == Errno.None)
        {
            Assert.Equal(expected, bytes);
        }

        Errno Move(ulong physical, ref byte value)
        {
            if (write)
            {
                _ram[physical] = value;
            }
            else
            {
                value = _ram[physical];
            }

            return Errno.None;
        }
    }

    private static ulong? Physical(ProcessModel process, ulong page, bool write) =>
        process.Pages.TryGetValue(page, out (ulong Physical, bool Writable) found) && (found.Writable || !write) ? found.Physical : null;

    private static Errno CheckFlags(IoasMapOptions flags, ulong iova, ulong length) =>
        ((uint)flags & ~7u) != 0 ? Errno.EOPNOTSUPP
        : iova == ulong.MaxValue || length == ulong.MaxValue ? Errno.EOVERFLOW
        : Rights(flags) == Access.None ? Errno.EINVAL
        : Errno.None;

    private static bool IsFixed(IoasMapOptions flags) => flags.HasFlag(IoasMapOptions.FixedIova);

    private static Access Rights(IoasMapOptions flags) =>
        (flags.HasFlag(IoasMapOptions.Readable) ? Access.Read : Access.None)
        | (flags.HasFlag(IoasMapOptions.Writeable) ? Access.Write : Access.None);

    private static void Placed(Errno expected, ulong iova, Func<ulong> call)
    {
        ulong found = iova;
        Same(expected, () => found = call());
        Assert.Equal(expected == Errno.None ? iova : found, found);
    }

    private IoasMapOptions Flags() =>
        (_dice.OneIn(2) ? IoasMapOptions.FixedIova : IoasMapOptions.None)
        | _dice.Of(
            IoasMachine.ReadWrite, IoasMachine.ReadWrite, IoasMapOptions.Readable, IoasMapOptions.Writeable,
            _dice.OneIn(4) ? _dice.Of(IoasMapOptions.None, (IoasMapOptions)8 | IoasMapOptions.Readable) : IoasMachine.ReadWrite);

    /// <summary>Less than a page, now and then.</summary>
    private ulong Odd(int seldom) => _dice.OneIn(seldom) ? (ulong)_dice.Between(1, 7) * 512 : 0;

    private ulong Length() => _dice.OneIn(30) ? _dice.Of<ulong>(0, ulong.MaxValue, ulong.MaxValue - Page + 1, (1UL << 63) + Page)
        : (ulong)_dice.Between(1, _dice.OneIn(4) ? 24 : 5) * Page - Odd(8);

    private ulong Iova() => _dice.OneIn(30) ? _dice.Of(ulong.MaxValue, ulong.MaxValue - 2 * Page + 1, 0UL)
        : (_dice.OneIn(12) ? 1UL << 48 : _dice.OneIn(3) ? High : Low) + (ulong)_dice.Below(Places) * Page + Odd(10);

    /// <summary>Bytes in a mapping, mostly: some begin anywhere, some go beyond it.</summary>
    private (ulong Iova, ulong Length) Mapped(IoasModel? space)
    {
        if (space is null || space.Areas.Count == 0 || _dice.OneIn(12))
        {
            return (Iova(), Length());
        }

        AreaModel area = _dice.From(space.Areas);
        ulong within = (ulong)_dice.Below((int)((area.Length - 1) / 512) + 1) * 512;
        within = _dice.OneIn(8) ? within : within & ~(Page - 1);
        ulong rest = Math.Min(area.Length - within, 24 * Page);
        return (area.Iova + within, _dice.OneIn(6) ? Length() : _dice.OneIn(2) ? rest : Math.Min(rest, (ulong)_dice.Between(1, 3) * Page));
    }

    /// <summary>One that is attached, mostly.</summary>
    private Owner SomeAccess()
    {
        List<Owner> attached = _accesses.FindAll(static owner => owner.Model.Ioas is not null);
        return attached.Count == 0 || _dice.OneIn(10) ? _dice.From(_accesses) : _dice.From(attached);
    }
}
