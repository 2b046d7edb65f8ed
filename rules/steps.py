"""What expressions come to before any data: one step for each distinct node, and what is shared."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, Protocol, cast

import numpy as np

from rules.expression import (
    BOOL,
    DOUBLE,
    NULL,
    STRING,
    Call,
    Element,
    Foreign,
    Keys,
    ListLiteral,
    ListName,
    Literal,
    Name,
    Node,
    Quantifier,
    children,
    walk,
)
from rules.foreign_values import many_records
from rules.functions import TABLE
from rules.functions.forms import Column, Members, Truth, either, is_constant, present, settle, spread
from rules.functions.table import Form, Function
from rules.membership import Lists, batch_membership


class Rows(Protocol):
    """The block of rows that steps run over."""

    rows: int

    def get(self, key: int) -> Column | Truth:
        """Evaluate another node."""
        ...

    def truth(self, key: int) -> Truth:
        """Evaluate another node, a bool."""
        ...

    def column(self, name: str) -> Column | Truth:
        """Give a column."""
        ...

    def gather(self, key: int, name: str) -> Column | Truth | None:
        """Give a node by way of the distinct texts of a column, if that is worth it."""
        ...

    def element(self, number: int) -> Column | Truth:
        """Give the entry that a quantifier is at."""
        ...

    def at(self, number: int, entry: Column) -> Rows:
        """Give the same rows with a quantifier at another entry."""
        ...


Step = Callable[[Rows], Column | Truth]


class Plan:
    """Steps by node number, each made when first taken. Nodes of equal structure are one, wherever they are.

    `bound` are the nodes whose value hangs on the entry that a quantifier around them is at.
    """

    def __init__(self, roots: Sequence[Node], lists: Lists) -> None:
        self.steps: dict[int, Step] = _Steps(self)
        self.types: dict[str, str] = {}
        self._lists = lists
        self._keys = Keys()
        self._nodes: dict[int, Node] = {}
        self.bound: set[int] = set()
        self.roots = [self._keys[root] for root in roots]
        self.shared = self._meet(roots)

    @property
    def keys(self) -> Keys:
        """The numbers of nodes; of other nodes too, once they are asked for."""
        return self._keys

    def number(self, node: Node) -> int:
        """Give the number of a node of one of the roots."""
        return self._keys[node]

    def opened(self, node: Call) -> list[Node]:
        """Open a chain of one logical operator, except where part of it is shared."""
        found: list[Node] = []
        for argument in node.arguments:
            chained = isinstance(argument, Call) and argument.overload == node.overload
            if chained and self._keys[argument] not in self.shared:
                found += self.opened(cast(Call, argument))
            else:
                found.append(argument)
        return found

    def _meet(self, roots: Sequence[Node]) -> frozenset[int]:
        """Note every node, once where several are of equal structure.

        Gives those that are asked for more than once: by different parents, or as a condition too.
        """
        uses = Counter(self.roots)
        pending = list(reversed(roots))
        while pending:
            node = pending.pop()
            key = self._keys[node]
            if key in self._nodes:
                continue
            self._nodes[key] = node
            if isinstance(node, Name):
                self.types[node.name] = node.type
            if isinstance(node, Quantifier):
                self._bind(node.body)
            below = children(node)
            for child in below:
                uses[self._keys[child]] += 1
            pending.extend(reversed(below))
        return frozenset(key for key, count in uses.items() if count > 1)

    def _bind(self, node: Node) -> bool:
        """Note which nodes of a quantifier's body hang on its entry, or on that of one around it."""
        below = [self._bind(child) for child in children(node)]
        if hangs := isinstance(node, Element) or any(below):
            self.bound.add(self._keys[node])
        return hangs

    def make(self, key: int) -> Step:
        """Make the step of a node."""
        self._step(self._nodes[key])
        return dict.__getitem__(self.steps, key)

    def _step(self, node: Node) -> int:
        """Make the step of a node and of those it asks, unless it is there."""
        key = self._keys[node]
        if key in self.steps:
            return key
        if isinstance(node, Literal):
            self.steps[key] = _literal(node)
        elif isinstance(node, Name):
            self.steps[key] = _name(node.name)
        elif isinstance(node, Element):
            self.steps[key] = _element(node.number)
        elif isinstance(node, Quantifier | Foreign):
            name = one_text(node)
            step = self._quantifier(node) if isinstance(node, Quantifier) else _foreign(node, self._lists)
            self.steps[key] = step if name is None else _gathered(key, name, step)
        elif isinstance(node, Call):
            name, step = one_text(node), self._call(node)
            self.steps[key] = step if name is None else _gathered(key, name, step)
        return key

    def _call(self, node: Call) -> Step:
        row = TABLE[node.overload]
        if row.name in ("@in", "in_ranges"):
            return self._membership(node)
        if row.name in ("_&&_", "_||_"):
            return _junction(row.name, [self._step(one) for one in self.opened(node)])
        keys = [self._step(argument) for argument in node.arguments]
        if isinstance(row, Form):
            return _form(row, keys)
        first, last = node.arguments[0], node.arguments[-1]
        if (
            row.result == BOOL
            and len(keys) == 2
            and isinstance(last, Literal)
            and first.type not in (BOOL, STRING)
        ):
            return _threshold(row, keys[0], _constant(last))
        return _strict(row, keys)

    def _quantifier(self, node: Quantifier) -> Step:
        """Evaluate the body for each entry, until every row is settled."""
        body, number = self._step(node.body), node.number
        entries = [
            Column(node.over.element, _constant(Literal(node.over.element, entry)))
            for entry in self._lists[node.over.name]
        ]
        some = node.kind == "exists"

        def step(rows: Rows) -> Truth:
            settled = np.zeros(rows.rows, dtype=bool)
            unsettled: np.ndarray | None = None
            for entry in entries:
                result = rows.at(number, entry).truth(body)
                settled = settled | (result.true if some else result.falsity)
                if result.false is not None:
                    unsettled = either(unsettled, ~(result.true | result.false))
                if settled.all():
                    break
            left = ~settled if unsettled is None else ~(settled | unsettled)
            true, false = (settled, left) if some else (left, settled)
            return Truth(true, None if unsettled is None else false)

        return step

    def _membership(self, node: Call) -> Step:
        needle, elements = node.arguments
        members = _members(elements, needle.type, self._lists)
        others = children(elements) if isinstance(elements, ListLiteral) else ()
        keys = [self._step(one) for one in others if not isinstance(one, Literal)]
        key, form = self._step(needle), cast(Form, TABLE[node.overload])

        def step(rows: Rows) -> Truth:
            columns = tuple(rows.get(other) for other in keys)
            among = Members(members.sets, columns, members.null) if columns else members
            return cast(Truth, form.columnar(rows.rows, rows.get(key), among))

        return step


