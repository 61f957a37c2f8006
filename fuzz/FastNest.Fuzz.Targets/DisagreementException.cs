namespace FastNest.Fuzz.Targets;

/// <summary>The engine and the reference, or two ways to answer, differ.</summary>
public sealed class DisagreementException : Exception
{
    public DisagreementException()
    {
    }

    public DisagreementException(string message)
        : base(message)
    {
    }

    public DisagreementException(string message, Exception innerException)
        : base(message, innerException)
    {
    }
}
