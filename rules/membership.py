"""The entries of a list, or literals, in the form in which one value or a column is looked up among them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from rules.bitmap import BitSet, number_set
from rules.expression import BOOL, CIDR, DOUBLE, STRING
from rules.number_sets import NumberSet
from rules.ranges import RangeSet
from rules.text_sets import TextSet

Lists = Mapping[str, Collection[Any]]
"""The entries of each list, by its name."""

FEW = 8
"""Members that a column is compared with one by one."""


def membership(kind: str, values: Collection[Any]) -> Any:
    """Give the entries of a list so that one value of a type can be looked up: `value in membership(…)`.

    `kind` is the type looked up, or `cidr`. NaN is left out: it equals nothing, but a frozenset finds it by
    identity.
    """
    if kind == CIDR:
        return values if isinstance(values, RangeSet) else RangeSet.of(values)
    if isinstance(values, NumberSet | BitSet):
        return values.doubles if kind == DOUBLE else values
    if isinstance(values, TextSet):
        return values
    return frozenset(
        float(value) if kind == DOUBLE and value is not None else value for value in values if value == value
    )


def batch_membership(kind: str, values: Collection[Any]) -> Any:
    """Give the entries of a list so that a column can be looked up: a set with `among`, a few as an array."""
    members = membership(kind, values)
    if not isinstance(members, frozenset) or kind == BOOL:
        return members
    if kind == STRING:
        return TextSet.of(members) if len(members) > FEW else pa.array(members, pa.string())
    numbers = np.array(list(members), dtype=np.float64 if kind == DOUBLE else np.int64)
    return number_set(numbers) if len(numbers) > FEW else numbers
