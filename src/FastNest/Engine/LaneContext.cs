using System.Runtime.CompilerServices;
using FastNest.Caches;
using FastNest.Formats;
using FastNest.Requests;

namespace FastNest.Engine;

/// <summary>What of a context requests that are walked side by side take with them, made ready when it is resolved.</summary>
internal struct LaneContext
{
    /// <summary>Whether there are tables to walk, which the context may read.</summary>
    public bool Walks;

    public LaneShape Shape;

    public ulong ShapeKey;

    /// <summary>The tag of the first stage if there is one, else of the second, as <see cref="DirectCache"/> has it.</summary>
    public ulong Tag;

    public ulong HostTag;
    public ulong Root;
    public ulong HostRoot;

    /// <summary>What answers tell: see <see cref="LaneAnswers"/>.</summary>
    public ulong Answers;

    private Access _permitted;
    private Access _wantedWithoutPrivilege;
    private bool _isNested;

    public static LaneContext Of(in TranslationContext context)
    {
        bool nested = context.Mode == ContextMode.Nested;
        ulong host = (ulong)context.Host.Tag << DirectCache.TagShift;
        LaneShape shape = LaneShape.Of(in context);
        return new()
        {
            Walks = nested
                ? (context.Host.Permissions & Access.Read) != 0
                : context.Mode == ContextMode.Host && context.Host.Levels != 0,
            Shape = shape,
            ShapeKey = shape.Key,
            Tag = nested ? (ulong)context.Guest.Tag << DirectCache.TagShift : host,
            HostTag = host,
            Root = context.Guest.Root,
            HostRoot = context.Host.Root,
            Answers = LaneAnswers.Of(in context),
            _permitted = context.Host.Permissions & Access.All,
            _wantedWithoutPrivilege = nested && context.Guest.EnforcesUser ? StageRights.User : Access.None,
            _isNested = nested,
        };
    }

    /// <summary>What pages must grant to a request.</summary>
    /// <returns>False when that is nothing, or when the context alone refuses it.</returns>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly bool TryNeeds(in TranslationRequest request, out ulong needs)
    {
        Access access = request.Access;
        Access rights = access;
        if (_isNested)
        {
            rights |= (access & Access.Execute) != 0 ? Access.Read : Access.None;
        }

        needs = (ulong)(rights | (request.Privileged ? Access.None : _wantedWithoutPrivilege));
        return access != Access.None && (rights & ~_permitted) == 0;
    }
}
