"""From the tree of a CheckedExpr message to typed nodes in normal form.

Normal form: mixed int and double operands of an ordering, of arithmetic and of a ternary are widened to
double (the runtime has no mixed arithmetic), a timestamp('…') or duration('…') is a literal, a short loop
over a written list is unrolled, and what the operator table does not name is `Foreign`. Types are worked out
anew from the leaves, of a call in `rules.calls`; the message is believed only of a foreign part, whose result
is looked at again.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from rules.calls import WHY, Trouble, Unfit, balanced, call_node
from rules.encoding import LOOPS, NOT_FALSE
from rules.expression import (
    BOOL,
    CIDR,
    LIST,
    NULL,
    STRING,
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
from rules.functions.text import bad_pattern
from rules.limits import too_much
from rules.tree import Parsed, Tree, walk

FAILED = Literal("failed", None)
MAX_UNROLLED = 2_000
"""Nodes that a loop over a written list may be unrolled to, loops within it and all."""

_MESSAGES = frozenset(
    f"google.protobuf.{name}"
    for name in (
        *("BoolValue", "Int32Value", "Int64Value", "UInt32Value", "UInt64Value", "FloatValue", "DoubleValue"),
        *("StringValue", "BytesValue", "Timestamp", "Duration"),
    )
)
_GROWING = ("replace", "join", "format", "strings.quote")


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
                return self._part(tree, Unfit(offset, WHY[tree.kind]))
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
        built = call_node(tree, tuple(nodes), offset)
        if isinstance(built, Trouble):
            return self._note(built)
        return self._part(tree, built) if isinstance(built, Unfit) else built

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
        return balanced(lambda a, b: Call(overload, (a, b), BOOL, offset), bodies)

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
        return self._note(Trouble(max(offset, 0), message, hint))

    def _note(self, trouble: Trouble) -> Literal:
        self.problems.append(trouble)
        return FAILED


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


def _article(name: str) -> str:
    return f"{'an' if name[0] in 'aeiou' else 'a'} {name}"
