"""The rows that stand for all in explanations: few, chosen to be on average what the training rows are.

Kernel herding (Chen, Welling and Smola 2010, "Super-samples from kernel herding") over random Fourier
features (Rahimi and Recht 2007) of what the graph reads and of the embedding: in each turn the row that
brings the mean of the chosen nearest to the mean of all. It takes two to four times as many rows drawn at
random to come as near.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
from threadpoolctl import threadpool_limits

from embeddings.design import SPAN
from embeddings.encode import Encoding
from engine.references import REFERENCES, References
from engine.training.orders import balanced_orders
from engine.training.reuse import canonical_json

POOL = 4_000  # rows to choose from
WAVES = 512
PITCH = 0.5  # of the waves; 0.25 to 1 choose about as well
ROWS_EXPLAINED = 880  # rows of the model that one explanation may take, where the fields are not too many
FEWEST, MOST = 12, 40
TWICE = 4  # at least so many rows are walked by a second order, or one in five
LEAST_SHARE = 0.01  # levels seen in a smaller share of the rows are not told apart
LEAST_SPREAD = 0.1


Inputs = Mapping[str, np.ndarray]


def reference_part(
    encoding: Encoding, inputs: Inputs, embedding: np.ndarray, *, count: int | None, seed: int
) -> dict[str, bytes]:
    """Give the part of a bundle with `count` reference rows, or as many as suit the fields; none for 0."""
    if count is None:
        count = references_for(len(encoding.names))
    if count == 0:
        return {}
    # One thread: sums come out the same on any number of cores.
    with threadpool_limits(1):
        chosen = choose_references(encoding, inputs, embedding, count, seed)
    return {REFERENCES: canonical_json(chosen.to_json())}


def references_for(fields: int) -> int:
    """How many reference rows suit so many fields: each is walked there and back, a field at a time.

    >>> references_for(12), references_for(24), references_for(200)
    (40, 19, 12)
    """
    return int(np.clip(ROWS_EXPLAINED // (2 * max(1, fields - 1)), FEWEST, MOST))


def choose_references(
    encoding: Encoding, inputs: Inputs, embedding: np.ndarray, count: int, seed: int
) -> References:
    """Choose `count` of n training rows, an order of the fields for each, and a second one for the first few.

    `inputs` as `Encoding.batch` gives them; `embedding` `(n, width)`.
    """
    draw = np.random.default_rng(seed)
    pool = np.sort(draw.permutation(len(embedding))[:POOL])
    inputs = {name: array[pool] for name, array in inputs.items()}
    waves = _waves([*_columns(encoding, inputs), embedding[pool]], draw)
    chosen = _herd(waves, min(count, len(pool)))
    twice = min(len(chosen), max(TWICE, len(chosen) // 5))
    orders = balanced_orders(len(encoding.names), len(chosen) + twice, draw)
    return References({name: array[chosen] for name, array in inputs.items()}, orders)


def _columns(encoding: Encoding, inputs: Inputs) -> Iterator[np.ndarray]:
    """What the inputs say, in blocks of columns `(n, k)`: clipped numbers, missing flags, levels."""
    if encoding.columns:
        missing = np.isnan(inputs["numeric"])
        yield np.clip(np.where(missing, 0.0, inputs["numeric"]), -SPAN, SPAN)
        yield missing
    for column in inputs.get("categories", np.empty((0, 0))).T:
        levels, seen = np.unique(column, return_counts=True)
        yield column[:, None] == levels[seen >= LEAST_SHARE * len(column)]


def _waves(blocks: list[np.ndarray], draw: np.random.Generator) -> np.ndarray:
    """Cosines of random sums of standardised columns, themselves standardised: `(n, WAVES)` float64."""
    sums, columns = np.zeros((len(blocks[0]), WAVES)), 0
    for block in blocks:
        scaled = _standardised(block.astype(np.float64))
        sums += scaled @ draw.normal(size=(block.shape[1], WAVES))
        columns += int(scaled.any(axis=0).sum())
    angles = PITCH * sums / np.sqrt(max(columns, 1)) + draw.uniform(0, 2 * np.pi, WAVES)
    return _standardised(np.cos(angles))


def _standardised(columns: np.ndarray) -> np.ndarray:
    scaled: np.ndarray = (columns - columns.mean(axis=0)) / np.maximum(columns.std(axis=0), LEAST_SPREAD)
    return scaled


def _herd(waves: np.ndarray, count: int) -> np.ndarray:
    """Rows of which each, in its turn, brings the sum of all chosen nearest to nought: `(count,)` int64."""
    total, lengths = np.zeros(waves.shape[1]), (waves**2).sum(axis=1)
    chosen: list[int] = []
    for _ in range(count):
        # |total + row|² less |total|², which all rows share.
        distance = 2 * waves @ total + lengths
        distance[chosen] = np.inf
        chosen.append(int(distance.argmin()))
        total += waves[chosen[-1]]
    return np.array(chosen)
