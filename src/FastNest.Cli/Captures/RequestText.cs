using FastNest.Requests;

namespace FastNest.Cli.Captures;

/// <summary>Requests in words.</summary>
internal static class RequestText
{
    public static string Describe(in TranslationRequest request)
    {
        string pasid = request.HasPasid ? $" pasid {request.Pasid}" : "";
        string privileged = request.Privileged ? " privileged" : "";
        return $"{request.Device}{pasid} {AccessWord.Of(request.Access)}{privileged} 0x{request.Iova:x}";
    }
}
