using System.Runtime.CompilerServices;
using FastNest.Caches;
using FastNest.Engine;
using FastNest.Lanes;
using Xunit;

namespace FastNest.Tests.Engine;

public sealed class LaneRequestsTests
{
    private static readonly LaneContext s_context = Context(1);

    /// <summary>Columns are kept from batch to batch, so each of them must be noticed when it alone is another.</summary>
    [Fact]
    public void WhateverDiffersFromTheLastBatchIsSetOutAnew()
    {
        LaneContext[] others =
        [
            s_context with { Tag = Tag(9) }, s_context with { HostTag = Tag(9) }, s_context with { Root = 9 }, s_context with { HostRoot = 9 }, s_context with { Answers = Answers(9) },
        ];
        foreach (LaneContext other in others)
        {
            var requests = new LaneRequests(new LaneRequesters(0));
            Take(requests, [0x1000, 0x2000], 1, in s_context);
            Check(requests, 1, [0x1000, 0x2000], in s_context, 1);
            Take(requests, [0x3000, 0x4000, 0x5000], 1, in other);
            Check(requests, 2, [0x3000, 0x4000, 0x5000], in other, 1);
        }

        var asked = new LaneRequests(new LaneRequesters(0));
        Take(asked, [0x1000], 1, in s_context);
        Take(asked, [0x1000], 2, in s_context);
        Check(asked, 0, [0x1000], in s_context, 2);
    }

    [Fact]
    public void RequestsOfSeveralRequestersMoveWithAllTheirColumns()
    {
        var requests = new LaneRequests(new LaneRequesters(0));
        Take(requests, [0x1000, 0x2000], 1, in s_context);
        requests.Clear();
        LaneContext other = Context(11);
        requests.Set(requests.Count++, 20, 0x6000, Requester(6, in s_context));
        requests.Set(requests.Count++, 22, 0x7000, Requester(7, in other));
        requests.Keep<PortableLanes>(0, 0b10, 0);
        Assert.Equal((0x7000UL, 22), (requests.Iovas, (int)requests.Places));
        requests.Count = 1;
        Check(requests, 0, [0x7000], in other, 7);
    }

    /// <summary>What was kept of requesters is set out when asked for, and no later than another takes their place.</summary>
    [Fact]
    public void RequestsOfKeptRequestersAreSetOutOfThem()
    {
        var requesters = new LaneRequesters(2);
        var requests = new LaneRequests(requesters);
        LaneContext other = Context(11);
        LaneRequester even = Requester(6, in s_context) with { Who = 2 };
        LaneRequester odd = Requester(7, in other) with { Who = 3 };
        requesters.Keep(in even, default);
        requesters.Keep(in odd, default);
        requests.Clear();
        requests.Set(requests.Count++, 20, 0x6000, odd.Bound, 1);
        requests.Set(requests.Count++, 21, 0x7000, even.Bound, 0);
        requests.SetOutTaken();
        requesters.Keep(even with { Roots = default }, default);
        requesters.Keep(odd with { Roots = default }, default);
        requests.SetOut(0, 2);
        Check(requests, 0, [0x6000, 0x7000], in other, 7);
        Check(requests, 1, [0x6000, 0x7000], in s_context, 6);
        Assert.Equal((20, 21), ((int)requests.Places, (int)Unsafe.Add(ref requests.Places, 1)));
    }

    /// <summary>Whoever had places of its own leaves none of them behind.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void AddressesOfOneRequesterStandInTheirOrder(bool moved)
    {
        var requests = new LaneRequests(new LaneRequesters(0));
        Take(requests, [0x1000, 0x2000], 1, in s_context);
        if (moved)
        {
            requests.Keep<PortableLanes>(0, 0b10, 0);
        }
        else
        {
            requests.Clear();
            requests.Set(requests.Count++, 7, 0x1000, Requester(1, in s_context));
        }

        Take(requests, [0x3000, 0x4000], 1, in s_context);
        Assert.Equal([0UL, 1], new[] { requests.Places, Unsafe.Add(ref requests.Places, 1) });
        Check(requests, 1, [0x3000, 0x4000], in s_context, 1);
    }

    [Fact]
    public void TheLastGroupIsFilledUpWithTheLastRequest()
    {
        var requests = new LaneRequests(new LaneRequesters(0));
        requests.Clear();
        LaneContext other = Context(11);
        requests.Set(requests.Count++, 20, 0x6000, Requester(6, in s_context));
        requests.Set(requests.Count++, 22, 0x7000, Requester(7, in other));
        requests.Pad();
        Assert.Equal(2, requests.Count);
        for (int i = 1; i < 8; i++)
        {
            requests.Keep<PortableLanes>(i, 1, 0);
            requests.Count = 1;
            Check(requests, 0, [0x7000], in other, 7);
            requests.Count = 2;
        }
    }

    private static LaneContext Context(uint first) =>
        new() { Tag = Tag(first), HostTag = Tag(first + 1), Root = first + 2, HostRoot = first + 3, Answers = Answers(first + 4) };

    private static ulong Tag(uint number) => (ulong)number << DirectCache.TagShift;

    private static ulong Answers(uint domain) => (ulong)domain << 48 | 0x3F0 | 5;

    private static void Take(LaneRequests requests, ulong[] iovas, ulong needs, in LaneContext context)
    {
        requests.Bind(needs, in context);
        requests.Take(iovas);
    }

    private static LaneRequester Requester(ulong needs, in LaneContext context) =>
        new(1, LaneBound.Of(needs, in context), new(context.Root, context.HostRoot));

    private static void Check(LaneRequests requests, int at, ulong[] iovas, in LaneContext context, ulong needs)
    {
        Assert.Equal(iovas.Length, requests.Count);
        Assert.Equal(iovas[at], Unsafe.Add(ref requests.Iovas, at));
        Assert.Equal(
            (context.Tag, context.HostTag, context.Root, context.HostRoot, context.Answers, needs),
            (Unsafe.Add(ref requests.Tags, at),
                Unsafe.Add(ref requests.HostTags, at),
                Unsafe.Add(ref requests.Roots, at),
                Unsafe.Add(ref requests.HostRoots, at),
                Unsafe.Add(ref requests.Answers, at),
                Unsafe.Add(ref requests.Needs, at)));
    }
}
