"""What the encoders of a project's own made of the training texts: some no vector, or all the same one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:
    from embeddings.encode import Encoding
    from engine.training.rows import Labelled

_SAME = 1e-6  # in standard deviations; what hardly varies is not stretched to one


def vector_report(
    encoding: Encoding, inputs: Mapping[str, np.ndarray], training: Labelled
) -> dict[str, dict[str, Any]]:
    """Of each field with an encoder: its `texts`, those `without` a vector, and whether all have the `same`.

    `inputs` are those of the training rows.
    """
    if not encoding.vectors:
        return {}
    owners = encoding.owners["numeric"]
    report = {}
    for vector in encoding.vectors:
        column = training.column(vector.name)
        texts = column.drop_null()
        given = inputs["numeric"][:, owners == encoding.names.index(vector.name)]
        given = given[column.is_valid().to_numpy(zero_copy_only=False)]
        found = np.isfinite(given).all(axis=1)
        several = pc.count_distinct(texts.filter(pa.array(found))).as_py() > 1
        report[vector.name] = {
            "texts": len(texts),
            "without": int((~found).sum()),
            "same": several and float(np.ptp(given[found], axis=0).max()) <= _SAME,
        }
    return report
