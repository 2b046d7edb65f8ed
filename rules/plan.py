"""What expressions come to before any data: one step for each distinct node, and what is shared."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import cast

import numpy as np

from rules import steps
from rules.expression import (
    BOOL,
    STRING,
    Call,
    Element,
    Foreign,
    Keys,
    ListLiteral,
    Literal,
    Name,
    Node,
    Quantifier,
    children,
    walk,
)
from rules.functions import TABLE
from rules.functions.forms import Column, Members, Truth, either
from rules.functions.table import Form
from rules.membership import Lists
from rules.steps import Rows, Step


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
            self.steps[key] = steps.literal(node)
        elif isinstance(node, Name):
            self.steps[key] = steps.name(node.name)
        elif isinstance(node, Element):
            self.steps[key] = steps.element(node.number)
        elif isinstance(node, Quantifier | Foreign):
            name = one_text(node)
            step = (
                self._quantifier(node) if isinstance(node, Quantifier) else steps.foreign(node, self._lists)
            )
            self.steps[key] = step if name is None else steps.gathered(key, name, step)
        elif isinstance(node, Call):
            name, step = one_text(node), self._call(node)
            self.steps[key] = step if name is None else steps.gathered(key, name, step)
        return key

    def _call(self, node: Call) -> Step:
        row = TABLE[node.overload]
        if row.name in ("@in", "in_ranges"):
            return self._membership(node)
        if row.name in ("_&&_", "_||_"):
            return steps.junction(row.name, [self._step(one) for one in self.opened(node)])
        keys = [self._step(argument) for argument in node.arguments]
        if isinstance(row, Form):
            return steps.form(row, keys)
        first, last = node.arguments[0], node.arguments[-1]
        if (
            row.result == BOOL
            and len(keys) == 2
            and isinstance(last, Literal)
            and first.type not in (BOOL, STRING)
        ):
            return steps.threshold(row, keys[0], steps.constant(last))
        return steps.strict(row, keys)

    def _quantifier(self, node: Quantifier) -> Step:
        """Evaluate the body for each entry, until every row is settled."""
        body, number = self._step(node.body), node.number
        entries = [
            Column(node.over.element, steps.constant(Literal(node.over.element, entry)))
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
        members = steps.members(elements, needle.type, self._lists)
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


def one_text(node: Node) -> str | None:
    """Name the text column that a node reads, if it reads nothing else."""
    names = {(one.name, one.type) for one in walk(node) if isinstance(one, Name)}
    if len(names) != 1:
        return None
    name, kind = names.pop()
    return name if kind == STRING else None
