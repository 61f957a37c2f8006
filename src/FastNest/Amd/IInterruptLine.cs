namespace FastNest.Amd;

/// <summary>Where interrupts arise: the IOMMU's own or those of one of its guests. Any thread may raise one, with locks held.</summary>
internal interface IInterruptLine
{
    /// <summary>Notes an interrupt; it is delivered later, where the embedder may call back.</summary>
    void Raise(IommuInterrupt interrupt);
}
