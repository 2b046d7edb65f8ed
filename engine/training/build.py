"""A project and its labelled rows become one bundle: rules checked, model learned or reused, all evaluated
as one.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from engine.bundle import Bundle
from engine.decide import Runtime
from engine.errors import InputError
from engine.evaluation.evaluate import evaluate_rows
from engine.manifest import SEEN
from engine.project.folder import read_rules
from engine.reasons import REASONS, write_reasons
from engine.ruleparts import check_files, rule_parts
from engine.training.leaks import telling_fields
from engine.training.odd import odd_fields, odd_order
from engine.training.odd_split import odd_groups, odd_times, odd_weights
from engine.training.repeats import row_hashes, warnings_of, warnings_of_file
from engine.training.reuse import (
    EVALUATION,
    canonical_json,
    fingerprint,
    library_versions,
    model_key,
    reusable,
)
from engine.training.rows import Labelled, read_labelled
from engine.training.seen import write_seen
from engine.training.split import Parts, bounded, split_rows
from engine.training.targets import MISSING, check_codes, class_names, values_shown

if TYPE_CHECKING:
    from engine.project import Project
    from rules.checked_rules import CheckedRules

Progress = Callable[[str, float], None]


Model = tuple[Mapping[str, bytes], Mapping[str, Any]]
"""The parts of a model by path, and the report of how they were learned."""


@dataclass(frozen=True)
class Prepared:
    """What a project learns from, read and shared out: `held_out` are the rows of a test table of its own.

    data: fingerprints of the tables. versions: of the libraries that shape a model. hashes: of the rows,
    `(n,)` uint64.
    """

    rows: Labelled
    parts: Parts
    held_out: Labelled | None
    data: Mapping[str, str]
    versions: Mapping[str, str]
    hashes: np.ndarray

    @property
    def validation(self) -> Labelled:
        return _part(self.rows, self.parts.validation)

    def judged(self) -> tuple[Labelled, str]:
        """The rows that an evaluation is of, and what they are called; validation rows where the project
        holds no others out.
        """
        if self.held_out is not None:
            return self.held_out, "rows of the test file"
        if len(self.parts.test):
            return _part(self.rows, self.parts.test), "test rows"
        return self.validation, "validation rows (no test rows are held out)"

    def seen(self) -> np.ndarray:
        """Hashes of the rows that a model is learned from or chosen by: `(n,)` uint64."""
        seen: np.ndarray = self.hashes[np.concatenate([self.parts.train, self.parts.validation])]
        return seen


Learner = Callable[["Project", Prepared, Progress], Model]
"""What learns a model: `learn_anew`, or what takes as much as it can from an earlier, unfinished fit."""


def fit(
    project: Project,
    train: pa.Table,
    test: pa.Table | None = None,
    *,
    now: datetime,
    progress: Progress | None = None,
    previous: Bundle | None = None,
    rules: Mapping[str, bytes] | None = None,
    learner: Learner | None = None,
    reuse: bool = True,
) -> Bundle:
    """Fit a project.

    Parameters
    ----------
    train: labelled rows; validation rows are split off them, and test rows too where `test` is None.
    test: labelled rows that nothing is learned from.
    now: the moment written as the bundle's.
    progress: called with what is being done and the share done, 0 to 1.
    previous: an earlier bundle, whose model is reused if the same data, settings and libraries made it.
    rules: rule files by name, in place of those of the project's folder.
    learner: what learns the model; `learn_anew` where none is given. Any gives the same bytes.
    reuse: whether the previous bundle's model may be taken; its parent it is all the same.

    Raises CheckFailed for rules with mistakes, InputError for data that cannot be learned from. Nothing is
    written.
    """
    tell = progress or _silent
    tell("checking rules", 0.0)
    checked = check_files(
        read_rules(project.root) if rules is None else rules,
        project.root,
        project.schema,
        project.scores,
        project.outcomes,
        project.event_time,
    )
    tell("reading rows", 0.01)
    prepared = prepare(project, train, test)
    key = model_key(project, prepared.data, prepared.versions)
    model, report = reusable(previous if reuse else None, key) or (learner or learn_anew)(
        project, prepared, tell
    )
    contents = contents_of(project, checked, model)
    lineage = {
        "made_by": "fit",
        "parent": previous.digest if previous else None,
        "project": project.name,
        "model_key": key,
        "data": prepared.data,
        "test_rows": test_fingerprint(prepared),
        "libraries": prepared.versions,
        "seed": {"embedding": project.embedding.seed, "split": project.split.seed},
    }
    tell("evaluating", 0.95)
    bundle = Bundle.create(contents, lineage=lineage, created=now)
    if previous is not None and bundle.digest == previous.digest:
        # Fitted again from the same inputs, a bundle is not its own parent.
        lineage["parent"] = previous.lineage.get("parent")
    evaluated = evaluated_on_test(project, bundle, prepared)
    evaluated["training"] = report
    written = json.dumps(evaluated, indent=1, ensure_ascii=False, allow_nan=False).encode()
    tell("done", 1.0)
    beside = {EVALUATION: written, SEEN: write_seen(prepared.seen())}
    return Bundle.create(contents | beside, lineage=lineage, created=now)


def learn_anew(project: Project, prepared: Prepared, progress: Progress) -> Model:
    """Learn a project's model and take nothing from before."""
    # torch and scikit-learn take seconds to import, and a rule edit needs neither.
    from engine.training.learn import learn

    learned = learn(project, prepared.rows, prepared.parts, progress)
    return learned.parts, learned.report


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
    repeats = warnings_of(hashes, parts.train, {"validation": parts.validation, "test": parts.test})
    rows = replace(rows, warnings=(*rows.warnings, *repeats))
    prepared = Prepared(rows, parts, None, data, library_versions(), hashes)
    if test is None:
        return prepared
    held_out = read_labelled(project, test, _name(project.data.test, "the test table"))
    repeats = warnings_of_file(prepared.seen(), row_hashes(held_out.table))
    return replace(prepared, held_out=replace(held_out, warnings=(*held_out.warnings, *repeats)))


