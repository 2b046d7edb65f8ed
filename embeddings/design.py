"""Encoded inputs as one sparse matrix, a column for each thing a field can say: what a weighted sum reads.

Columns: the numbers (clipped, the missing ones at their mean), their missing flags, a column for each row of
the category table, and for each text a column for each hashed token.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from scipy import sparse

from embeddings.encode import Encoding

SPAN = 4.0
"""Numbers are clipped to ±SPAN standard deviations, so that no outlier outweighs the rest."""
TEXT_SCALE = 5.0
"""Length of a text's part of a row; of a number it is about 1, and one penalty falls on both."""
_LEAST_NORM = 1e-12
_BLOCK_ROWS = 65_536


def design(
    encoding: Encoding, inputs: Mapping[str, np.ndarray], rarity: Sequence[np.ndarray]
) -> sparse.csr_matrix:
    """`inputs` as `Encoding.batch` gives them → `(n, columns)` float64; `rarity` from `token_rarity`."""
    parts = []
    if encoding.columns:
        values = inputs["numeric"].astype(np.float64)
        missing = np.isnan(values)
        parts.append(sparse.csr_matrix(np.clip(np.where(missing, 0.0, values), -SPAN, SPAN)))
        parts.append(sparse.csr_matrix(missing.astype(np.float64)))
    if encoding.categories:
        rows = inputs["categories"]
        parts.append(_placed(rows, np.ones(rows.shape), encoding.table_rows))
    for text, weight in zip(encoding.texts, rarity, strict=True):
        parts.append(token_matrix(inputs[f"text.{text.name}"], weight) * TEXT_SCALE)
    return sparse.hstack(parts, format="csr")


def token_rarity(tokens: np.ndarray, rows: int) -> np.ndarray:
    """Weight of each token, `1 + ln((1 + n) / (1 + texts with it))`: `(n, places)` → `(rows,)` float32.

    Padding has weight 0 (Salton and Buckley 1988, "Term-weighting approaches in automatic text retrieval").
    """
    seen = np.zeros(rows, np.int64)
    for at in range(0, len(tokens), _BLOCK_ROWS):
        ordered = np.sort(tokens[at : at + _BLOCK_ROWS], axis=1)
        first = np.ones(ordered.shape, bool)
        first[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
        seen += np.bincount(ordered[first], minlength=rows)
    rarity = (1 + np.log((1 + len(tokens)) / (1 + seen))).astype(np.float32)
    rarity[0] = 0
    return rarity


def token_matrix(tokens: np.ndarray, rarity: np.ndarray) -> sparse.csr_matrix:
    """Texts `(n, places)` → `(n, rows)`: each token's weight, divided by the length of all of the text's."""
    weights = rarity.astype(np.float64)[tokens]
    norm = np.sqrt((weights**2).sum(axis=1, keepdims=True))
    return _placed(tokens, weights / np.maximum(norm, _LEAST_NORM), len(rarity))


def _placed(columns: np.ndarray, values: np.ndarray, width: int) -> sparse.csr_matrix:
    """Values `(n, k)` put at their columns `(n, k)`, those at one place added up."""
    starts = np.arange(0, columns.size + 1, columns.shape[1])
    matrix = sparse.csr_matrix((values.ravel(), columns.ravel(), starts), shape=(len(columns), width))
    matrix.sum_duplicates()
    matrix.eliminate_zeros()
    return matrix
