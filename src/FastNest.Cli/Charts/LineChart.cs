using System.Globalization;
using System.Xml.Linq;

namespace FastNest.Cli.Charts;

/// <summary>One line of a chart.</summary>
/// <param name="Name">What the legend says.</param>
/// <param name="Points">Its points, from left to right; both coordinates above 0.</param>
internal sealed record ChartLine(string Name, IReadOnlyList<(double X, double Y)> Points);

/// <summary>Lines over two logarithmic axes, as a picture in SVG.</summary>
internal static class LineChart
{
    private const double Width = 860;
    private const double Height = 480;
    private const double Left = 70;
    private const double Right = 170;
    private const double Top = 50;
    private const double Bottom = 60;

    private static readonly XNamespace Svg = "http://www.w3.org/2000/svg";
    private static readonly string[] Colours = ["#d62728", "#ff7f0e", "#bcbd22", "#2ca02c", "#17becf", "#1f77b4", "#9467bd", "#8c564b", "#444444"];

    /// <summary>Draws a chart; ticks stand at the lines' own x, and at powers of ten of y.</summary>
    public static XDocument Draw(string title, string xTitle, string yTitle, IReadOnlyList<ChartLine> lines, Func<double, string> xLabel)
    {
        double[] xs = [.. lines.SelectMany(line => line.Points).Select(point => point.X).Distinct().Order()];
        double[] ys = [.. lines.SelectMany(line => line.Points).Select(point => point.Y)];
        double floor = Math.Pow(10, Math.Floor(Math.Log10(ys.Min())));
        double ceiling = Math.Pow(10, Math.Ceiling(Math.Log10(ys.Max())));
        double AtX(double x) => Place(x, xs[0], xs[^1], Left, Width - Right);
        double AtY(double y) => Place(y, floor, ceiling, Height - Bottom, Top);

        var picture = new XElement(
            Svg + "svg",
            new XAttribute("viewBox", FormattableString.Invariant($"0 0 {Width} {Height}")),
            new XAttribute("font-family", "sans-serif"),
            new XAttribute("font-size", 13),
            new XElement(Svg + "rect", new XAttribute("width", Width), new XAttribute("height", Height), new XAttribute("fill", "white")),
            Text(Left, Top - 20, title, "start", 16),
            Text((Left + Width - Right) / 2, Height - 15, xTitle, "middle"),
            Text(Left, Top - 4, yTitle, "end"));
        foreach (double x in xs)
        {
            picture.Add(Line(AtX(x), Top, AtX(x), Height - Bottom), Text(AtX(x), Height - Bottom + 18, xLabel(x), "middle"));
        }

        for (double y = floor; y <= ceiling * 1.01; y *= 10)
        {
            picture.Add(Line(Left, AtY(y), Width - Right, AtY(y)), Text(Left - 8, AtY(y) + 4, y.ToString("G4", CultureInfo.InvariantCulture), "end"));
        }

        for (int i = 0; i < lines.Count; i++)
        {
            string colour = Colours[i % Colours.Length];
            string points = string.Join(' ', lines[i].Points.Select(point => FormattableString.Invariant($"{AtX(point.X):F1},{AtY(point.Y):F1}")));
            XElement name = Text(Width - Right + 12, Top + 10 + i * 20, lines[i].Name, "start");
            name.SetAttributeValue("fill", colour);
            picture.Add(
                new XElement(
                    Svg + "polyline",
                    new XAttribute("points", points),
                    new XAttribute("fill", "none"),
                    new XAttribute("stroke", colour),
                    new XAttribute("stroke-width", 2)),
                name);
        }

        return new(picture);
    }

    private static double Place(double value, double low, double high, double from, double to) =>
        high <= low ? (from + to) / 2 : from + (to - from) * Math.Log(value / low) / Math.Log(high / low);

    private static XElement Line(double x1, double y1, double x2, double y2) => new(
        Svg + "line",
        new XAttribute("x1", Round(x1)),
        new XAttribute("y1", Round(y1)),
        new XAttribute("x2", Round(x2)),
        new XAttribute("y2", Round(y2)),
        new XAttribute("stroke", "#dddddd"));

    private static XElement Text(double x, double y, string text, string anchor, int size = 13) => new(
        Svg + "text",
        new XAttribute("x", Round(x)),
        new XAttribute("y", Round(y)),
        new XAttribute("text-anchor", anchor),
        new XAttribute("font-size", size),
        text);

    private static double Round(double value) => Math.Round(value, 1);
}
