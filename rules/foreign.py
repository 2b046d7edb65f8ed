"""What the fast evaluators lack: a part of a CheckedExpr message in, a `Foreign` node out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from rules.expression import (
    BOOL,
    CIDR,
    DOUBLE,
    DURATION,
    INT,
    STRING,
    TIMESTAMP,
    Foreign,
    ListName,
    Name,
)
from rules.tree import Parsed, Tree, called
from rules.tree_writer import write_tree

RESULTS = (BOOL, INT, DOUBLE, STRING)
LIST_ELEMENTS = {"list(string)": STRING, "list(int)": INT, "list(double)": DOUBLE, CIDR: CIDR}

_NUMBERS = {INT, DOUBLE}
_ARITHMETIC = ("_+_", "_-_", "_*_", "_/_")


def plain(declared: str) -> str:
    """Give a type without saying that it may be null."""
    return declared.removeprefix("wrapper(").removesuffix(")") if declared.startswith("wrapper") else declared


def foreign(tree: Tree, parsed: Parsed, why: str, offset: int) -> Foreign:
    """Make the node of a part whose result is one of `RESULTS`."""
    written = normal(tree, parsed)
    written = written._replace(declared=f"wrapper({plain(written.declared)})")
    return Foreign(write_tree(written), plain(written.declared), tuple(inputs(written)), why, offset, written)


def normal(tree: Tree, parsed: Parsed) -> Tree:
    """Bring a part into the normal form of all expressions: an int beside a double is widened.

    The runtime has no arithmetic of an int and a double, and gives what a ternary's branch gives, whatever
    its type says.
    """
    children = tuple(normal(child, parsed) for child in tree.children)
    declared, reference = parsed.type(tree), parsed.reference(tree) if tree.kind == "call" else ()
    if tree.kind == "call" and tree.value in _ARITHMETIC and _mixed(children):
        children = tuple(map(_widened, children))
        reference = tuple(one.split("_")[0] + "_double" for one in reference)
    elif tree.kind == "call" and tree.value == "_?_:_" and _mixed(children[1:]):
        children = (children[0], *map(_widened, children[1:]))
        reference = ("conditional",)
    function = tree.value
    if tree.kind == "call" and function == "@in" and children[-1].declared == CIDR:
        # CEL's runtimes know `in` of lists and maps alone, and take other functions by name.
        function = "in_ranges"
    return Tree(0, tree.kind, function, tree.type, children, tree.member, declared, reference)


def inputs(tree: Tree, bound: frozenset[str] = frozenset()) -> Iterator[Name | ListName]:
    """Give the fields and lists that a part reads, each once: every name that no loop in it binds."""
    found: dict[str, Name | ListName] = {}
    _gather(tree, bound, found)
    yield from found.values()


def substituted(tree: Tree, parts: Mapping[str, Tree]) -> Tree:
    """Put a part in the place of each name, where no loop hides it."""
    if tree.kind == "name":
        return parts.get(tree.value.removeprefix("."), tree)
    if not tree.children or not parts:
        return tree
    inner = (
        {name: part for name, part in parts.items() if name not in tree.value}
        if tree.kind == "loop"
        else parts
    )
    children = (
        substituted(child, parts if position < 2 else inner) for position, child in enumerate(tree.children)
    )
    return tree._replace(children=tuple(children))


def _gather(tree: Tree, bound: frozenset[str], found: dict[str, Name | ListName]) -> None:
    if tree.kind == "name" and tree.value not in bound and tree.declared != "type":
        kind, name = plain(tree.declared), tree.value.removeprefix(".")
        element = LIST_ELEMENTS.get(kind)
        found.setdefault(name, ListName(name, element) if element else Name(name, kind))
    within = bound | set(tree.value) if tree.kind == "loop" else bound
    for position, child in enumerate(tree.children):
        # A loop's range and start are outside it.
        _gather(child, bound if position < 2 else within, found)


def _mixed(children: tuple[Tree, ...]) -> bool:
    return {plain(child.declared) for child in children} == _NUMBERS


def _widened(tree: Tree) -> Tree:
    if plain(tree.declared) != INT:
        return tree
    if tree.kind == "constant":
        return Tree(0, "constant", float(tree.value), DOUBLE, declared=DOUBLE)
    return called("double", "int64_to_double", tree, declared=DOUBLE)


FUNCTIONS = frozenset(
    (
        *("_&&_", "_||_", "!_", "_==_", "_!=_", "_<_", "_<=_", "_>_", "_>=_", "_?_:_", "@in"),
        *("_+_", "_-_", "_*_", "_/_", "_%_", "-_", "_[_]", "@not_strictly_false", "@index"),
        "in_ranges",
        *(BOOL, INT, "uint", DOUBLE, STRING, "bytes", TIMESTAMP, DURATION, "dyn", "type", "size"),
        *("matches", "contains", "startsWith", "endsWith", "charAt", "indexOf", "lastIndexOf", "lowerAscii"),
        *(
            "upperAscii",
            "replace",
            "split",
            "substring",
            "trim",
            "join",
            "reverse",
            "format",
            "strings.quote",
            *("base64.encode", "base64.decode", "cel.@mapInsert", "_?._", "_[?_]"),
            *(
                "optional.none",
                "optional.of",
                "optional.ofNonZeroValue",
                "hasValue",
                "value",
                "or",
                "orValue",
            ),
        ),
        *("getFullYear", "getMonth", "getDate", "getDayOfMonth", "getDayOfYear", "getDayOfWeek", "getHours"),
        *("getMinutes", "getSeconds", "getMilliseconds"),
        *(
            f"math.{name}"
            for name in ("@max", "@min", "ceil", "floor", "round", "trunc", "abs", "sign", "sqrt")
        ),
        *(f"math.{name}" for name in ("isNaN", "isInf", "isFinite")),
        *(f"math.bit{name}" for name in ("And", "Or", "Xor", "Not", "ShiftLeft", "ShiftRight")),
    )
)
"""Every function that a checked expression may call, whoever wrote its bytes."""
