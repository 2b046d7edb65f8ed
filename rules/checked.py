"""From a CheckedExpr message to typed nodes in normal form, and back to deterministic bytes.

Normal form: mixed int and double operands of an ordering, of arithmetic and of a ternary are widened to
double (the runtime has no mixed arithmetic), a timestamp('…') is a literal, and nothing is left that the
operator table does not name. Types are worked out anew from the leaves; the message is not believed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from rules import wire
from rules.errors import UnreadableExpression
from rules.expression import (
    BOOL,
    CIDR,
    DOUBLE,
    INT,
    LIST,
    NULL,
    STRING,
    TIMESTAMP,
    TYPES,
    Call,
    CheckedExpression,
    ListLiteral,
    ListName,
    Literal,
    Name,
    Node,
    walk,
)
from rules.functions import ROWS, TABLE
from rules.functions.clock import format_timestamp, parse_timestamp
from rules.functions.table import Function
from rules.functions.text import bad_pattern
from rules.wire import Parsed, Tree

BY_CALL = {(row.name, row.member, row.arguments): row for row in ROWS}
SUPPORTED = sorted({row.name for row in ROWS if row.name.isalpha()} | {TIMESTAMP})
SHOWN = 80
FAILED = Literal("failed", None)

_LOGIC = {"_&&_": "logical_and", "_||_": "logical_or", "!_": "logical_not"}
_EQUALITY = {"_==_": "equals", "_!=_": "not_equals"}
_NUMBERS = {INT, DOUBLE}
_LIST_ELEMENTS = {"list(string)": STRING, "list(int)": INT, "list(double)": DOUBLE, CIDR: CIDR}


def decode(text: str, checked: bytes, variables: Mapping[str, str] | None = None) -> CheckedExpression:
    """Read a checked expression from its bytes, as a bundle keeps them; CEL itself is not needed.

    `variables`, if given, are the types that names must have: `{"amount": "double", …}`.

    Raises UnreadableExpression for bytes that are no expression of ours, whatever they hold.
    """
    builder = Builder(wire.read(checked))
    node = builder.build()
    if builder.problems:
        raise UnreadableExpression(f"the checked expression of {_short(text)}: {builder.problems[0].message}")
    for name in walk(node):
        if isinstance(name, Name) and variables is not None and variables.get(name.name) != name.type:
            raise UnreadableExpression(
                f"the checked expression of {_short(text)}: no {name.type} named {name.name!r}"
            )
    return express(text, node, checked)


def express(text: str, node: Node, checked: bytes | None = None) -> CheckedExpression:
    """Put nodes and what follows from them together; `checked` are their bytes, where they are known."""
    names = list(walk(node))
    return CheckedExpression(
        text=text,
        type=node.type,
        node=node,
        variables=frozenset(n.name for n in names if isinstance(n, Name)),
        lists=frozenset(n.name for n in names if isinstance(n, ListName)),
        checked=encode(node) if checked is None else checked,
    )


def encode(node: Node) -> bytes:
    """Write nodes as a CheckedExpr message: ids in pre-order, references and types in id order."""
    encoder = Encoder()
    expression = encoder.write(node)
    return b"".join(encoder.references) + b"".join(encoder.types) + wire.block(4, expression)


def widen(node: Node) -> Node:
    """Make an int a double."""
    if node.type != INT:
        return node
    if isinstance(node, Literal):
        return Literal(DOUBLE, float(node.value), node.offset)
    return Call("int64_to_double", (node,), DOUBLE, node.offset)


@dataclass(frozen=True)
class Trouble:
    """What cannot be used, at an offset in the text."""

    offset: int
    message: str
    hint: str = ""


@dataclass
class Builder:
    """Builds nodes from one message; every trouble found is kept, and FAILED stands in its place."""

    parsed: Parsed
    problems: list[Trouble] = field(default_factory=list)

    def build(self) -> Node:
        """Build the whole expression."""
        node = self._node(self.parsed.tree)
        if node.type == LIST:
            return self._trouble(node.offset, "a list stands alone; lists belong on the right of 'in'")
        return node

    def _node(self, tree: Tree) -> Node:
        offset = self.parsed.positions.get(tree.id, -1)
        if tree.kind == "constant":
            if tree.type not in (*TYPES, NULL):
                return self._trouble(offset, f"{tree.type} values are not supported yet")
            return Literal(tree.type, tree.value, offset)
        if tree.kind == "name":
            return self._name(tree, offset)
        if tree.kind == "list":
            return ListLiteral(tuple(self._node(child) for child in tree.children), offset)
        if tree.kind == "call":
            return self._call(tree, offset)
        return self._trouble(offset, f"{tree.value} is not supported yet")

    def _name(self, tree: Tree, offset: int) -> Node:
        declared = wire.type_name(self.parsed.types.get(tree.id, b""))
        kind = declared.removeprefix("wrapper(").removesuffix(")") if declared.startswith("w") else declared
        if kind in TYPES:
            return Name(tree.value, kind, offset)
        if kind in _LIST_ELEMENTS:
            return ListName(tree.value, _LIST_ELEMENTS[kind], offset)
        return self._trouble(
            offset, f"'{tree.value}' is a {kind or 'name without a type'}, which is not supported yet"
        )

    def _call(self, tree: Tree, offset: int) -> Node:
        arguments = tuple(self._node(child) for child in tree.children)
        if any(argument.type == FAILED.type for argument in arguments):
            return FAILED
        if tree.value in ("@in", "in_ranges") and len(arguments) == 2:
            return self._membership(arguments[0], arguments[1], offset)
        for argument in arguments:
            if argument.type == LIST:
                return self._trouble(
                    argument.offset, "lists are supported on the right of 'in' alone, as yet"
                )
        types = tuple(argument.type for argument in arguments)
        if (
            tree.value in _LOGIC
            and set(types) <= {BOOL, NULL}
            and len(types) == (1 if tree.value == "!_" else 2)
        ):
            return Call(_LOGIC[tree.value], arguments, BOOL, offset)
        if tree.value in _EQUALITY and len(types) == 2 and _comparable(*types):
            left, right = _alike(*arguments)
            return Call(_EQUALITY[tree.value], (left, right), BOOL, offset)
        if tree.value == "_?_:_" and len(types) == 3:
            return self._conditional(arguments[0], arguments[1], arguments[2], offset)
        if tree.value == TIMESTAMP and len(arguments) == 1 and isinstance(arguments[0], Literal):
            return self._timestamp(arguments[0], offset)
        return self._function(tree, arguments, offset)

    def _function(self, tree: Tree, arguments: tuple[Node, ...], offset: int) -> Node:
        types = tuple(argument.type for argument in arguments)
        row = BY_CALL.get((tree.value, tree.member, types))
        if row is None:
            arguments = tuple(widen(argument) for argument in arguments)
            row = BY_CALL.get((tree.value, tree.member, tuple(argument.type for argument in arguments)))
        if row is None:
            what = f"{spoken(tree.value)}()" if tree.value.isalpha() else f"'{spoken(tree.value)}'"
            return self._trouble(offset, f"{what} on ({', '.join(types)}) is not supported yet")
        if row.name == "matches":
            return self._pattern(row, arguments, offset)
        return Call(row.overload, arguments, row.result, offset)

    def _pattern(self, row: Function, arguments: tuple[Node, ...], offset: int) -> Node:
        pattern = arguments[1]
        if not isinstance(pattern, Literal):
            return self._trouble(pattern.offset, "the pattern of matches() must be written out as text")
        if wrong := bad_pattern(pattern.value):
            return self._trouble(pattern.offset, f"not a regular expression (RE2): {wrong}")
        return Call(row.overload, arguments, row.result, offset)

    def _conditional(self, test: Node, then: Node, other: Node, offset: int) -> Node:
        if {then.type, other.type} == _NUMBERS:
            then, other = widen(then), widen(other)
        if then.type == other.type == NULL:
            return self._trouble(offset, "both branches of ?: are null")
        if test.type not in (BOOL, NULL) or not _comparable(then.type, other.type):
            return self._trouble(
                offset, f"the branches of ?: are {then.type} and {other.type}; they must be of one type"
            )
        return Call(
            "conditional", (test, then, other), other.type if then.type == NULL else then.type, offset
        )

    def _membership(self, needle: Node, elements: Node, offset: int) -> Node:
        if isinstance(elements, ListName) and elements.element == CIDR and needle.type in (STRING, NULL):
            # Not `@in`: CEL's runtimes know that of lists and maps alone, and take other functions by name.
            return Call("in_ranges", (needle, elements), BOOL, offset)
        if isinstance(elements, ListName):
            if _comparable(needle.type, elements.element) and needle.type != LIST:
                return Call("in_list", (needle, elements), BOOL, offset)
            return self._trouble(offset, f"a {needle.type} is never in a list of {elements.element} values")
        if not isinstance(elements, ListLiteral):
            return self._trouble(
                elements.offset, f"'in' a {elements.type} is not supported yet; it needs a list"
            )
        for element in elements.elements:
            if element.type == LIST or not _comparable(needle.type, element.type):
                self._trouble(element.offset, f"a {needle.type} is never equal to a {element.type}")
                return FAILED
        alike = tuple(_alike(needle, element)[1] for element in elements.elements)
        return Call("in_list", (needle, ListLiteral(alike, elements.offset)), BOOL, offset)

    def _timestamp(self, argument: Literal, offset: int) -> Node:
        instant = parse_timestamp(argument.value) if argument.type == STRING else None
        if instant is None:
            hint = "write it as timestamp('2026-11-01T00:00:00Z')"
            return self._trouble(
                argument.offset, f"not a timestamp to the microsecond: {argument.value!r}", hint
            )
        return Literal(TIMESTAMP, instant, offset)

    def _trouble(self, offset: int, message: str, hint: str = "") -> Node:
        self.problems.append(Trouble(max(offset, 0), message, hint))
        return FAILED


class Encoder:
    """Writes nodes as Expr messages and gathers the reference and the type of each."""

    def __init__(self) -> None:
        self.references: list[bytes] = []
        self.types: list[bytes] = []
        self._last = 0

    def write(self, node: Node) -> bytes:
        """Write one node and all below it."""
        self._last += 1
        identity = self._last
        number = wire.varint(2, identity)
        match node:
            case Literal(type="timestamp"):
                written = Literal(STRING, format_timestamp(node.value))
                return number + wire.block(
                    6, self._call(identity, TIMESTAMP, "string_to_timestamp", (written,))
                )
            case Literal():
                self._type(identity, node.type)
                return number + wire.block(3, wire.constant(node.type, node.value))
            case Name() | ListName():
                kind = node.type
                if isinstance(node, ListName):
                    kind = CIDR if node.element == CIDR else f"list({node.element})"
                plain = kind in (TIMESTAMP, CIDR) or kind.startswith("list")
                self._type(identity, kind if plain else f"wrapper({kind})")
                self._reference(identity, wire.block(1, node.name.encode()))
                return number + wire.block(4, wire.block(1, node.name.encode()))
            case ListLiteral():
                self._type(identity, "list(dyn)")
                elements = b"".join(wire.block(1, self.write(element)) for element in node.elements)
                return number + wire.block(7, elements)
            case Call():
                row = TABLE[node.overload]
                self._type(identity, node.type)
                member = isinstance(row, Function) and row.member
                return number + wire.block(
                    6, self._call(identity, row.name, row.overload, node.arguments, member)
                )

    def _call(
        self, identity: int, function: str, overload: str, arguments: tuple[Node, ...], member: bool = False
    ) -> bytes:
        self._reference(identity, wire.block(3, overload.encode()))
        target = wire.block(1, self.write(arguments[0])) if member else b""
        rest = arguments[1:] if member else arguments
        return (
            target
            + wire.block(2, function.encode())
            + b"".join(wire.block(3, self.write(node)) for node in rest)
        )

    def _reference(self, identity: int, reference: bytes) -> None:
        self.references.append(wire.block(2, wire.varint(1, identity) + wire.block(2, reference)))

    def _type(self, identity: int, name: str) -> None:
        self.types.append(wire.block(3, wire.varint(1, identity) + wire.block(2, wire.type_message(name))))


def spoken(function: str) -> str:
    """Say an operator's name as it is written: `_+_` is `+`."""
    return function.strip("_@") if not function.strip("_").isalpha() else function


def _short(text: str) -> str:
    return repr(text if len(text) <= SHOWN else text[:SHOWN] + "…")


def _comparable(left: str, right: str) -> bool:
    return left == right or NULL in (left, right) or {left, right} == _NUMBERS


def _alike(left: Node, right: Node) -> tuple[Node, Node]:
    """Make a literal int beside a double a double. A null int equals null, and must not be widened."""
    if {left.type, right.type} == _NUMBERS:
        left, right = (widen(node) if isinstance(node, Literal) else node for node in (left, right))
    return left, right
