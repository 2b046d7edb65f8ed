"""What is odd in labelled rows and yet usable: one sentence each, for whoever reads the report."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from embeddings.words import TEXT_BYTES

if TYPE_CHECKING:
    from embeddings.spec import Slot, Spec
    from engine.project import Project
    from engine.training.rows import Labelled
    from engine.training.split import Parts

MOSTLY = 0.5


def odd_fields(project: Project, rows: Labelled, parts: Parts) -> tuple[str, ...]:
    """Say which fields the model can make little of on the training rows."""
    training = rows.take(parts.train)
    found: list[str] = []
    for slot in project.embedding.slots:
        if slot.name != project.id:
            found += _odd(slot, training.column(slot.name), project.embedding)
    return tuple(found)


def odd_order(project: Project, rows: Labelled, parts: Parts) -> tuple[str, ...]:
    """Say so where the last rows of the file are to be the test, and time runs backwards there."""
    if project.split.by != "order" or project.event_time is None:
        return ()
    times = rows.column(project.event_time)
    judged = parts.test if len(parts.test) else parts.validation
    before, after = (_middle(times, numbers) for numbers in (parts.train, judged))
    if before is None or after is None or after >= before:
        return ()
    told = (
        f"field '{project.event_time}': time runs backwards in the file, and 'split: {{by: order}}' judges "
        "by its last rows: the model is fitted on later rows than it is judged on. "
        f"Say 'split: {{by: time, field: {project.event_time}}}'"
    )
    return (told,)


def _odd(slot: Slot, column: pa.Array, spec: Spec) -> list[str]:
    place = f"field '{slot.name}'"
    known = column.drop_null()
    if len(known) and len(known) == len(column) and pc.count_distinct(known).as_py() == 1:
        return [f"{place}: the same value in every training row; it is kept, and nothing is learned from it"]
    if slot.kind == "category":
        return _odd_levels(place, known, spec)
    if slot.kind == "text":
        long = pc.sum(pc.greater(pc.binary_length(known), TEXT_BYTES)).as_py() or 0
        if long:
            told = f"{place}: {long:,} of {len(known):,} training texts are longer than {TEXT_BYTES:,} bytes"
            return [f"{told}; only the beginning is read"]
    return []


def _odd_levels(place: str, known: pa.Array, spec: Spec) -> list[str]:
    counts = np.sort(np.asarray(pc.value_counts(known).field("counts")))[::-1]
    kept = counts[: spec.levels]
    kept = kept[kept >= spec.rare]
    unseen = int(counts.sum() - kept.sum())
    if len(counts) <= spec.levels and unseen <= MOSTLY * len(known):
        return []
    told = (
        f"{place}: {len(counts):,} values, of which {len(kept):,} have a place of their own "
        f"('rare' {spec.rare}, 'levels' {spec.levels:,}); {unseen:,} of {len(known):,} training rows have "
        "another, and are read alike"
    )
    return [told]


def _middle(times: pa.Array, rows: np.ndarray) -> int | None:
    known = times.take(pa.array(rows, pa.int64())).drop_null().cast(pa.int64())
    return int(np.median(known.to_numpy(zero_copy_only=False))) if len(known) else None
