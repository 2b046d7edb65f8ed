"""Fields that alone tell a label: the answer, most likely, which is not there yet when a decision is made."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from engine.evaluation.metrics import auc
from engine.training.targets import MISSING

if TYPE_CHECKING:
    from engine.project import Project
    from engine.training.rows import Labelled

LOOKED_AT = 20_000  # rows, spread over all of them
LEVELS = 0.05  # of the rows: a field of more values than that is no list of answers
LEFT_OPEN = 0.01  # share of the mistakes made without the field that one is left with
PERFECT = 0.9995
FEWEST = 10  # mistakes without the field: with fewer, any field may be right by chance


def telling_fields(project: Project, rows: Labelled, train: np.ndarray) -> tuple[str, ...]:
    """Say which fields of the model alone tell a label of nearly every training row."""
    looked = rows.take(train[:: max(1, -(-len(train) // LOOKED_AT))])
    found = []
    for slot in project.embedding.slots:
        if slot.name == project.id:
            continue
        column = looked.column(slot.name)
        for name, codes in looked.codes.items():
            known = codes != MISSING
            if _tells(column.filter(pa.array(known)), codes[known]):
                found.append(
                    f"field '{slot.name}' alone tells label '{name}' of nearly every training row: leave "
                    "it out unless it is known when the decision is made"
                )
    return tuple(found)


def _tells(column: pa.Array, codes: np.ndarray) -> bool:
    """`codes` `(n,)` are the classes of the rows, none missing."""
    counts = np.bincount(codes)
    without = len(codes) - int(counts.max(initial=0))
    if without < FEWEST:
        return False
    encoded = column.dictionary_encode()
    values = len(encoded.dictionary) + 1
    if values <= LEVELS * len(codes):
        places = encoded.indices.fill_null(values - 1).to_numpy(zero_copy_only=False).astype(np.int64)
        table = np.bincount(places * len(counts) + codes, minlength=values * len(counts))
        left = len(codes) - int(table.reshape(values, len(counts)).max(axis=1).sum())
        return left <= LEFT_OPEN * without
    if len(counts) > 2 or pa.types.is_string(column.type):
        return False
    kind = pa.float64() if pa.types.is_floating(column.type) else pa.int64()
    numbers = column.cast(kind).cast(pa.float64(), safe=False)
    area = auc(np.nan_to_num(numbers.fill_null(-np.inf).to_numpy(zero_copy_only=False)), codes == 1)
    return area is not None and not 1 - PERFECT < area < PERFECT
