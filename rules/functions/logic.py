"""Logic, equality, membership and the ternary: the operators that have an answer where a value is missing.

Logic is Kleene's: T(a && b) = T(a) and T(b), F(a && b) = F(a) or F(b). Equality takes null for a value, so
`x == 5` is false where x is missing; an error in an operand leaves it open.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from rules.expression import BOOL, DOUBLE, DURATION, INT, NULL, STRING, TIMESTAMP
from rules.functions.forms import (
    Column,
    Elements,
    Members,
    Source,
    Truth,
    Writer,
    either,
    is_constant,
    same,
    settle,
    spread,
    truth,
)
from rules.functions.table import Form


def same_number(left: Any, right: Any) -> bool:
    """Compare an int with a double as doubles; null is equal to null alone."""
    if left is None or right is None:
        return left is right
    return float(left) == float(right)


def as_double(value: Any) -> Any:
    """Widen a number; null stays null."""
    return None if value is None else float(value)


def and_source(_: Writer, a: Source, b: Source) -> Source:
    """T: both true. F: one false."""
    false = f"({a.false} or {b.false})" if a.open or b.open else None
    return truth(f"({a.true} and {b.true})", false, max(a.height, b.height) + 1)


def and_columns(_: int, a: Truth, b: Truth) -> Truth:
    """T: both true. F: one false."""
    if a.false is None and b.false is None:
        return Truth(a.true & b.true)
    return Truth(a.true & b.true, a.falsity | b.falsity)


def or_source(_: Writer, a: Source, b: Source) -> Source:
    """T: one true. F: both false."""
    false = f"({a.false} and {b.false})" if a.open or b.open else None
    return truth(f"({a.true} or {b.true})", false, max(a.height, b.height) + 1)


def or_columns(_: int, a: Truth, b: Truth) -> Truth:
    """T: one true. F: both false."""
    if a.false is None and b.false is None:
        return Truth(a.true | b.true)
    return Truth(a.true | b.true, a.falsity & b.falsity)


def not_source(_: Writer, a: Source) -> Source:
    """T and F change places."""
    return truth(a.false, a.true if a.open else None, a.height + 1)


def not_columns(_: int, a: Truth) -> Truth:
    """T and F change places."""
    return Truth(~a.true) if a.false is None else Truth(a.false, a.true)


def equals_source(writer: Writer, a: Source, b: Source) -> Source:
    """Python's == is CEL's on values of one type, None and NaN among them."""
    left, right = writer.once(a), writer.once(b)
    guards = left[0] + right[0]
    height = max(a.height, b.height) + 2
    if NULL in (a.type, b.type):
        core = f"{left[1] if b.type == NULL else right[1]} is None"
    elif a.type != b.type:
        core = f"same_number({left[1]}, {right[1]})"
    else:
        core = f"{left[1]} == {right[1]}"
    return guarded(guards, core, height)


def equals_columns(rows: int, a: Column | Truth, b: Column | Truth) -> Truth:
    """Equal are two nulls, or two present values that are the same."""
    left_null, right_null = _nulls(rows, a), _nulls(rows, b)
    if isinstance(a, Truth) and isinstance(b, Truth):
        equal = (a.true & b.true) | (a.falsity & b.falsity)
    elif isinstance(a, Column) and isinstance(b, Column) and NULL not in (a.type, b.type):
        equal = same(rows, a, b)
        for null in (left_null, right_null):
            equal = equal if null is None else equal & ~null
    else:
        equal = np.zeros(rows, dtype=bool)
    if left_null is not None and right_null is not None:
        equal = equal | (left_null & right_null)
    bad = either(a.error, b.error)
    return settle(equal, None if bad is None else ~bad)


def not_equals_source(writer: Writer, a: Source, b: Source) -> Source:
    """The opposite of equals."""
    return not_source(writer, equals_source(writer, a, b))


def not_equals_columns(rows: int, a: Column | Truth, b: Column | Truth) -> Truth:
    """The opposite of equals."""
    return not_columns(rows, equals_columns(rows, a, b))


def in_source(writer: Writer, a: Source, elements: Elements) -> Source:
    """A set for the constants, == for the rest; every element must have a value, or null."""
    guards, name = writer.once(a)
    tests = []
    for kind, constants in elements.sets:
        sought = f"as_double({name})" if a.type == INT and kind == DOUBLE else name
        tests.append(f"{sought} in {constants}")
    for source in elements.sources:
        more, other = writer.once(source)
        guards += more
        tests.append(f"{name} == {other}" if source.type == a.type else f"same_number({name}, {other})")
    height = max([a.height, *(source.height for source in elements.sources)]) + 2
    return guarded(guards, f"({' or '.join(tests)})" if tests else "False", height)


def in_columns(rows: int, a: Column | Truth, members: Members) -> Truth:
    """A set for the constants, == for the rest; every element must have a value, or null."""
    found, bad = np.zeros(rows, dtype=bool), a.error
    null = _nulls(rows, a)
    for kind, constants in members.sets:
        found = found | _among(rows, a, kind, constants)
    if null is not None:
        found = found & ~null
    if members.null and null is not None:
        found = found | null
    for column in members.columns:
        equal = equals_columns(rows, a, column)
        found, bad = found | equal.true, either(bad, column.error)
    return settle(found, None if bad is None else ~bad)


def _among(rows: int, a: Column | Truth, kind: str, constants: Any) -> np.ndarray:
    """Say which present values are among the constants."""
    if len(constants) == 0 or (a.null is not None and a.null.all()):
        return np.zeros(rows, dtype=bool)
    if isinstance(a, Truth):
        chosen = [mask for value, mask in ((True, a.true), (False, a.falsity)) if value in constants]
        return np.asarray(np.logical_or.reduce(chosen)) if chosen else np.zeros(rows, dtype=bool)
    values = spread(rows, a.type, a.values) if is_constant(a.values) else a.values
    if kind == DOUBLE:
        values = values.astype(np.float64, copy=False)
    if not isinstance(constants, np.ndarray | pa.Array):
        return np.asarray(constants.among(values))
    if a.type == STRING:
        return np.asarray(pc.is_in(values, value_set=constants).to_numpy(zero_copy_only=False), dtype=bool)
    return np.asarray(np.logical_or.reduce([values == constant for constant in constants]))


def in_ranges_source(writer: Writer, a: Source, elements: Elements) -> Source:
    """Whether a text is an address in one of the networks; a missing one is in none."""
    guards, name = writer.once(a)
    ((_, ranges),) = elements.sets
    return guarded(guards, f"{name} in {ranges}", a.height + 2)


def in_ranges_columns(rows: int, a: Column | Truth, members: Members) -> Truth:
    """Whether a text is an address in one of the networks; a missing one is in none."""
    ((_, ranges),) = members.sets
    found = np.zeros(rows, dtype=bool)
    if isinstance(a, Column) and a.type == STRING:
        found = ranges.among(spread(rows, STRING, a.values) if is_constant(a.values) else a.values)
    if a.null is not None:
        found = found & ~a.null
    return settle(found, None if a.error is None else ~a.error)


def conditional_source(writer: Writer, c: Source, x: Source, y: Source) -> Source:
    """Only the branch taken counts; an open condition leaves it open."""
    c = writer.hoist(c)
    value = f"({x.value} if {c.true} else {y.value}{f' if {c.false} else ERROR' if c.open else ''})"
    kind = y.type if x.type == NULL else x.type
    null, error = x.null or y.null, x.error or y.error or c.open
    height = max(c.height, x.height, y.height) + 1
    if kind != BOOL:
        return Source(kind, value, null=null, error=error, height=height)
    otherwise = f"{c.false} and " if c.open else ""
    true = f"({x.true} if {c.true} else {otherwise}{y.true})"
    false = f"({x.false} if {c.true} else {otherwise}{y.false})"
    return Source(BOOL, value, null=null, error=error, true=true, false=false, height=height)


def conditional_columns(rows: int, c: Truth, x: Column | Truth, y: Column | Truth) -> Column | Truth:
    """Only the branch taken counts; an open condition leaves it open."""
    null = _chosen(c, _nulls(rows, x), _nulls(rows, y))
    if isinstance(x, Truth) or isinstance(y, Truth):
        a, b = _as_truth(rows, x), _as_truth(rows, y)
        settled = c.false is None and a.false is None and b.false is None
        true = (c.true & a.true) | (c.falsity & b.true)
        false = None if settled else (c.true & a.falsity) | (c.falsity & b.falsity)
        return Truth(true, false, null)
    error = _chosen(c, x.error, y.error)
    if c.false is not None:
        error = either(error, ~(c.true | c.false))
    kind = y.type if x.type == NULL else x.type
    if kind == NULL:
        return Column(NULL, None, null, error)
    left, right = (column.values if column.type != NULL else _BLANK[kind] for column in (x, y))
    if kind == STRING:
        left, right = (spread(rows, STRING, v) if is_constant(v) else v for v in (left, right))
        return Column(STRING, pc.if_else(c.true, left, right), null, error)
    return Column(kind, np.where(c.true, left, right), null, error)


_BLANK: dict[str, Any] = {
    INT: np.int64(0),
    DOUBLE: np.float64(0),
    STRING: "",
    TIMESTAMP: np.int64(0),
    DURATION: np.int64(0),
}


def guarded(guards: list[str], core: str, height: int) -> Source:
    """Make a bool that is `core` where the guards hold and open where they do not."""
    if not guards:
        return truth(f"({core})", None, height)
    held = " and ".join(guards)
    return truth(f"({held} and ({core}))", f"({held} and not ({core}))", height)


def _nulls(rows: int, column: Column | Truth) -> np.ndarray | None:
    if isinstance(column, Column) and column.type == NULL and column.null is None:
        return np.ones(rows, dtype=bool)
    return column.null


def _chosen(c: Truth, x: np.ndarray | None, y: np.ndarray | None) -> np.ndarray | None:
    left = None if x is None else c.true & x
    return either(left, None if y is None else c.falsity & y)


def _as_truth(rows: int, column: Column | Truth) -> Truth:
    """Take the null literal for a bool that is null everywhere."""
    if isinstance(column, Truth):
        return column
    nowhere = np.zeros(rows, dtype=bool)
    return Truth(nowhere, nowhere, np.ones(rows, dtype=bool))


FORMS: list[Form] = [
    Form("_&&_", "logical_and", and_source, and_columns),
    Form("_||_", "logical_or", or_source, or_columns),
    Form("!_", "logical_not", not_source, not_columns),
    Form("_==_", "equals", equals_source, equals_columns),
    Form("_!=_", "not_equals", not_equals_source, not_equals_columns),
    Form("@in", "in_list", in_source, in_columns),
    Form("in_ranges", "in_ranges", in_ranges_source, in_ranges_columns),
    Form("_?_:_", "conditional", conditional_source, conditional_columns),
]
SCOPE: dict[str, Any] = {"same_number": same_number, "as_double": as_double}
