"""The rows that a bundle was fitted on, as a bounded set of hashes: rows → how many of them were among those.

Kept are the lowest hashes, all of a small table. Which rows those are hangs on no order and no draw, so that
rows with hashes below the highest one kept are a fair sample of any file.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from engine.errors import BundleError
from engine.manifest import SEEN, read_json
from engine.training.repeats import Side, by_chance, many, repeated, row_hashes
from engine.training.reuse import canonical_json

MOST = 16_384
OFTENER = 4.0  # rows that a fit had for one judged, at least: what is kept tells distinct rows alone
LOOKED_AT = 20_000  # rows met again, of which it is asked whether chance made them
WHOLE = np.iinfo(np.uint64).max
_FORM = 1


@dataclass(frozen=True, eq=False)
class Seen:
    """The `hashes` kept, of the rows with hashes up to `bound`."""

    hashes: np.ndarray
    bound: int

    def warning(self, judged: np.ndarray) -> str:
        """Say how many of the rows judged were among those fitted on; empty where few were.

        `judged` are hashes of rows. Where not all hashes were kept, the number is an estimate.
        """
        looked = judged[judged <= np.uint64(self.bound)]
        met = int(repeated(self.hashes, looked).sum())
        if not many(met, len(looked)):
            return ""
        count = f"{met:,}"
        if len(looked) < len(judged):
            count = f"about {round(met / len(looked) * len(judged)):,}"
        return (
            f"{count} of {len(judged):,} rows equal in every field a row that the bundle was fitted on; "
            "where they are the same rows, figures on them flatter"
        )


def write_seen(hashes: np.ndarray, most: int = MOST) -> bytes:
    """Write the part of a bundle that keeps the hashes of rows."""
    kept = np.unique(hashes)
    bound = WHOLE if len(kept) <= most else int(kept[most - 1])
    text = base64.b64encode(kept[:most].astype("<u8").tobytes()).decode()
    return canonical_json({"form": _FORM, "bound": f"{bound:016x}", "hashes": text})


def read_seen(data: bytes) -> Seen | None:
    """Read it; None where it is of a later form. Raises BundleError where it is of none."""
    content = read_json(data, SEEN)
    try:
        if content["form"] != _FORM:
            return None
        return _read(content)
    except (KeyError, TypeError, ValueError, binascii.Error) as error:
        raise BundleError("no hashes of rows", part=SEEN) from error


def seen_before(data: bytes, table: pa.Table) -> tuple[str, ...]:
    """Say of a table of fields how many of its rows a bundle was fitted on; `data` is the bundle's part."""
    seen = read_seen(data)
    if seen is None:
        return ()
    hashes = row_hashes(table)
    told = seen.warning(hashes)
    return (told,) if told and not _common(seen, table, hashes) else ()


def _common(seen: Seen, table: pa.Table, hashes: np.ndarray) -> bool:
    """Whether all but a few of the rows are met again because their values, or they as a whole, are common in
    the table itself.
    """
    met = np.flatnonzero(repeated(seen.hashes, hashes))
    distinct, counts = np.unique(hashes, return_counts=True)
    again = int((counts[np.searchsorted(distinct, hashes[met])] > 1).sum())
    looked = met[:: max(1, len(met) // LOOKED_AT)]
    whole = Side(table, {}, hashes, np.arange(len(hashes)))
    share = max(seen.bound / int(WHOLE), 1e-9)
    fitted = max(
        len(seen.hashes) / share, len(hashes)
    )  # where many rows are equal, few hashes are of many rows
    odd = ~by_chance(whole, looked, whole, fitted)
    # Rows that recur in the table recur in what the fit had as often: the more of them, the more it had.
    own = again * max(OFTENER, fitted / len(hashes))
    left = min(float(odd.mean()) * len(met), len(met) - own)
    return not many(round(left), round(share * len(hashes)))


def _read(content: dict[str, Any]) -> Seen:
    hashes = np.frombuffer(base64.b64decode(content["hashes"], validate=True), "<u8")
    return Seen(hashes.astype(np.uint64), max(0, min(int(content["bound"], 16), int(WHOLE))))
