"""Ordering: < <= > >= over numbers, timestamps, durations, booleans and text (by code point)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow.compute as pc

from rules.expression import BOOL, DOUBLE, DURATION, INT, STRING, TIMESTAMP
from rules.functions.table import Function
from rules.functions.text import mask

_TYPES = {BOOL: BOOL, INT: "int64", DOUBLE: DOUBLE, STRING: STRING, TIMESTAMP: TIMESTAMP, DURATION: DURATION}


def _ordering(
    name: str, word: str, scalar: str, numbers: Callable[..., Any], texts: Callable[..., Any]
) -> list[Function]:
    """Give one operator's row for each type. UTF-8 bytes and Python's str both order by code point."""

    def text_kernel(left: Any, right: Any) -> Any:
        return mask(texts(left, right))

    return [
        Function(
            name, f"{word}_{suffix}", (kind, kind), BOOL, scalar, text_kernel if kind == STRING else numbers
        )
        for kind, suffix in _TYPES.items()
    ]


ROWS: list[Function] = [
    *_ordering("_<_", "less", "{0} < {1}", np.less, pc.less),
    *_ordering("_<=_", "less_equals", "{0} <= {1}", np.less_equal, pc.less_equal),
    *_ordering("_>_", "greater", "{0} > {1}", np.greater, pc.greater),
    *_ordering("_>=_", "greater_equals", "{0} >= {1}", np.greater_equal, pc.greater_equal),
]
SCOPE: dict[str, Any] = {}
