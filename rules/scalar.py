"""One record at a time: checked expressions in, a function of a record's values out.

A few conditions become one generated Python function, in which a record without missing values takes a branch
without tests for them. Many are looked up in an index, and each that it does not settle has a function of
its own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from rules.expression import CheckedExpression
from rules.generated import (
    UNSET,
    Likeness,
    generate_condition,
    generate_conditions,
    generate_part,
    generate_value,
    likeness_of,
    linked,
)
from rules.index import Index
from rules.membership import Lists
from rules.sharing import Sharing

Values = Mapping[str, Any]
Conditions = Callable[[Values], tuple[list[int], list[int]]]

FEW = 32
"""Conditions that one function evaluates one after another; of more, an index says which to evaluate."""

GROUP = 1024
"""Conditions of one index: its tables grow with their square."""

INDEXES = 8
"""Indexes kept for the next compile."""


def compile_conditions(expressions: Sequence[CheckedExpression], lists: Lists | None = None) -> Conditions:
    """Make a function that says which conditions hold.

    The function takes a record's values by name (a value that is missing is None, or not there at all) and
    returns the positions of the conditions that are true, and of those that are unknown, each in order.
    """
    if len(expressions) > FEW:
        return _many(expressions, lists or {})
    sharing = Sharing([one.node for one in expressions])
    function = linked(
        generate_conditions(likeness_of(expressions, sharing)), lists or {}, _parts(sharing, lists or {})
    )

    def conditions(values: Values) -> tuple[list[int], list[int]]:
        true: list[int] = []
        unknown: list[int] = []
        function(values, true, unknown)
        return true, unknown

    return conditions


def compile_value(expression: CheckedExpression, lists: Lists | None = None) -> Callable[[Values], Any]:
    """Make a function of a record's values that gives the expression's value; None where there is none."""
    function: Callable[[Values], Any] = linked(generate_value(expression.node), lists or {}, {})
    return function


def _many(expressions: Sequence[CheckedExpression], lists: Lists) -> Conditions:
    """Look conditions up in indexes, and evaluate what those leave open, each by a function of its own."""
    starts = range(0, len(expressions), GROUP)
    groups = [(start, *_group(expressions[start : start + GROUP], lists)) for start in starts]

    def conditions(values: Values) -> tuple[list[int], list[int]]:
        try:
            return evaluate(values)
        except KeyError:
            return evaluate(_Absent(values))

    def evaluate(values: Values) -> tuple[list[int], list[int]]:
        true: list[int] = []
        unknown: list[int] = []
        for start, index, tests, parts in groups:
            cells = [UNSET] * parts
            holds, is_open = index.evaluate(values)
            rest = (holds | is_open) & ~index.pure
            while rest:
                bit = rest & -rest
                rest ^= bit
                result = tests[bit.bit_length() - 1](values, cells)
                holds = holds | bit if result else holds & ~bit
                is_open = is_open | bit if result is None else is_open & ~bit
            _places(holds, start, true)
            _places(is_open, start, unknown)
        return true, unknown

    return conditions


def _group(expressions: Sequence[CheckedExpression], lists: Lists) -> tuple[Index, dict[int, Any], int]:
    """Give the index over some conditions, a function for each that it does not settle, and how many parts
    those share.
    """
    index = _index(likeness_of(expressions, Sharing([])))
    rest = {number: one for number, one in enumerate(expressions) if not index.pure >> number & 1}
    sharing = Sharing([one.node for one in rest.values()])
    parts = _parts(sharing, lists)
    tests = {
        number: linked(generate_condition(likeness_of((one,), sharing)), lists, parts)
        for number, one in rest.items()
    }
    return index, tests, len(sharing.parts)


@lru_cache(maxsize=INDEXES)
def _index(likeness: Likeness) -> Index:
    """Make an index, or give that of equal conditions: an edit leaves most stages of a set as they are."""
    return Index(likeness.nodes)


def _parts(sharing: Sharing, lists: Lists) -> dict[str, Any]:
    """Give what sources that share parts name: for each part a function that computes and keeps it."""
    parts: dict[str, Any] = {"UNSET": UNSET}
    for slot, node in enumerate(sharing.parts):
        parts[f"s{slot}"] = linked(
            generate_part(Likeness((repr(node).encode(),), sharing.within(node), (node,), sharing)),
            lists,
            parts,
        )
    return parts


def _places(bits: int, start: int, places: list[int]) -> None:
    """Add the places of bits to a list."""
    while bits:
        bit = bits & -bits
        bits ^= bit
        places.append(start + bit.bit_length() - 1)


class _Absent(dict[str, Any]):
    """A record's values; what is not there is missing."""

    def __missing__(self, _: str) -> None:
        return None
