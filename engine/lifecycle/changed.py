"""Which decisions two bundles make differently on the same rows: counts from → to, and rows to look at."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import pyarrow as pa

from engine.runtime import Runtime
from engine.tables import decide_table

SAMPLES_KEPT = 10


@dataclass
class Changed:
    """What was found so far; `moves` counts (old, new) outcomes, `samples` are the first changed rows."""

    rows: int = 0
    rejected: int = 0
    changed: int = 0
    moves: Counter[tuple[str, str]] = field(default_factory=Counter)
    samples: list[dict[str, Any]] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """The counts as plain data, the most frequent move first."""
        moves = [{"from": old, "to": new, "rows": rows} for (old, new), rows in self.moves.most_common()]
        return {
            "rows": self.rows,
            "rejected": self.rejected,
            "changed": self.changed,
            "moves": moves,
            "samples": self.samples,
        }


def changed_decisions(
    old: Runtime,
    new: Runtime,
    batches: Iterable[pa.RecordBatch],
    *,
    now: datetime,
    samples: int = SAMPLES_KEPT,
) -> Changed:
    """Decide every row by both bundles, block by block; rows that a schema refuses are only counted."""
    found = Changed()
    for batch in batches:
        ours, theirs = (decide_table(bundle, batch, on_reject="keep", now=now) for bundle in (old, new))
        _add(found, ours, theirs, samples)
        found.rows += batch.num_rows
    return found


def _add(found: Changed, old: pa.Table, new: pa.Table, samples: int) -> None:
    before, after = old.column("outcome").to_pylist(), new.column("outcome").to_pylist()
    for row, (was, now) in enumerate(zip(before, after, strict=True)):
        if was is None or now is None:
            found.rejected += 1
        elif was != now:
            found.changed += 1
            found.moves[was, now] += 1
            if len(found.samples) < samples:
                found.samples.append(_sample(found.rows + row, old, new, row))


def _sample(number: int, old: pa.Table, new: pa.Table, row: int) -> dict[str, Any]:
    def said(table: pa.Table) -> dict[str, Any]:
        columns = ("outcome", "decided_by", "reasons")
        return {name: table.column(name)[row].as_py() for name in columns}

    return {"row": number, "id": new.column("id")[row].as_py(), "from": said(old), "to": said(new)}