class _Steps(dict[int, Step]):
    """Steps that are made when they are missing; two threads that make one make the same."""

    def __init__(self, plan: Plan) -> None:
        super().__init__()
        self._plan = plan

    def __missing__(self, key: int) -> Step:
        return self._plan.make(key)


def _name(name: str) -> Step:
    return lambda rows: rows.column(name)


def _element(number: int) -> Step:
    return lambda rows: rows.element(number)


def _foreign(node: Foreign, lists: Lists) -> Step:
    names = [one.name for one in node.inputs if isinstance(one, Name)]
    evaluate = many_records(node, lists)
    return lambda rows: evaluate(rows.rows, [rows.column(name) for name in names])


def _literal(node: Literal) -> Step:
    if node.type == NULL:
        return lambda _: Column(NULL, None)
    if node.type == BOOL:
        return lambda rows: Truth(np.full(rows.rows, node.value, dtype=bool))
    column = Column(node.type, _constant(node))
    return lambda _: column


def _constant(node: Literal) -> Any:
    if node.type == STRING:
        return node.value
    return np.float64(node.value) if node.type == DOUBLE else np.int64(node.value)


def _gathered(key: int, name: str, step: Step) -> Step:
    def gathered(rows: Rows) -> Column | Truth:
        result = rows.gather(key, name)
        return step(rows) if result is None else result

    return gathered


