"""From the tree of a CheckedExpr message to typed nodes in normal form.

Normal form: mixed int and double operands of an ordering, of arithmetic and of a ternary are widened to
double (the runtime has no mixed arithmetic), a timestamp('…') or duration('…') is a literal, a short loop
over a written list is unrolled, and what the operator table does not name is `Foreign`. Types are worked out
anew from the leaves; the message is believed only of a foreign part, whose result is looked at again.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from rules.encoding import LOOPS, NOT_FALSE
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
    TYPES,
    Call,
    Element,
    ListLiteral,
    ListName,
    Literal,
    Name,
    Node,
    Quantifier,
)
from rules.foreign import FUNCTIONS, LIST_ELEMENTS, RESULTS, foreign, inputs, normal, plain
from rules.functions import ROWS
from rules.functions.clock import parse_timestamp
from rules.functions.span import LONGEST, SHORTEST, parse_duration
from rules.functions.table import Function
from rules.functions.text import bad_pattern
from rules.functions.zone import bad_zone, is_plain_zone
from rules.limits import too_much
from rules.tree import Parsed, Tree, walk

BY_CALL = {(row.name, row.member, row.arguments): row for row in ROWS}
FAILED = Literal("failed", None)
MAX_UNROLLED = 2_000
"""Nodes that a loop over a written list may be unrolled to, loops within it and all."""

_FINE = re.compile(r"(\.[0-9]{6})[0-9]{1,3}(?=[Z+-])")
_LOGIC = {"_&&_": "logical_and", "_||_": "logical_or", "!_": "logical_not"}
_EQUALITY = {"_==_": "equals", "_!=_": "not_equals"}
_EXTREMES = ("math.@max", "math.@min")
_NUMBERS = {INT, DOUBLE}
_MESSAGES = frozenset(
    f"google.protobuf.{name}"
    for name in (
        *("BoolValue", "Int32Value", "Int64Value", "UInt32Value", "UInt64Value", "FloatValue", "DoubleValue"),
        *("StringValue", "BytesValue", "Timestamp", "Duration"),
    )
)
_GROWING = ("replace", "join", "format", "strings.quote")
_WHY = {"list": "a list as a value", "struct": "a map", "select": "a selection from a map"}


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


Built = Node | Unfit


@dataclass
class Builder:
    """Builds nodes from one message; every trouble found is kept, and FAILED stands in its place."""

    parsed: Parsed
    problems: list[Trouble] = field(default_factory=list)
    _scope: dict[str, Node] = field(default_factory=dict)
    _depth: int = 0
    _within: int = 0
    _left: int = 0
    _grows: bool = False

    def build(self) -> Node:
        """Build the whole expression."""
        tree = self.parsed.tree
        node = self._node(tree)
        if self._grows and not self.problems and (much := too_much(tree)):
            offset = self._offset(much.tree)
            return self._trouble(offset, much.message, much.hint)
        self.problems = list(dict.fromkeys(self.problems))
        if isinstance(node, Unfit) or node.type == LIST:
            return self._unusable(tree, node)
        return node

    def _unusable(self, tree: Tree, node: Built) -> Node:
        declared = plain(self.parsed.type(tree))
        if declared.startswith(LIST) or node.type == LIST:
            return self._trouble(self._offset(tree), "a list stands alone; lists belong on the right of 'in'")
        hint = "compare it with something" if declared not in ("dyn", "other") else ""
        kind = {"dyn": "value of a type not known before", "other": "value"}.get(declared, declared)
        return self._trouble(0, f"this gives {_article(kind)}; a bool is needed", hint)

    def _node(self, tree: Tree) -> Built:
        offset = self._offset(tree)
        match tree.kind:
            case "constant":
                if tree.type in (*TYPES, NULL):
                    return Literal(tree.type, tree.value, offset)
                return Unfit(offset, f"{tree.type} values")
            case "name":
                return self._name(tree, offset)
            case "list":
                return self._list(tree, offset)
            case "call":
                return self._call(tree, offset)
            case "loop":
                return self._loop(tree, offset)
            case "select" | "struct":
                return self._part(tree, Unfit(offset, _WHY[tree.kind]))
        return self._trouble(offset, f"{tree.value} is no part of a flat record")

    def _name(self, tree: Tree, offset: int) -> Built:
        if tree.value in self._scope:
            return self._scope[tree.value]
        kind = plain(self.parsed.type(tree))
        if kind in TYPES:
            return Name(tree.value.removeprefix("."), kind, offset)
        if kind in LIST_ELEMENTS:
            return ListName(tree.value.removeprefix("."), LIST_ELEMENTS[kind], offset)
        if kind in ("type", "other"):
            return Unfit(offset, "types as values")
        return Unfit(offset, f"a {kind} field")

    def _list(self, tree: Tree, offset: int) -> Built:
        elements = []
        for element in map(self._node, tree.children):
            if isinstance(element, Unfit) or element.type == LIST:
                return element if isinstance(element, Unfit) else Unfit(offset, "a list of lists")
            elements.append(element)
        return Unfit(offset, "optional values") if tree.value else ListLiteral(tuple(elements), offset)

    def _call(self, tree: Tree, offset: int) -> Built:
        if tree.value not in FUNCTIONS:
            return self._trouble(offset, f"'{tree.value}' is no function of the rule language")
        self._grows = self._grows or tree.value in _GROWING
        arguments = [self._node(child) for child in tree.children]
        if any(argument.type == FAILED.type for argument in arguments):
            return FAILED
        nodes = [argument for argument in arguments if not isinstance(argument, Unfit)]
        if len(nodes) < len(arguments):
            unfit = next(argument for argument in arguments if isinstance(argument, Unfit))
            return self._part(tree, unfit)
        built = self._native(tree, tuple(nodes), offset)
        return self._part(tree, built) if isinstance(built, Unfit) else built

    def _native(self, tree: Tree, arguments: tuple[Node, ...], offset: int) -> Built:
        """Build a call all of whose arguments are nodes."""
        if tree.value in ("@in", "in_ranges") and len(arguments) == 2:
            return self._membership(arguments[0], arguments[1], offset)
        if tree.value in _EXTREMES and len(arguments) == 1 and isinstance(arguments[0], ListLiteral):
            return self._extreme(tree, arguments[0].elements, offset)
        for argument in arguments:
            if argument.type == LIST:
                return Unfit(argument.offset, _WHY["list"])
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
        if tree.value in (TIMESTAMP, DURATION) and types == (STRING,):
            return self._written(tree.value, arguments[0], offset)
        return self._function(tree, arguments, offset)

    def _function(self, tree: Tree, arguments: tuple[Node, ...], offset: int) -> Built:
        types = tuple(argument.type for argument in arguments)
        row = BY_CALL.get((tree.value, tree.member, types))
        if row is None:
            arguments = tuple(widen(argument) for argument in arguments)
            row = BY_CALL.get((tree.value, tree.member, tuple(argument.type for argument in arguments)))
        if row is None:
            what = f"{spoken(tree.value)}()" if tree.value.isalpha() else f"'{spoken(tree.value)}'"
            return Unfit(offset, f"{what} on ({', '.join(types)})")
        if row.name == "matches":
            return self._pattern(row, arguments, offset)
        if row.overload == "int64_to_double":
            return replace(widen(arguments[0]), offset=offset)
        if row.zoned:
            return self._zoned(row, arguments, offset)
        return Call(row.overload, arguments, row.result, offset)

    def _pattern(self, row: Function, arguments: tuple[Node, ...], offset: int) -> Built:
        pattern = arguments[1]
        if not isinstance(pattern, Literal):
            return Unfit(pattern.offset, "a pattern that is not written out")
        if wrong := bad_pattern(pattern.value):
            return self._trouble(pattern.offset, f"not a regular expression (RE2): {wrong}")
        return Call(row.overload, arguments, row.result, offset)

    def _zoned(self, row: Function, arguments: tuple[Node, ...], offset: int) -> Built:
        zone = arguments[1]
        if not isinstance(zone, Literal):
            return Unfit(zone.offset, "a time zone that is not written out")
        if wrong := bad_zone(zone.value):
            hint = "as 'Europe/Berlin' or '+05:30'"
            return self._trouble(zone.offset, wrong, hint)
        if not is_plain_zone(zone.value):
            return Unfit(zone.offset, "an unusual time zone")
        return Call(row.overload, arguments, row.result, offset)

    def _extreme(self, tree: Tree, elements: tuple[Node, ...], offset: int) -> Built:
        """Take the greatest or least of several two by two."""
        kinds = {element.type for element in elements}
        if not kinds or not kinds <= _NUMBERS:
            return Unfit(offset, _WHY["list"])
        alike = [widen(element) for element in elements] if len(kinds) > 1 else list(elements)
        kind = alike[0].type
        row = BY_CALL[tree.value, False, (kind, kind)]
        return _balanced(lambda a, b: Call(row.overload, (a, b), kind, offset), alike)

    def _conditional(self, test: Node, then: Node, other: Node, offset: int) -> Built:
        if {then.type, other.type} == _NUMBERS:
            then, other = widen(then), widen(other)
        if then.type == other.type == NULL:
            return Unfit(offset, "a ternary of nulls")
        if test.type not in (BOOL, NULL) or not _comparable(then.type, other.type):
            return Unfit(offset, f"a ternary of {then.type} and {other.type}")
        return Call(
            "conditional", (test, then, other), other.type if then.type == NULL else then.type, offset
        )

    def _membership(self, needle: Node, elements: Node, offset: int) -> Built:
        if needle.type == LIST:
            return Unfit(needle.offset, _WHY["list"])
        if isinstance(elements, ListName) and elements.element == CIDR and needle.type in (STRING, NULL):
            # Not `@in`: CEL's runtimes know that of lists and maps alone, and take other functions by name.
            return Call("in_ranges", (needle, elements), BOOL, offset)
        if isinstance(elements, ListName):
            if _comparable(needle.type, elements.element):
                return Call("in_list", (needle, elements), BOOL, offset)
            return self._trouble(offset, f"a {needle.type} is never in a list of {elements.element} values")
        if not isinstance(elements, ListLiteral):
            return Unfit(elements.offset, f"'in' a {elements.type}")
        for element in elements.elements:
            if not _comparable(needle.type, element.type):
                if isinstance(needle, Name):
                    return self._trouble(
                        element.offset, f"a {needle.type} is never equal to a {element.type}"
                    )
                return Unfit(element.offset, "a list of values of several types")
        alike = tuple(_alike(needle, element)[1] for element in elements.elements)
        return Call("in_list", (needle, ListLiteral(alike, elements.offset)), BOOL, offset)

    def _written(self, kind: str, argument: Node, offset: int) -> Built:
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
            return self._trouble(
                argument.offset, f"not a timestamp to the microsecond: {argument.value!r}", hint
            )
        nanoseconds = parse_duration(argument.value)
        if nanoseconds is None:
            hint = "write it as duration('1h30m'), in h, m, s, ms and us"
            return self._trouble(argument.offset, f"not a duration: {argument.value!r}", hint)
        if nanoseconds % 1000:
            return Unfit(argument.offset, "a duration finer than a microsecond")
        if not SHORTEST <= nanoseconds // 1000 <= LONGEST:
            return Unfit(argument.offset, "a duration of more than 292 years")
        return Literal(DURATION, nanoseconds // 1000, offset)

    def _loop(self, tree: Tree, offset: int) -> Built:
        self._grows = True
        kind = _quantifier(tree)
        if not kind:
            return self._part(tree, Unfit(offset, "a loop other than all() and exists()"))
        over = self._node(tree.children[0])
        if over.type == FAILED.type:
            return FAILED
        built: Built = Unfit(offset, f"{kind}() over a computed list")
        if isinstance(over, ListName) and over.element == CIDR:
            return self._trouble(over.offset, "IP networks are looked up by 'in' alone")
        if isinstance(over, ListName):
            built = self._quantified(kind, tree, over, offset)
        elif isinstance(over, ListLiteral):
            built = self._unrolled(kind, tree, over, offset)
        return self._part(tree, built) if isinstance(built, Unfit) else built

    def _quantified(self, kind: str, tree: Tree, over: ListName, offset: int) -> Built:
        number = self._depth
        self._depth += 1
        body = self._body(tree, Element(number, over.element, offset))
        self._depth = number
        if isinstance(body, Unfit) or body is FAILED:
            return body
        return Quantifier(kind, number, over, body, offset)

    def _unrolled(self, kind: str, tree: Tree, over: ListLiteral, offset: int) -> Built:
        if not self._within:
            self._left = MAX_UNROLLED
        size = sum(1 for _ in walk(tree.children[3]))
        if not all(isinstance(element, Literal | Name | Element) for element in over.elements):
            return Unfit(offset, f"{kind}() over computed values")
        _, overload, start = LOOPS[kind]
        bodies: list[Node] = [Literal(BOOL, start, offset)] if len(over.elements) < 2 else []
        for element in over.elements:
            self._left -= size
            if self._left < 0:
                return Unfit(offset, f"{kind}() over a long list")
            self._within += 1
            body = self._body(tree, element)
            self._within -= 1
            if isinstance(body, Unfit) or body is FAILED:
                return body
            bodies.append(body)
        return _balanced(lambda a, b: Call(overload, (a, b), BOOL, offset), bodies)

    def _body(self, tree: Tree, element: Node) -> Built:
        """Build the body of a quantifier for one element."""
        variable, scope = tree.value[0], self._scope
        self._scope = {**scope, variable: element}
        try:
            body = self._node(tree.children[3].children[1])
        finally:
            self._scope = scope
        if isinstance(body, Unfit) or body is FAILED or body.type in (BOOL, NULL):
            return body
        return Unfit(body.offset, f"a loop that tests a {body.type}")

    def _part(self, tree: Tree, unfit: Unfit) -> Built:
        """Hand a part to the CEL runtime, if its result can be taken and it needs no loop around it."""
        declared = plain(self.parsed.type(tree))
        if wrong := self._hostile(tree):
            return wrong
        if declared not in RESULTS:
            return unfit
        if self._scope and any(name.name in self._scope for name in inputs(normal(tree, self.parsed))):
            return unfit
        return foreign(tree, self.parsed, unfit.why, unfit.offset)

    def _hostile(self, tree: Tree) -> Node | None:
        """Refuse in a foreign part what its author could have been told at once, and what is not ours."""
        for one in walk(tree):
            if one.kind == "call" and one.value not in FUNCTIONS:
                return self._trouble(self._offset(one), f"'{one.value}' is no function of the rule language")
            if one.kind == "struct" and one.value[0] and one.value[0] not in _MESSAGES:
                return self._trouble(self._offset(one), f"'{one.value[0]}' is no type of the rule language")
            if one.kind == "other" or (one.kind == "constant" and one.type == "other"):
                return self._trouble(self._offset(one), "a part of a kind that is not known")
            if one.kind == "call" and one.value == "matches":
                pattern = one.children[-1]
                if (
                    pattern.kind == "constant"
                    and pattern.type == STRING
                    and (wrong := bad_pattern(pattern.value))
                ):
                    message = f"not a regular expression (RE2): {wrong}"
                    return self._trouble(self._offset(pattern), message)
            self._grows = self._grows or one.kind == "loop" or one.value in _GROWING
        return None

    def _offset(self, tree: Tree) -> int:
        return self.parsed.positions.get(tree.id, -1)

    def _trouble(self, offset: int, message: str, hint: str = "") -> Literal:
        self.problems.append(Trouble(max(offset, 0), message, hint))
        return FAILED


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


def _quantifier(tree: Tree) -> str:
    """Say whether a loop is what `all` or `exists` expands to."""
    _, start, going, step, result = tree.children
    _, second, accumulator = tree.value
    for kind, (operator, _, begins) in LOOPS.items():
        negated = going.children[:1] if kind == "all" else going.children[:1] and going.children[0].children
        if (
            not second
            and start.kind == "constant"
            and start.value is begins
            and going.kind == "call"
            and going.value == NOT_FALSE
            and (kind == "all" or going.children[0].value == "!_")
            and (step.kind, step.value, len(step.children)) == ("call", operator, 2)
            and all(_is_name(one, accumulator) for one in (*negated, step.children[0], result))
        ):
            return kind
    return ""


def _is_name(tree: Tree, name: str) -> bool:
    return tree.kind == "name" and tree.value == name


def _balanced(join: Callable[[Node, Node], Node], nodes: Sequence[Node]) -> Node:
    """Join nodes two by two, as flat as can be."""
    if len(nodes) == 1:
        return nodes[0]
    middle = (len(nodes) + 1) // 2
    return join(_balanced(join, nodes[:middle]), _balanced(join, nodes[middle:]))


def _comparable(left: str, right: str) -> bool:
    return left == right or NULL in (left, right) or {left, right} == _NUMBERS


def _alike(left: Node, right: Node) -> tuple[Node, Node]:
    """Make a literal int beside a double a double. A null int equals null, and must not be widened."""
    if {left.type, right.type} == _NUMBERS:
        left, right = (widen(node) if isinstance(node, Literal) else node for node in (left, right))
    return left, right


def _article(name: str) -> str:
    return f"{'an' if name[0] in 'aeiou' else 'a'} {name}"
