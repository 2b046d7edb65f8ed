"""A call on nodes in, the node that it is in normal form out, or why it can be none.

Types are worked out from those of the arguments. `Unfit` is what the operator table does not name: the CEL
runtime may still evaluate it. `Trouble` is what the author must change.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from rules.expression import (
    BOOL,
    CIDR,
    DOUBLE,
    DURATION,
    INT,
    LIST,
    NULL,
    STRING,
    TIMESTAMP,
    Call,
    ListLiteral,
    ListName,
    Literal,
    Name,
    Node,
)
from rules.functions import ROWS
from rules.functions.clock import parse_timestamp
from rules.functions.span import LONGEST, SHORTEST, parse_duration
from rules.functions.table import Function
from rules.functions.text import bad_pattern
from rules.functions.zone import bad_zone, is_plain_zone
from rules.tree import Tree

BY_CALL = {(row.name, row.member, row.arguments): row for row in ROWS}

_FINE = re.compile(r"(\.[0-9]{6})[0-9]{1,3}(?=[Z+-])")
_LOGIC = {"_&&_": "logical_and", "_||_": "logical_or", "!_": "logical_not"}
_EQUALITY = {"_==_": "equals", "_!=_": "not_equals"}
_EXTREMES = ("math.@max", "math.@min")
_NUMBERS = {INT, DOUBLE}
WHY = {"list": "a list as a value", "struct": "a map", "select": "a selection from a map"}


@dataclass(frozen=True)
class Trouble:
    """What cannot be used, at an offset in the text."""

    offset: int
    message: str
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Unfit:
    """A part that the evaluators lack and whose result they cannot hold either: where, and why."""

    offset: int
    why: str
    type: str = ""


Called = Node | Unfit | Trouble


def call_node(tree: Tree, arguments: tuple[Node, ...], offset: int) -> Called:
    """Build a call all of whose arguments are nodes."""
    if tree.value in ("@in", "in_ranges") and len(arguments) == 2:
        return _membership(arguments[0], arguments[1], offset)
    if tree.value in _EXTREMES and len(arguments) == 1 and isinstance(arguments[0], ListLiteral):
        return _extreme(tree, arguments[0].elements, offset)
    for argument in arguments:
        if argument.type == LIST:
            return Unfit(argument.offset, WHY["list"])
    types = tuple(argument.type for argument in arguments)
    if tree.value in _LOGIC and set(types) <= {BOOL, NULL} and len(types) == (1 if tree.value == "!_" else 2):
        return Call(_LOGIC[tree.value], arguments, BOOL, offset)
    if tree.value in _EQUALITY and len(types) == 2 and _comparable(*types):
        left, right = _alike(*arguments)
        return Call(_EQUALITY[tree.value], (left, right), BOOL, offset)
    if tree.value == "_?_:_" and len(types) == 3:
        return _conditional(arguments[0], arguments[1], arguments[2], offset)
    if tree.value in (TIMESTAMP, DURATION) and types == (STRING,):
        return _written(tree.value, arguments[0], offset)
    return _function(tree, arguments, offset)


def _function(tree: Tree, arguments: tuple[Node, ...], offset: int) -> Called:
    types = tuple(argument.type for argument in arguments)
    row = BY_CALL.get((tree.value, tree.member, types))
    if row is None:
        arguments = tuple(widen(argument) for argument in arguments)
        row = BY_CALL.get((tree.value, tree.member, tuple(argument.type for argument in arguments)))
    if row is None:
        what = f"{spoken(tree.value)}()" if tree.value.isalpha() else f"'{spoken(tree.value)}'"
        return Unfit(offset, f"{what} on ({', '.join(types)})")
    if row.name == "matches":
        return _pattern(row, arguments, offset)
    if row.overload == "int64_to_double":
        return replace(widen(arguments[0]), offset=offset)
    if row.zoned:
        return _zoned(row, arguments, offset)
    return Call(row.overload, arguments, row.result, offset)


def _pattern(row: Function, arguments: tuple[Node, ...], offset: int) -> Called:
    pattern = arguments[1]
    if not isinstance(pattern, Literal):
        return Unfit(pattern.offset, "a pattern that is not written out")
    if wrong := bad_pattern(pattern.value):
        return _trouble(pattern.offset, f"not a regular expression (RE2): {wrong}")
    return Call(row.overload, arguments, row.result, offset)


def _zoned(row: Function, arguments: tuple[Node, ...], offset: int) -> Called:
    zone = arguments[1]
    if not isinstance(zone, Literal):
        return Unfit(zone.offset, "a time zone that is not written out")
    if wrong := bad_zone(zone.value):
        hint = "as 'Europe/Berlin' or '+05:30'"
        return _trouble(zone.offset, wrong, hint)
    if not is_plain_zone(zone.value):
        return Unfit(zone.offset, "an unusual time zone")
    return Call(row.overload, arguments, row.result, offset)


def _extreme(tree: Tree, elements: tuple[Node, ...], offset: int) -> Called:
    """Take the greatest or least of several two by two."""
    kinds = {element.type for element in elements}
    if not kinds or not kinds <= _NUMBERS:
        return Unfit(offset, WHY["list"])
    alike = [widen(element) for element in elements] if len(kinds) > 1 else list(elements)
    kind = alike[0].type
    row = BY_CALL[tree.value, False, (kind, kind)]
    return balanced(lambda a, b: Call(row.overload, (a, b), kind, offset), alike)


def _conditional(test: Node, then: Node, other: Node, offset: int) -> Called:
    if {then.type, other.type} == _NUMBERS:
        then, other = widen(then), widen(other)
    if then.type == other.type == NULL:
        return Unfit(offset, "a ternary of nulls")
    if test.type not in (BOOL, NULL) or not _comparable(then.type, other.type):
        return Unfit(offset, f"a ternary of {then.type} and {other.type}")
    return Call("conditional", (test, then, other), other.type if then.type == NULL else then.type, offset)


def _membership(needle: Node, elements: Node, offset: int) -> Called:
    if needle.type == LIST:
        return Unfit(needle.offset, WHY["list"])
    if isinstance(elements, ListName) and elements.element == CIDR and needle.type in (STRING, NULL):
        # Not `@in`: CEL's runtimes know that of lists and maps alone, and take other functions by name.
        return Call("in_ranges", (needle, elements), BOOL, offset)
    if isinstance(elements, ListName):
        if _comparable(needle.type, elements.element):
            return Call("in_list", (needle, elements), BOOL, offset)
        return _trouble(offset, f"a {needle.type} is never in a list of {elements.element} values")
    if not isinstance(elements, ListLiteral):
        return Unfit(elements.offset, f"'in' a {elements.type}")
    for element in elements.elements:
        if not _comparable(needle.type, element.type):
            if isinstance(needle, Name):
                return _trouble(element.offset, f"a {needle.type} is never equal to a {element.type}")
            return Unfit(element.offset, "a list of values of several types")
    alike = tuple(_alike(needle, element)[1] for element in elements.elements)
    return Call("in_list", (needle, ListLiteral(alike, elements.offset)), BOOL, offset)


def _written(kind: str, argument: Node, offset: int) -> Called:
    """Read a moment or a duration that is written out."""
    if not isinstance(argument, Literal):
        return Unfit(argument.offset, f"{kind}() of a text that is not written out")
    if kind == TIMESTAMP:
        instant = parse_timestamp(argument.value)
        if instant is not None:
            return Literal(TIMESTAMP, instant, offset)
        if parse_timestamp(_FINE.sub(r"\1", argument.value)) is not None:
            return Unfit(argument.offset, "a moment finer than a microsecond")
        hint = "write it as timestamp('2026-11-01T00:00:00Z')"
        return _trouble(argument.offset, f"not a timestamp to the microsecond: {argument.value!r}", hint)
    nanoseconds = parse_duration(argument.value)
    if nanoseconds is None:
        hint = "write it as duration('1h30m'), in h, m, s, ms and us"
        return _trouble(argument.offset, f"not a duration: {argument.value!r}", hint)
    if nanoseconds % 1000:
        return Unfit(argument.offset, "a duration finer than a microsecond")
    if not SHORTEST <= nanoseconds // 1000 <= LONGEST:
        return Unfit(argument.offset, "a duration of more than 292 years")
    return Literal(DURATION, nanoseconds // 1000, offset)


def _trouble(offset: int, message: str, hint: str = "") -> Trouble:
    return Trouble(max(offset, 0), message, hint)


def widen(node: Node) -> Node:
    """Make an int a double."""
    if node.type != INT:
        return node
    if isinstance(node, Literal):
        return Literal(DOUBLE, float(node.value), node.offset)
    return Call("int64_to_double", (node,), DOUBLE, node.offset)


def spoken(function: str) -> str:
    """Say an operator's name as it is written: `_+_` is `+`."""
    return function.strip("_@") if not function.strip("_").isalpha() else function


def balanced(join: Callable[[Node, Node], Node], nodes: Sequence[Node]) -> Node:
    """Join nodes two by two, as flat as can be."""
    if len(nodes) == 1:
        return nodes[0]
    middle = (len(nodes) + 1) // 2
    return join(balanced(join, nodes[:middle]), balanced(join, nodes[middle:]))


def _comparable(left: str, right: str) -> bool:
    return left == right or NULL in (left, right) or {left, right} == _NUMBERS


def _alike(left: Node, right: Node) -> tuple[Node, Node]:
    """Make a literal int beside a double a double. A null int equals null, and must not be widened."""
    if {left.type, right.type} == _NUMBERS:
        left, right = (widen(node) if isinstance(node, Literal) else node for node in (left, right))
    return left, right
