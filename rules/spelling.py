"""Checked nodes back in words: CEL as an author would write it, for messages."""

from __future__ import annotations

from rules.expression import (
    DOUBLE,
    STRING,
    TIMESTAMP,
    Call,
    ListLiteral,
    ListName,
    Literal,
    Name,
    Node,
    children,
    walk,
)
from rules.functions import TABLE
from rules.functions.clock import format_timestamp
from rules.functions.table import Function

LONGEST = 100
_SILENT = ("int64_to_double",)
_BINDING = {
    "_?_:_": 1,
    "_||_": 2,
    "_&&_": 3,
    "!_": 7,
    "-_": 7,
    "_*_": 6,
    "_/_": 6,
    "_%_": 6,
    "_+_": 5,
    "_-_": 5,
}
_ATOM, _RELATION = 8, 4


def spell(node: Node, *, longest: int | None = LONGEST) -> str:
    """Write a node; a text longer than `longest` characters is cut.

    >>> spell(Call("less_int64", (Name("age", "int"), Literal("int", 18)), "bool"))
    'age < 18'
    """
    text = _spell(node)[0]
    return text if longest is None or len(text) <= longest else text[: longest - 1] + "…"


def start(node: Node) -> int:
    """Give the least offset of a node and all below it: where its text begins, brackets aside."""
    known = [part.offset for part in walk(node) if part.offset >= 0]
    return min(known, default=0)


def _spell(node: Node) -> tuple[str, int]:
    """Give the text and how tightly it binds."""
    if isinstance(node, Literal):
        return _literal(node), _ATOM
    if isinstance(node, Name | ListName):
        return node.name, _ATOM
    if isinstance(node, ListLiteral):
        return f"[{', '.join(_spell(part)[0] for part in node.elements)}]", _ATOM
    if not isinstance(node, Call):
        inner = ", ".join(_spell(part)[0] for part in children(node))
        return f"{type(node).__name__.lower()}({inner})", _ATOM
    if node.overload in _SILENT:
        return _spell(node.arguments[0])
    row = TABLE[node.overload]
    return _operator(row.name, node.arguments) or _function(row, node.arguments)


def _operator(name: str, parts: tuple[Node, ...]) -> tuple[str, int] | None:
    binding = _BINDING.get(name, _RELATION)
    if name == "_?_:_":
        condition, yes, no = (_bracketed(part, 2) for part in parts)
        return f"{condition} ? {yes} : {no}", binding
    if name in ("!_", "-_"):
        return name[0] + _bracketed(parts[0], binding), binding
    word = name.strip("_@")
    if len(parts) != 2 or (word.isalpha() and word != "in"):
        return None
    # `a - (b - c)` needs its brackets, `(a - b) - c` does not; a relation of relations always does.
    left = binding + (binding == _RELATION)
    right = binding + (name not in ("_&&_", "_||_"))
    return f"{_bracketed(parts[0], left)} {word} {_bracketed(parts[1], right)}", binding


def _function(row: object, parts: tuple[Node, ...]) -> tuple[str, int]:
    name = getattr(row, "name", "")
    if isinstance(row, Function) and row.member:
        rest = ", ".join(_spell(part)[0] for part in parts[1:])
        return f"{_bracketed(parts[0], _ATOM)}.{name}({rest})", _ATOM
    return f"{name}({', '.join(_spell(part)[0] for part in parts)})", _ATOM


def _bracketed(node: Node, binding: int) -> str:
    text, own = _spell(node)
    return text if own >= binding else f"({text})"


def _literal(node: Literal) -> str:
    if node.value is None:
        return "null"
    if isinstance(node.value, bool):
        return "true" if node.value else "false"
    if node.type == STRING:
        escaped = node.value.replace("\\", "\\\\").replace("'", "\\'")
        return "'" + "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in escaped) + "'"
    if node.type == TIMESTAMP:
        text = format_timestamp(node.value)
        return f"timestamp('{text.replace('.000000Z', 'Z')}')"
    if node.type == "duration":
        return f"duration('{node.value / 1e6:g}s')"
    if node.type == DOUBLE and node.value == int(node.value) and abs(node.value) < 1e15:
        return str(int(node.value))
    return repr(node.value)
