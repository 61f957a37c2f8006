using FastNest.Memory;

namespace FastNest.Traces;

/// <summary>Registers whose accesses are recorded. Accesses of other sizes than 1, 2, 4 and 8 do nothing and are no record.</summary>
internal sealed class RecordedWindow(RecordedMachine machine, RegisterWindow number, IMmioWindow window) : IMmioWindow
{
    public ulong Read(ulong offset, int size)
    {
        using RecordedMachine.Operation operation = machine.Begin();
        ulong value = window.Read(offset, size);
        if (IsAccess(size))
        {
            machine.Record(new RegisterRead(number, offset, size, value));
        }

        return value;
    }

    public void Write(ulong offset, int size, ulong value)
    {
        using RecordedMachine.Operation operation = machine.Begin();
        window.Write(offset, size, value);
        if (IsAccess(size))
        {
            machine.Record(new RegisterWritten(number, offset, size, value));
        }
    }

    private static bool IsAccess(int size) => size is 1 or 2 or 4 or 8;
}
