"""Many records at a time: checked expressions and Arrow columns in, masks of true and of unknown rows out.

Rows go through in blocks that stay in the processor's cache. Each distinct sub-expression is computed once a
block, however many rules share it; one that reads a single text column is computed once per distinct text.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, cast

import numpy as np
import pyarrow as pa

from rules.columns import Batch, Gathered, Texts
from rules.expression import (
    BOOL,
    DOUBLE,
    INT,
    NULL,
    STRING,
    TIMESTAMP,
    Call,
    CheckedExpression,
    Keys,
    ListLiteral,
    ListName,
    Literal,
    Name,
    Node,
    children,
    walk,
)
from rules.functions import TABLE
from rules.functions.forms import Column, Members, Truth, either, is_constant, settle, spread
from rules.functions.table import Form, Function
from rules.scalar import Lists

BLOCK = 16_384


def conditions(expressions: Sequence[CheckedExpression], lists: Lists | None = None) -> Conditions:
    """Prepare conditions for batches."""
    return Conditions(expressions, lists or {})


def value(expression: CheckedExpression, lists: Lists | None = None) -> Value:
    """Prepare one expression for batches."""
    return Value(expression, lists or {})


class Conditions:
    """Conditions ready for batches; threads may share it.

    The plan is made for the first batch: who decides record by record, as after a live edit, never needs it.
    """

    def __init__(self, expressions: Sequence[CheckedExpression], lists: Lists) -> None:
        self._expressions, self._lists = tuple(expressions), lists

    @cached_property
    def _plan(self) -> Plan:
        return Plan([expression.node for expression in self._expressions], self._lists)

    def evaluate(self, batch: pa.RecordBatch) -> tuple[np.ndarray, np.ndarray]:
        """Say which conditions hold where.

        `(n rows)` batch → `(conditions, n)` bool true, `(conditions, n)` bool unknown.
        """
        plan, rows = self._plan, batch.num_rows
        columns = Batch(batch, plan.types)
        true = np.empty((len(plan.roots), rows), dtype=bool)
        unknown = np.zeros((len(plan.roots), rows), dtype=bool)
        lifted: dict[int, Gathered | None] = {}
        for start in range(0, rows, BLOCK):
            stop = min(start + BLOCK, rows)
            block = Block(plan, columns, start, stop, lifted)
            for number, root in enumerate(plan.roots):
                result = block.truth(root)
                true[number, start:stop] = result.true
                if result.false is not None:
                    np.logical_not(result.true | result.false, out=unknown[number, start:stop])
        return true, unknown


class Value:
    """One expression ready for batches; nothing in it changes, threads may share it."""

    def __init__(self, expression: CheckedExpression, lists: Lists) -> None:
        self._plan = Plan([expression.node], lists)
        self._type = expression.type

    def evaluate(self, batch: pa.RecordBatch) -> tuple[Any, np.ndarray]:
        """Compute the value of every row.

        `(n rows)` batch → `(n,)` values and `(n,)` bool where there is one. Values are NumPy: bool, int64,
        float64, timestamps int64 microseconds; texts are an Arrow string array.
        """
        columns = Batch(batch, self._plan.types)
        lifted: dict[int, Gathered | None] = {}
        values: list[Any] = []
        valid: list[np.ndarray] = []
        for start in range(0, max(batch.num_rows, 1), BLOCK):
            stop = min(start + BLOCK, batch.num_rows)
            block = Block(self._plan, columns, start, stop, lifted)
            some, present = block.value(self._plan.roots[0])
            values.append(some)
            valid.append(present)
        joined = pa.concat_arrays(values) if self._type == STRING else np.concatenate(values)
        return joined, np.concatenate(valid)


class Plan:
    """What of a set of expressions is known before any data: shared nodes, lifted nodes, constants."""

    def __init__(self, roots: Sequence[Node], lists: Lists) -> None:
        self.roots = list(roots)
        keys = Keys()
        # INVARIANT: nodes live as long as the plan (in roots), so that id() names them.
        self.keys = {id(node): keys[node] for root in roots for node in walk(root)}
        self.types = {node.name: node.type for root in roots for node in walk(root) if isinstance(node, Name)}
        self.uses = self._count()
        self.lifted = {id(node): name for root in roots for node, name in _lift(root)}
        self.members = {
            id(node): _members(node, kind, lists)
            for root in roots
            for call in walk(root)
            if isinstance(call, Call) and call.overload == "in_list"
            for node, kind in [(call.arguments[1], call.arguments[0].type)]
        }

    def _count(self) -> dict[int, int]:
        """Count how often each distinct node is asked for: by each distinct parent, and as a root."""
        uses = Counter(self.keys[id(root)] for root in self.roots)
        seen = set()
        for root in self.roots:
            for node in walk(root):
                key = self.keys[id(node)]
                if key not in seen:
                    seen.add(key)
                    uses.update(self.keys[id(child)] for child in children(node))
        return uses


class Block:
    """Evaluates nodes over rows start to stop, keeping what is asked for more than once."""

    def __init__(
        self, plan: Plan, columns: Batch, start: int, stop: int, lifted: dict[int, Gathered | None]
    ) -> None:
        self._plan = plan
        self._columns = columns
        self._start, self._stop = start, stop
        self._rows = stop - start
        self._lifted = lifted
        self._kept: dict[int, Column | Truth] = {}
        self._given: Mapping[str, Column] | None = None

    def truth(self, node: Node) -> Truth:
        """Evaluate a bool."""
        result = self.evaluate(node)
        if isinstance(result, Truth):
            return result
        nowhere = np.zeros(self._rows, dtype=bool)
        return Truth(nowhere, nowhere)

    def value(self, node: Node) -> tuple[Any, np.ndarray]:
        """Evaluate a value and where there is one."""
        result = self.evaluate(node)
        if isinstance(result, Truth):
            return result.true, result.true | result.falsity
        bad = either(result.null, result.error)
        values = (
            spread(self._rows, result.type, result.values) if is_constant(result.values) else result.values
        )
        return values, np.ones(self._rows, dtype=bool) if bad is None else ~bad

    def evaluate(self, node: Node) -> Column | Truth:
        """Evaluate one node, once."""
        key = self._plan.keys[id(node)]
        if (kept := self._kept.get(key)) is not None:
            return kept
        result = self._evaluate(node, key)
        if self._plan.uses[key] > 1 and not isinstance(node, Literal):
            self._kept[key] = result
        return result

    def _evaluate(self, node: Node, key: int) -> Column | Truth:
        if isinstance(node, Literal):
            return self._literal(node)
        if isinstance(node, Name):
            if self._given is not None:
                return self._given[node.name]
            return self._columns.block(node.name, self._start, self._stop)
        if not isinstance(node, Call):
            raise TypeError(f"no column for {node!r}")
        if self._given is None and (name := self._plan.lifted.get(id(node))) is not None:
            gathered = self._lift(node, key, name)
            if gathered is not None:
                return gathered.block(self._start, self._stop)
        row = TABLE[node.overload]
        if isinstance(row, Form):
            return self._form(row, node)
        return self._strict(row, [self.evaluate(argument) for argument in node.arguments])

    def _lift(self, node: Call, key: int, name: str) -> Gathered | None:
        """Evaluate over the distinct values of a text column; once a batch."""
        if key not in self._lifted:
            texts = self._columns[name]
            dictionary = texts.dictionary if isinstance(texts, Texts) else None
            if dictionary is None:
                self._lifted[key] = None
            else:
                inner = Block(self._plan, self._columns, 0, len(dictionary.values.values), self._lifted)
                inner._given = {name: dictionary.values}
                self._lifted[key] = Gathered(dictionary, inner.evaluate(node))
        return self._lifted[key]

    def _form(self, row: Form, node: Call) -> Column | Truth:
        if row.name == "@in":
            members = self._plan.members[id(node.arguments[1])]
            if isinstance(node.arguments[1], ListLiteral):
                others = [e for e in node.arguments[1].elements if not isinstance(e, Literal)]
                members = Members(members.sets, tuple(self.evaluate(e) for e in others), members.null)
            return cast(Truth, row.columnar(self._rows, self.evaluate(node.arguments[0]), members))
        arguments = [self.evaluate(argument) for argument in node.arguments]
        if row.name in ("_&&_", "_||_", "!_"):
            arguments = [self._as_truth(argument) for argument in arguments]
        if row.name == "_?_:_":
            arguments[0] = self._as_truth(arguments[0])
        return cast(Truth, row.columnar(self._rows, *arguments))

    def _strict(self, row: Function, arguments: list[Column | Truth]) -> Column | Truth:
        """Apply a kernel to the present values; a row where an argument is missing has no value."""
        bad: np.ndarray | None = None
        values = []
        for argument in arguments:
            bad = either(bad, either(argument.null, argument.error))
            values.append(argument.true if isinstance(argument, Truth) else argument.values)
        if all(is_constant(one) for one in values):
            values[0] = spread(
                self._rows, arguments[0].type if isinstance(arguments[0], Column) else BOOL, values[0]
            )
        with np.errstate(all="ignore"):
            result = row.columnar(*values)
        if row.fails:
            result, failed = result
            bad = either(bad, failed if failed.any() else None)
        return settle(result, bad) if row.result == BOOL else Column(row.result, result, None, bad)

    def _literal(self, node: Literal) -> Column | Truth:
        if node.type == NULL:
            return Column(NULL, None)
        if node.type == BOOL:
            return Truth(np.full(self._rows, node.value, dtype=bool))
        if node.type == DOUBLE:
            return Column(DOUBLE, np.float64(node.value))
        if node.type in (INT, TIMESTAMP):
            return Column(node.type, np.int64(node.value))
        return Column(STRING, node.value)

    def _as_truth(self, column: Column | Truth) -> Truth:
        if isinstance(column, Truth):
            return column
        nowhere = np.zeros(self._rows, dtype=bool)
        return Truth(nowhere, nowhere)


def _lift(root: Node) -> list[tuple[Call, str]]:
    """Find the largest sub-expressions that read one text column and nothing else."""
    found: list[tuple[Call, str]] = []

    def names(node: Node) -> frozenset[Name]:
        return frozenset(Name(one.name, one.type) for one in walk(node) if isinstance(one, Name))

    def visit(node: Node) -> None:
        read = names(node)
        if isinstance(node, Call) and len(read) == 1 and next(iter(read)).type == STRING:
            found.append((node, next(iter(read)).name))
        elif len(read) > 0:
            for child in children(node):
                visit(child)

    visit(root)
    return found


def _members(node: Node, needle: str, lists: Lists) -> Members:
    """Turn the constants on the right of `in` into arrays, one for each type."""
    constants: dict[str, list[Any]] = {}
    null = False
    if isinstance(node, ListName):
        constants[DOUBLE if needle == DOUBLE else node.element] = list(lists[node.name])
    elif isinstance(node, ListLiteral):
        for element in node.elements:
            if isinstance(element, Literal) and element.type != NULL:
                constants.setdefault(element.type, []).append(element.value)
            null = null or (isinstance(element, Literal) and element.type == NULL)
    return Members(tuple((kind, _array(kind, values)) for kind, values in constants.items()), (), null)


def _array(kind: str, values: list[Any]) -> Any:
    if kind == STRING:
        return pa.array(dict.fromkeys(values), pa.string())
    if kind == BOOL:
        return frozenset(values)
    return np.unique(np.array(values, dtype=np.float64 if kind == DOUBLE else np.int64))
