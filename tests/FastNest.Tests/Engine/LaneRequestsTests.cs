using System.Runtime.CompilerServices;
using FastNest.Engine;
using FastNest.Lanes;
using Xunit;

namespace FastNest.Tests.Engine;

public sealed class LaneRequestsTests
{
    private static readonly LaneContext s_context = new() { Tag = 1, HostTag = 2, Root = 3, HostRoot = 4, Answers = 5 };

    /// <summary>Columns are kept from batch to batch, so each of them must be noticed when it alone is another.</summary>
    [Fact]
    public void WhateverDiffersFromTheLastBatchIsSetOutAnew()
    {
        LaneContext[] others =
        [
            s_context with { Tag = 9 }, s_context with { HostTag = 9 }, s_context with { Root = 9 }, s_context with { HostRoot = 9 }, s_context with { Answers = 9 },
        ];
        foreach (LaneContext other in others)
        {
            var requests = new LaneRequests();
            Take(requests, [0x1000, 0x2000], 1, in s_context);
            Check(requests, 1, [0x1000, 0x2000], in s_context, 1);
            Take(requests, [0x3000, 0x4000, 0x5000], 1, in other);
            Check(requests, 2, [0x3000, 0x4000, 0x5000], in other, 1);
        }

        var asked = new LaneRequests();
        Take(asked, [0x1000], 1, in s_context);
        Take(asked, [0x1000], 2, in s_context);
        Check(asked, 0, [0x1000], in s_context, 2);
    }

    [Fact]
    public void RequestsOfSeveralRequestersMoveWithAllTheirColumns()
    {
        var requests = new LaneRequests();
        Take(requests, [0x1000, 0x2000], 1, in s_context);
        requests.Clear();
        LaneContext other = new() { Tag = 11, HostTag = 12, Root = 13, HostRoot = 14, Answers = 15 };
        requests.Set(requests.Count++, 20, 0x6000, Requester(6, in s_context));
        requests.Set(requests.Count++, 22, 0x7000, Requester(7, in other));
        requests.Keep<PortableLanes>(0, 0b10, 0);
        Assert.Equal((0x7000UL, 22UL), (requests.Iovas, requests.Places));
        requests.Count = 1;
        Check(requests, 0, [0x7000], in other, 7);
    }

    /// <summary>Whoever had places of its own leaves none of them behind.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void AddressesOfOneRequesterStandInTheirOrder(bool moved)
    {
        var requests = new LaneRequests();
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
        var requests = new LaneRequests();
        requests.Clear();
        LaneContext other = new() { Tag = 11, HostTag = 12, Root = 13, HostRoot = 14, Answers = 15 };
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

    private static void Take(LaneRequests requests, ulong[] iovas, ulong needs, in LaneContext context)
    {
        requests.Bind(needs, in context);
        requests.Take(iovas);
    }

    private static LaneRequester Requester(ulong needs, in LaneContext context) =>
        new(1, 1, 1, needs, context.Tag, context.HostTag, context.Root, context.HostRoot, context.Answers);

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
