using BenchmarkDotNet.Running;

BenchmarkSwitcher.FromAssembly(typeof(FastNest.Benchmarks.TranslationBenchmarks).Assembly).Run(args);
