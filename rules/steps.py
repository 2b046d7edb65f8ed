"""One step in evaluating a block of rows: what a node comes to, where those below it have been worked out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol, cast

import numpy as np

from rules.expression import BOOL, DOUBLE, NULL, STRING, Foreign, ListName, Literal, Name, Node, children
from rules.foreign_values import many_records
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


def name(name: str) -> Step:
    """Give a column."""
    return lambda rows: rows.column(name)


def element(number: int) -> Step:
    """Give the entry that a quantifier is at."""
    return lambda rows: rows.element(number)


def foreign(node: Foreign, lists: Lists) -> Step:
    """Ask the CEL runtime, record by record."""
    names = [one.name for one in node.inputs if isinstance(one, Name)]
    evaluate = many_records(node, lists)
    return lambda rows: evaluate(rows.rows, [rows.column(name) for name in names])


def literal(node: Literal) -> Step:
    """Give one value for all rows."""
    if node.type == NULL:
        return lambda _: Column(NULL, None)
    if node.type == BOOL:
        return lambda rows: Truth(np.full(rows.rows, node.value, dtype=bool))
    column = Column(node.type, constant(node))
    return lambda _: column


def constant(node: Literal) -> Any:
    """Give a literal as kernels take it."""
    if node.type == STRING:
        return node.value
    return np.float64(node.value) if node.type == DOUBLE else np.int64(node.value)


def gathered(key: int, name: str, step: Step) -> Step:
    """Take a step by way of the distinct texts of a column, where that is worth it."""

    def gathered(rows: Rows) -> Column | Truth:
        result = rows.gather(key, name)
        return step(rows) if result is None else result

    return gathered


def junction(operator: str, keys: Sequence[int]) -> Step:
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


def form(row: Form, keys: Sequence[int]) -> Step:
    """Evaluate what looks at missing arguments itself."""
    tests = {"!_": 1, "_?_:_": 1}.get(row.name, 0)

    def step(rows: Rows) -> Column | Truth:
        arguments = [rows.truth(key) for key in keys[:tests]] + [rows.get(key) for key in keys[tests:]]
        return cast(Column, row.columnar(rows.rows, *arguments))

    return step


def threshold(row: Function, key: int, constant: Any) -> Step:
    """A number or a timestamp against a constant: the commonest node of all."""
    kernel = row.columnar

    def step(rows: Rows) -> Truth:
        column = cast(Column, rows.get(key))
        values = column.values
        if is_constant(values):
            values = spread(rows.rows, column.type, values)
        return settle(kernel(values, constant), present(column))

    return step


def strict(row: Function, keys: Sequence[int]) -> Step:
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


def members(node: Node, needle: str, lists: Lists) -> Members:
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
