"""Which rules of many can never fire together: boxes against boxes, all pairs at once."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice

import numpy as np

from rules.analysis.formula import Formula, GaveUp, Search

MOST_BOXES = 16
WORD = 64


def apart(formulas: Sequence[Formula], full: Sequence[int]) -> np.ndarray:
    """Say of which pairs it is proven that they never hold together.

    Each formula is covered by boxes; two boxes are apart if some axis has no cell in common. A formula of
    more than sixteen boxes is apart from none here.

    **Shape**: n formulas → `(n, n)` bool, symmetric.
    """
    covers = [_cover(formula, full) for formula in formulas]
    owners = np.array([number for number, boxes in enumerate(covers) for _ in boxes or [{}]], dtype=np.intp)
    boxes = [box for cover in covers for box in (cover or [{}])]
    meets = np.ones((len(boxes), len(boxes)), dtype=bool)
    for axis in {axis for box in boxes for axis in box}:
        words = _words([box.get(axis, full[axis]) for box in boxes])
        common = np.zeros_like(meets)
        for word in words:
            common |= (word[:, None] & word[None, :]) != 0
        meets &= common
    result = np.zeros((len(formulas), len(formulas)), dtype=bool)
    np.logical_or.at(result, (owners[:, None], owners[None, :]), meets)
    empty = [number for number, cover in enumerate(covers) if cover == []]
    result[empty, :] = result[:, empty] = False
    return ~result


def _cover(formula: Formula, full: Sequence[int]) -> list[dict[int, int]] | None:
    """Give boxes that cover a formula; None where they would be too many."""
    try:
        found = list(islice(Search([formula], full).boxes(), MOST_BOXES + 1))
    except GaveUp:
        return None
    return found if len(found) <= MOST_BOXES else None


def _words(sets: Sequence[int]) -> list[np.ndarray]:
    """Give sets of cells as columns of 64-bit words; a word that is zero everywhere is left out."""
    longest = max(cells.bit_length() for cells in sets)
    mask = (1 << WORD) - 1
    words = [
        np.array([cells >> shift & mask for cells in sets], dtype=np.uint64)
        for shift in range(0, longest, WORD)
    ]
    return [word for word in words if word.any()]
