using System.CommandLine;
using FastNest.Engine;
using FastNest.Fuzz;
using FastNest.Fuzz.Soak;
using FastNest.Fuzz.Targets;

var seconds = new Option<int>("--seconds") { Description = "How long to run.", DefaultValueFactory = _ => 60 };
var seed = new Option<int>("--seed") { Description = "Chooses what is done.", DefaultValueFactory = _ => Environment.TickCount };
var translators = new Option<int>("--translators") { Description = "Threads that translate.", DefaultValueFactory = _ => 1 };
var tiny = new Option<bool>("--tiny") { Description = "One entry in every cache, and tags that run out at once." };
var soak = new Command("soak", "Translators against a thread that changes tables and invalidates: nothing stale after a wait.")
{
    seconds, seed, translators, tiny,
};
soak.SetAction(parsed =>
{
    CacheOptions caches = parsed.GetValue(tiny) ? CacheOptions.Smallest : new();
    int chosen = parsed.GetValue(seed);
    SoakReport report = ConcurrentSoak.Run(TimeSpan.FromSeconds(parsed.GetValue(seconds)), parsed.GetValue(translators), chosen, caches);
    Console.WriteLine($"seed {chosen}: {report.Translations} translations, {report.Invalidations} invalidations, {report.Ports} ports, {report.Violations} violations");
    if (report.First is { } first)
    {
        Console.WriteLine(first);
    }

    return report.Violations == 0 ? 0 : 1;
});
var target = new Option<string>("--target") { Description = "What is fed.", Required = true };
target.AcceptOnlyFromAmong([.. FuzzTargets.All.Select(one => one.Name)]);
var afl = new Command("afl", "Feeds a target with what AFL++ gives; alone, with what stands at standard input.") { target };
afl.SetAction(parsed =>
{
    IFuzzTarget chosen = FuzzTargets.Find(parsed.GetValue(target)!)!;
    SharpFuzz.Fuzzer.OutOfProcess.Run(stream =>
    {
        using var input = new MemoryStream();
        stream.CopyTo(input);
        chosen.Run(input.ToArray(), new());
    });
});
var place = new Argument<string>("place") { Description = "Where." };
place.AcceptOnlyFromAmong([.. Fences.Places]);
var fence = new Command("fence", "Touches memory; with FASTNEST_FENCED=1 the process ends where that must not be.") { place };
fence.SetAction(parsed => Console.WriteLine($"read {Fences.Touch(parsed.GetValue(place)!)}"));
return new RootCommand("Attacks FastNest.") { soak, afl, fence }.Parse(args).Invoke();
