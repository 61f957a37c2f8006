using System.Runtime.CompilerServices;
using FastNest.Requests;
using FsCheck.Xunit;
using Xunit;

namespace FastNest.Tests.Requests;

public sealed class TranslationRequestTests
{
    /// <summary>Four requests or answers fill a cache line.</summary>
    [Fact]
    public void RequestsAndAnswersAreSixteenBytes() =>
        Assert.Equal((16, 16), (Unsafe.SizeOf<TranslationRequest>(), Unsafe.SizeOf<TranslationResult>()));

    [Property]
    public void WhatARequestIsMadeOfIsFoundInIt(ulong iova, uint device, uint pasid, byte access, byte kind, bool privileged)
    {
        pasid &= (1u << TranslationRequest.PasidBits) - 1;
        var asked = (RequestKind)(kind % 3);
        TranslationRequest request = new(new(device), pasid, iova, (Access)(access & 7), privileged) { Kind = asked };
        Assert.Equal(
            (iova, new DeviceId(device), true, pasid, (Access)(access & 7), privileged, asked),
            (request.Iova, request.Device, request.HasPasid, request.Pasid, request.Access, request.Privileged, request.Kind));

        TranslationRequest moved = request with { Iova = ~iova, Device = new(~device), Kind = RequestKind.Untranslated };
        Assert.Equal(
            (~iova, new DeviceId(~device), pasid, (Access)(access & 7), privileged, RequestKind.Untranslated),
            (moved.Iova, moved.Device, moved.Pasid, moved.Access, moved.Privileged, moved.Kind));

        TranslationRequest plain = new(new(device), iova, (Access)(access & 7));
        Assert.Equal((false, 0u, false), (plain.HasPasid, plain.Pasid, plain.Privileged));
    }
}
