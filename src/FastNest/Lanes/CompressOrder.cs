namespace FastNest.Lanes;

/// <summary>For each four bits, in which order 32-bit halves of four lanes move so that the chosen lanes stand first.</summary>
internal static class CompressOrder
{
    public static readonly int[] Table = Build();

    private static int[] Build()
    {
        var table = new int[16 * 8];
        for (int bits = 0; bits < 16; bits++)
        {
            int at = bits * 8;
            for (int lane = 0; lane < 4; lane++)
            {
                if ((bits >> lane & 1) != 0)
                {
                    table[at++] = lane * 2;
                    table[at++] = lane * 2 + 1;
                }
            }
        }

        return table;
    }
}