def _junction(operator: str, keys: Sequence[int]) -> Step:
    """A chain of && or ||, in place: T(a && b) = T(a) & T(b), F(a && b) = F(a) | F(b); || the other way."""
    meet, join = (np.logical_and, np.logical_or) if operator == "_&&_" else (np.logical_or, np.logical_and)

    def step(rows: Rows) -> Truth:
        first, second = rows.truth(keys[0]), rows.truth(keys[1])
        true = meet(first.true, second.true)
        false = None
        if first.false is not None or second.false is not None:
            false = join(first.falsity, second.falsity)
        for key in keys[2:]:
            other = rows.truth(key)
            if other.false is not None:
                # Before the masks part, false is what is not true.
                false = join(~true if false is None else false, other.false)
            elif false is not None:
                false = join(false, ~other.true, out=false)
            meet(true, other.true, out=true)
        return Truth(true, false)

    return step


def _form(row: Form, keys: Sequence[int]) -> Step:
    tests = {"!_": 1, "_?_:_": 1}.get(row.name, 0)

    def step(rows: Rows) -> Column | Truth:
        arguments = [rows.truth(key) for key in keys[:tests]] + [rows.get(key) for key in keys[tests:]]
        return cast(Column, row.columnar(rows.rows, *arguments))

    return step


def _threshold(row: Function, key: int, constant: Any) -> Step:
    """A number or a timestamp against a constant: the commonest node of all."""
    kernel = row.columnar

    def step(rows: Rows) -> Truth:
        column = cast(Column, rows.get(key))
        values = column.values
        if is_constant(values):
            values = spread(rows.rows, column.type, values)
        return settle(kernel(values, constant), present(column))

    return step


def _strict(row: Function, keys: Sequence[int]) -> Step:
    """Apply a kernel to the present values; a row where an argument is missing has no value."""

    def step(rows: Rows) -> Column | Truth:
        bad: np.ndarray | None = None
        values: list[Any] = []
        kind = BOOL
        for key in reversed(keys):
            argument = rows.get(key)
            if (valid := present(argument)) is not None:
                bad = either(bad, ~valid)
            kind = BOOL if isinstance(argument, Truth) else argument.type
            values.insert(0, argument.true if isinstance(argument, Truth) else argument.values)
        if all(is_constant(one) for one in values):
            values[0] = spread(rows.rows, kind, values[0])
        result = row.columnar(*values)
        if row.fails:
            result, failed = result
            bad = either(bad, failed if failed.any() else None)
        if row.result == BOOL:
            return settle(result, None if bad is None else ~bad)
        return Column(row.result, result, None, bad)

    return step


def one_text(node: Node) -> str | None:
    """Name the text column that a node reads, if it reads nothing else."""
    names = {(one.name, one.type) for one in walk(node) if isinstance(one, Name)}
    if len(names) != 1:
        return None
    name, kind = names.pop()
    return name if kind == STRING else None


def _members(node: Node, needle: str, lists: Lists) -> Members:
    """Turn the constants on the right of `in` into arrays, one for each type."""
    constants: dict[str, list[Any]] = {}
    null = False
    if isinstance(node, ListName):
        kind = DOUBLE if needle == DOUBLE else node.element
        return Members(((kind, batch_membership(kind, lists[node.name])),))
    for element in children(node):
        if isinstance(element, Literal) and element.type != NULL:
            constants.setdefault(element.type, []).append(element.value)
        null = null or (isinstance(element, Literal) and element.type == NULL)
    sets = tuple((kind, batch_membership(kind, values)) for kind, values in constants.items())
    return Members(sets, (), null)
