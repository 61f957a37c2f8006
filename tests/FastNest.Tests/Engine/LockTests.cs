using System.Collections;
using System.Reflection;
using FastNest.Amd;
using FastNest.Engine;
using FastNest.Requests;
using FastNest.Tests.Machine;
using Xunit;

namespace FastNest.Tests.Engine;

/// <summary>A granted translation takes no lock: it comes to its end while another thread holds every one that it could reach.</summary>
public sealed class LockTests
{
    private const int Patience = 20_000;
    private const uint Device = 0x20;
    private const ulong Gcr3 = 0x70_0000;
    private const ulong GuestRoot = 0x71_0000;

    public static TheoryData<WalkStrategy> Strategies => [.. WalkStrategies.Supported];

    [Theory]
    [MemberData(nameof(Strategies))]
    public void AGrantedTranslationTakesNoLock(WalkStrategy strategy)
    {
        using TestMachine machine = Machine();
        using TranslationPort port = machine.Iommu.OpenPort(new(), strategy);
        HashSet<object> found = Reachable(machine.Iommu, port);
        Assert.Contains(found, static item => item is AmdIommu);
        Assert.InRange(found.Count(static item => item is Lock), 5, int.MaxValue);
        using var held = new ManualResetEventSlim();
        using var done = new ManualResetEventSlim();
        using var holder = new Worker(() => Hold(found, held, done));
        int granted = 0;
        using var translator = new Worker(() => granted = Translate(port));
        try
        {
            holder.Start();
            Assert.True(held.Wait(Patience));
            translator.Start();
            Assert.True(translator.Join(Patience), "a translation waited for a lock");
        }
        finally
        {
            done.Set();
        }

        Assert.True(holder.Join(Patience));
        Assert.Equal(3 * (1 + 64), granted);
    }

    /// <summary>First without anything known, then from the caches; alone and side by side.</summary>
    private static int Translate(TranslationPort port)
    {
        int granted = 0;
        ulong[] iovas = [.. Enumerable.Range(0, 64).Select(static i => (ulong)i << 12)];
        var results = new TranslationResult[iovas.Length];
        for (int round = 0; round < 3; round++)
        {
            granted += port.Translate(new TranslationRequest(new(Device), 1, 0x5000, Access.Write)).Succeeded ? 1 : 0;
            port.Translate(new Requester(new(Device), 1), iovas, Access.Write, results);
            granted += results.Count(static result => result.Succeeded);
        }

        return granted;
    }

    private static TestMachine Machine()
    {
        var machine = new TestMachine(IommuFeatures.Built.ExtendedFeatures, IommuFeatures.Built.ExtendedFeatures2);
        ulong host = machine.NewTable();
        for (ulong page = 0; page < 8; page++)
        {
            machine.SetEntry(host, 3, page << 21, 2, Bits.Pte(page << 21));
        }

        machine.Poke(Gcr3 + 8, GuestRoot | 1);
        for (ulong level = 0; level < 3; level++)
        {
            machine.Poke(GuestRoot + level * 0x1000, (GuestRoot + (level + 1) * 0x1000) | 7);
        }

        for (ulong page = 0; page < 64; page++)
        {
            machine.Poke(GuestRoot + 0x3000 + page * 8, (0x80_0000 + (page << 12)) | 7);
        }

        machine.SetDte(Device, Bits.DteLow(host, 3) | Bits.GuestLow(Gcr3), 5 | Bits.GuestMiddle(Gcr3));
        return machine.Start(Mmio.GTEn | 1UL << 58);
    }

    private static void Hold(HashSet<object> items, ManualResetEventSlim held, ManualResetEventSlim done)
    {
        foreach (object item in items)
        {
            if (item is Lock named)
            {
                named.Enter();
            }
            else
            {
                Monitor.Enter(item);
            }
        }

        held.Set();
        done.Wait();
        foreach (object item in items)
        {
            if (item is Lock named)
            {
                named.Exit();
            }
            else
            {
                Monitor.Exit(item);
            }
        }
    }

    /// <summary>Every object that the engine's own objects and statics refer to, and which could thus be locked.</summary>
    private static HashSet<object> Reachable(params object[] roots)
    {
        var found = new HashSet<object>(ReferenceEqualityComparer.Instance);
        var open = new Queue<object>(roots);
        Assembly engine = typeof(AmdIommu).Assembly;
        foreach (Type type in engine.GetTypes().Where(static type => !type.ContainsGenericParameters))
        {
            foreach (FieldInfo field in type.GetFields(BindingFlags.Static | BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.DeclaredOnly))
            {
                Open(field, null);
            }
        }

        while (open.TryDequeue(out object? item))
        {
            if (!item.GetType().IsValueType && !found.Add(item))
            {
                continue;
            }

            if (item is Array array)
            {
                if (MayRefer(array.GetType().GetElementType()!))
                {
                    Array.ForEach([.. ((IEnumerable)array).Cast<object?>()], Add);
                }

                continue;
            }

            for (Type? type = item.GetType(); type is not null && type.Assembly == engine; type = type.BaseType)
            {
                foreach (FieldInfo field in type.GetFields(BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.DeclaredOnly))
                {
                    Open(field, item);
                }
            }
        }

        return found;

        void Open(FieldInfo field, object? item)
        {
            if (!field.IsLiteral && MayRefer(field.FieldType))
            {
                Add(field.GetValue(item));
            }
        }

        void Add(object? value)
        {
            if (value is not (null or string or Delegate or Type))
            {
                open.Enqueue(value);
            }
        }

        bool MayRefer(Type type) => !type.IsPointer && !type.IsPrimitive && !type.IsEnum && !type.IsByRefLike
            && (!type.IsValueType || (type.Assembly == engine && type
                .GetFields(BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic).Any(field => MayRefer(field.FieldType))));
    }
}
