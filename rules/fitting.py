"""A field as the schema has it and a value: whether the field may hold it."""

from __future__ import annotations

import sys
from typing import Any

from rules.expression import BOOL, DOUBLE, DURATION, INT, STRING, TIMESTAMP, Variable

LOW, HIGH = -(2**63), 2**63 - 1
LARGEST = sys.float_info.max
FIRST_MOMENT, LAST_MOMENT = -62_135_596_800_000_000, 253_402_300_799_999_999  # the years 1 to 9999
_KINDS: dict[str, type | tuple[type, ...]] = {
    BOOL: bool,
    INT: int,
    DOUBLE: (int, float),
    STRING: str,
    TIMESTAMP: int,
    DURATION: int,
}


def fits(variable: Variable, value: Any) -> bool:
    """Say whether the schema allows this value."""
    if value is None:
        return variable.nullable
    if not _of_type(variable.type, value):
        return False
    if variable.type == INT and not LOW <= value <= HIGH:
        return False
    if variable.type == TIMESTAMP and not FIRST_MOMENT <= value <= LAST_MOMENT:
        return False
    if variable.type == DOUBLE and not abs(value) <= LARGEST:
        return False
    low = variable.minimum is None or value >= variable.minimum
    high = variable.maximum is None or value <= variable.maximum
    return low and high and (variable.values is None or value in variable.values)


def _of_type(kind: str, value: Any) -> bool:
    """Say whether a value is of a type: a bool is no number."""
    return isinstance(value, _KINDS[kind]) and isinstance(value, bool) == (kind == BOOL)
