using FastNest.Cli;

return CliApplication.Run(args, Console.Out, Console.Error);
