"""Labelled tables in, what a project learns from out: rows read, shared out, and warned of where odd."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from engine.errors import InputError
from engine.training.leaks import telling_fields
from engine.training.odd import odd_fields, odd_order
from engine.training.odd_split import odd_groups, odd_times, odd_weights
from engine.training.repeats import Side, note, row_hashes
from engine.training.reuse import fingerprint, library_versions
from engine.training.rows import Labelled, read_labelled
from engine.training.split import Parts, bounded, split_rows
from engine.training.targets import MISSING, check_codes, class_names, values_shown

if TYPE_CHECKING:
    from engine.project import Project


@dataclass(frozen=True)
class Prepared:
    """What a project learns from, read and shared out: `held_out` are the rows of a test table of its own.

    data: fingerprints of the tables. versions: of the libraries that shape a model. hashes: of the rows,
    `(n,)` uint64. doubts: what makes figures on the judged rows doubtful, one sentence each.
    """

    rows: Labelled
    parts: Parts
    held_out: Labelled | None
    data: Mapping[str, str]
    versions: Mapping[str, str]
    hashes: np.ndarray
    doubts: tuple[str, ...] = ()

    @property
    def validation(self) -> Labelled:
        return _part(self.rows, self.parts.validation)

    def judged(self) -> tuple[Labelled, str]:
        """The rows that an evaluation is of, and what they are called; validation rows where the project
        holds no others out.
        """
        judged, which = self._held_out()
        return replace(judged, warnings=(*judged.warnings, *self.doubts)), which

    def _held_out(self) -> tuple[Labelled, str]:
        if self.held_out is not None:
            return self.held_out, "rows of the test file"
        if len(self.parts.test):
            return _part(self.rows, self.parts.test), "test rows"
        return self.validation, "validation rows (no test rows are held out)"

    def seen(self) -> np.ndarray:
        """Hashes of the rows that a model is learned from or chosen by: `(n,)` uint64."""
        seen: np.ndarray = self.hashes[np.concatenate([self.parts.train, self.parts.validation])]
        return seen


def prepare(project: Project, train: pa.Table, test: pa.Table | None = None) -> Prepared:
    """Read the rows of a project and share them out. Raises InputError for what cannot be learned from."""
    source = _name(project.data.train, "the training table")
    data = {"train": fingerprint(train)} | ({} if test is None else {"test": fingerprint(test)})
    if data["train"] == data.get("test"):
        raise InputError(
            f"{_name(project.data.test, 'the test table')}: the very rows of {source}: no model is judged by "
            "what it learned from. Name other rows as data.test, or leave it out: then test rows come off "
            "data.train"
        )
    rows, parts = _rows(project, train, source, test=test is None)
    hashes = row_hashes(rows.table)
    leaks = telling_fields(project, rows, parts.train)
    learned = _side(rows, hashes, parts.train)
    hint = "group by a column that they share" if project.split.by == "group" else "split by group"
    validation = note(learned, _side(rows, hashes, parts.validation), "validation", hint)
    prepared = Prepared(rows, parts, None, data, library_versions(), hashes, leaks)
    if test is None and not len(parts.test):
        return replace(prepared, doubts=_told(*leaks, validation))
    prepared = replace(prepared, rows=replace(rows, warnings=_told(*rows.warnings, validation)))
    if test is None:
        again = note(learned, _side(rows, hashes, parts.test), "test", hint)
        return replace(prepared, doubts=_told(*leaks, again))
    held_out = read_labelled(project, test, _name(project.data.test, "the test table"))
    judged = _side(held_out, row_hashes(held_out.table), np.arange(held_out.rows))
    learned = _side(rows, hashes, np.sort(np.concatenate([parts.train, parts.validation])))
    again = note(learned, judged, "data.test", "take them out of one of the two files")
    return replace(prepared, held_out=held_out, doubts=_told(*leaks, again))


def _side(rows: Labelled, hashes: np.ndarray, numbers: np.ndarray) -> Side:
    return Side(rows.table, rows.codes, hashes, numbers)


def _told(*notes: str) -> tuple[str, ...]:
    return tuple(one for one in notes if one)


def _name(path: object, otherwise: str) -> str:
    return otherwise if path is None else str(path)


def _rows(project: Project, table: pa.Table, source: str, *, test: bool) -> tuple[Labelled, Parts]:
    """Read and split the training table, and make sure that there is something to learn and to judge by."""
    rows = read_labelled(project, table, source)
    for name, label in project.labels.items():
        check_codes(label, rows.codes[name], values_shown(label, table), source)
    times = _times(project, rows)
    strata = next(iter(rows.codes.values()))
    parts = split_rows(
        project.split, rows.rows, strata=strata, times=times, groups=_groups(project, rows, source), test=test
    )
    for part, chosen in (("training", parts.train), ("validation", parts.validation)):
        for name, label in project.labels.items():
            counts = np.bincount(
                rows.codes[name][chosen][rows.counted(name)[chosen]],
                minlength=len(class_names(label)),
            )
            if counts.min() == 0:
                absent = class_names(label)[int(counts.argmin())]
                weighty = " with a weight above 0" if label.weight else ""
                raise InputError(
                    f"{source}: label '{name}': no {part} row{weighty} is of class '{absent}' after the "
                    f"split by {project.split.by}; give more rows, or change 'split' in project.yaml"
                )
    learned = bounded(parts, _counted(rows), project.split.seed, rows.longest_text())
    warnings = (
        *rows.warnings,
        *_left_out(parts, learned),
        *odd_fields(project, rows, learned),
        *odd_order(project, rows, learned),
        *odd_times(project, rows, parts),
        *odd_groups(project, table),
        *odd_weights(project, rows),
    )
    return replace(rows, warnings=warnings), learned


def _counted(rows: Labelled) -> dict[str, np.ndarray]:
    """Class codes by label, missing where a row does not count for it: `(n,)` int64."""
    return {name: np.where(rows.counted(name), codes, MISSING) for name, codes in rows.codes.items()}


def _left_out(parts: Parts, learned: Parts) -> tuple[str, ...]:
    """Say how many rows a fit of a large table takes."""
    if len(learned.train) == len(parts.train) and len(learned.validation) == len(parts.validation):
        return ()
    told = (
        f"learned from {len(learned.train):,} of {len(parts.train):,} training rows, chosen by "
        f"{len(learned.validation):,} of {len(parts.validation):,} validation rows: samples of a large table"
    )
    return (told,)


def _groups(project: Project, rows: Labelled, source: str) -> np.ndarray | None:
    if project.split.by == "group" and rows.groups is None:
        raise InputError(f"{source}: no column '{project.split.field}', by which project.yaml splits")
    return rows.groups


def _times(project: Project, rows: Labelled) -> np.ndarray | None:
    """Microseconds since the epoch by the split's field; rows without a time count as the earliest."""
    if project.split.by != "time" or project.split.field is None:
        return None
    column = rows.column(project.split.field).cast(pa.int64())
    times: np.ndarray = column.fill_null(np.iinfo(np.int64).min).to_numpy(zero_copy_only=False)
    return times


def _part(rows: Labelled, numbers: np.ndarray) -> Labelled:
    return replace(rows.take(numbers), rejected=0, unlabelled=0, problems={}, warnings=())
