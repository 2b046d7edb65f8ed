"""Orders of the fields that balance each other: of any three fields, each comes between the others as often.

A walk along an order and its reverse is exact for fields that act alone or in pairs. Of three that act
together, it gives half to the first, half to the last and nothing to the one between, where each should have
a third: over orders in which all are between alike often, that comes out even.
"""

from __future__ import annotations

from itertools import combinations

import numpy as np

MOST_TRIPLES = 2_000
SWAPS = 3_000


def balanced_orders(fields: int, count: int, draw: np.random.Generator) -> np.ndarray:
    """Give `count` orders of so many fields, `(count, fields)` int64.

    From random ones, two fields of an order change places wherever that evens out who is between whom.
    """
    orders = np.stack([draw.permutation(fields) for _ in range(count)])
    triples = _triples(fields, draw)
    if not len(triples):
        return orders
    row = np.arange(len(triples))
    middles = np.stack([_between(order, triples) for order in orders])
    often = np.stack([(middles == place).sum(axis=0) for place in range(3)], axis=1)
    for which, first, second in zip(
        draw.integers(count, size=SWAPS),
        draw.integers(fields, size=SWAPS),
        draw.integers(fields, size=SWAPS),
        strict=True,
    ):
        swapped = orders[which].copy()
        swapped[[first, second]] = swapped[[second, first]]
        before, after = middles[which], _between(swapped, triples)
        # Σ often² falls by this: to move one from b to a changes it by 2 (often_a − often_b + 1).
        moved = before != after
        if (often[row, after] - often[row, before] + 1)[moved].sum() < 0:
            often[row[moved], before[moved]] -= 1
            often[row[moved], after[moved]] += 1
            orders[which], middles[which] = swapped, after
    return orders


def _triples(fields: int, draw: np.random.Generator) -> np.ndarray:
    """All threes of fields, or as many drawn: `(k, 3)`."""
    if fields * (fields - 1) * (fields - 2) // 6 <= MOST_TRIPLES:
        return np.array(list(combinations(range(fields), 3)), np.int64).reshape(-1, 3)
    return np.stack([draw.choice(fields, 3, replace=False) for _ in range(MOST_TRIPLES)])


def _between(order: np.ndarray, triples: np.ndarray) -> np.ndarray:
    """Which of each three comes between the other two: `(k,)`, 0 to 2."""
    at = np.argsort(order)[triples]
    between: np.ndarray = np.argsort(at, axis=1)[:, 1]
    return between
