"""Where conditions hold: for each condition the rows in which it is true, and those where it is unknown."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

NOWHERE = np.empty(0, dtype=np.int32)
NOWHERE.flags.writeable = False


@dataclass(frozen=True, eq=False, slots=True)
class Hits:
    """What conditions gave over a batch of `rows` rows.

    true, unknown: for each condition, in order, the numbers of its rows: int32, rising, none twice. A row is
    in one of the two at most; where there are none, the array is `NOWHERE`, shared by all. Memory grows with
    the hits, not with conditions times rows. Nothing writes into the arrays.
    """

    rows: int
    true: tuple[np.ndarray, ...]
    unknown: tuple[np.ndarray, ...]

    def __len__(self) -> int:
        return len(self.true)
