"""Values of the rule language in, Arrow columns out: by their buffers, as `pa.array` imports pandas."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from rules.columns import ARROW_TYPES
from rules.expression import BOOL, DOUBLE, STRING
from rules.verdict import text_array


def column(kind: str, values: Sequence[Any]) -> pa.Array:
    """Make a column of one of the rule language's types; a missing value is None.

    Raises OverflowError for an int of more than 64 bits.
    """
    if kind == STRING:
        texts = text_array([value or "" for value in values])
        buffers = texts.buffers()[1:]
    elif kind == BOOL:
        buffers = [_bits(values)]
    else:
        numbers = np.array([value or 0 for value in values], np.float64 if kind == DOUBLE else np.int64)
        buffers = [pa.py_buffer(numbers)]
    present = _bits([value is not None for value in values])
    return pa.Array.from_buffers(ARROW_TYPES[kind], len(values), [present, *buffers])


def _bits(values: Sequence[Any]) -> pa.Buffer:
    return pa.py_buffer(np.packbits(np.array(values, dtype=bool), bitorder="little"))