def contents_of(project: Project, checked: CheckedRules, model: Mapping[str, bytes]) -> dict[str, bytes]:
    """The parts of a bundle, all but its evaluation."""
    return {
        **model,
        **rule_parts(checked),
        "schema.json": canonical_json(_schema(project)),
        "policy.json": canonical_json(project.policy.to_json()),
        **_reasons(project),
        "project.yaml": project.text,
    }


def _silent(_: str, __: float) -> None:
    """Report progress to nobody."""


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
        *telling_fields(project, rows, learned.train),
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


def _reasons(project: Project) -> dict[str, bytes]:
    """The part with the classifiers' reason codes, where the project gives any."""
    stated = write_reasons({name: spec.reasons for name, spec in project.classifiers.items()})
    return {REASONS: canonical_json(stated)} if stated else {}


def _schema(project: Project) -> dict[str, Any]:
    """What schema.json says: fields, outcomes, labels, the column that names a record, the event's time."""
    return {
        "fields": project.schema.to_json(),
        "outcomes": list(project.outcomes),
        "labels": {
            name: {"column": label.column, "positive": label.positive, "classes": list(label.classes)}
            for name, label in project.labels.items()
        },
        "id": project.id,
        **({"event_time": project.event_time} if project.event_time else {}),
    }


def evaluated_on_test(project: Project, bundle: Bundle, prepared: Prepared) -> dict[str, Any]:
    """Evaluate on test rows; where the project holds none out, on validation rows, and say so.

    `data` in the result is about the training table as a whole, the rest about the evaluated rows.
    """
    chosen, which = prepared.judged()
    evaluation = evaluate_rows(Runtime.open(bundle), project, chosen, source=which).to_json()
    return evaluation | {"data": prepared.rows.counts()}


def test_fingerprint(prepared: Prepared) -> str | None:
    """What names the test rows: of their own table, or by number of the training table; None without any."""
    if "test" in prepared.data:
        return prepared.data["test"]
    if not len(prepared.parts.test):
        return None
    numbers = hashlib.sha256(prepared.parts.test.tobytes()).hexdigest()
    return "sha256:" + hashlib.sha256(f"{prepared.data['train']} {numbers}".encode()).hexdigest()


def _part(rows: Labelled, numbers: np.ndarray) -> Labelled:
    return replace(rows.take(numbers), rejected=0, unlabelled=0, problems={}, warnings=())
