"""A bundle judged on labelled rows three ways: the model alone, the filters alone, and the two together.

Alone, the model's scores go through the policy; alone, the filters see no score, and what they leave open
is the mildest outcome; together is what the engine really decides.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from engine.evaluation.classifiers import judge_classifiers
from engine.evaluation.deciding import Deciding, filters_alone, model_alone, together
from engine.evaluation.doubts import doubts_of_classifier, doubts_of_policy
from engine.evaluation.metrics import precision, recall
from engine.evaluation.ruletable import RuleTable
from engine.project import parse_project
from engine.training.rows import Labelled, read_labelled
from engine.training.seen import seen_before
from engine.training.targets import MISSING, class_names
from rules import columnar

if TYPE_CHECKING:
    from engine.bundle import Bundle
    from engine.decide import Runtime
    from engine.project import Project

FORMAT = 1
WAYS = ("model", "filters", "together")


@dataclass(frozen=True)
class Evaluation:
    """What came out, JSON-able throughout; figures that the rows cannot give are None.

    `ways` maps `model`, `filters` and `together` to outcome counts, precision, recall and value;
    `classifiers` maps a name to AUC, log-loss and the like; `rules` has one row a rule, in order.
    """

    source: str
    bundle: str
    rows: int
    rejected: int
    unlabelled: int
    label: str | None
    acted: tuple[str, ...]
    ways: Mapping[str, Mapping[str, Any]]
    classifiers: Mapping[str, Mapping[str, Any]]
    rules: tuple[Mapping[str, Any], ...]
    warnings: tuple[str, ...] = ()
    problems: Mapping[str, int] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """The evaluation as evaluation.json holds it."""
        return {
            "format": FORMAT,
            "source": self.source,
            "bundle": self.bundle,
            "rows": self.rows,
            "rejected": self.rejected,
            "unlabelled": self.unlabelled,
            "label": self.label,
            "acted": list(self.acted),
            "ways": {name: dict(figures) for name, figures in self.ways.items()},
            "classifiers": {name: dict(figures) for name, figures in self.classifiers.items()},
            "rules": [dict(row) for row in self.rules],
            "warnings": list(self.warnings),
            "problems": dict(self.problems),
        }


def evaluate(
    runtime: Runtime,
    project: Project,
    table: pa.Table,
    *,
    source: str = "the table",
    folder: Path | None = None,
    fitted_on: bytes | None = None,
) -> Evaluation:
    """Evaluate an opened bundle on a labelled table; `source` names the table in messages and in the result.

    `folder` has the room for many rows. `fitted_on` is the bundle's part that knows the rows of its fit
    (`seen.json`). Raises InputError for a table without rows, without a label's column, or mostly unreadable.
    """
    rows = read_labelled(project, table, source, folder=folder)
    if fitted_on is not None:
        rows = replace(rows, warnings=(*rows.warnings, *seen_before(fitted_on, rows.table)))
    return evaluate_rows(runtime, project, rows, source=source)


def project_of(bundle: Bundle) -> Project:
    """The project that a bundle was made from, as kept in it: labels and the value of an outcome are read
    from it.
    """
    return parse_project(bundle.parts["project.yaml"], root=Path(), file=f"{bundle.digest[:19]}/project.yaml")


def evaluate_rows(runtime: Runtime, project: Project, rows: Labelled, *, source: str) -> Evaluation:
    """Evaluate an opened bundle on rows that are read already, a block at a time."""
    label = project.evaluation.label or (next(iter(project.labels)) if len(project.labels) == 1 else None)
    seen = _seen(runtime, project, rows, label)
    positive = _positive(project, rows, label)
    acted = project.evaluation.acted or project.outcomes[1:]
    judged = {name: _figures(seen.outcomes[name], runtime.outcomes, acted, positive) for name in WAYS}
    for name in WAYS:
        judged[name]["value"] = _value(seen.worth.get(name))
    classifiers = judge_classifiers(
        runtime.model.classifiers, runtime.model.scores, seen.scores, rows.codes, rows.weights
    )
    return Evaluation(
        source=source,
        bundle=runtime.digest,
        rows=rows.rows,
        rejected=rows.rejected,
        unlabelled=rows.unlabelled,
        label=label,
        acted=tuple(acted),
        ways=judged,
        classifiers=classifiers,
        rules=tuple(seen.rules.judged()),
        warnings=(*rows.warnings, *_doubts(project, rows, classifiers, judged["model"], positive)),
        problems=rows.problems,
    )


def _doubts(
    project: Project,
    rows: Labelled,
    classifiers: Mapping[str, Mapping[str, Any]],
    alone: Mapping[str, Any],
    positive: np.ndarray | None,
) -> list[str]:
    found = []
    for name, figures in classifiers.items():
        label = project.labels[figures["label"]]
        codes = rows.codes[label.name]
        classes = class_names(label)
        counts = np.bincount(codes[codes != MISSING], minlength=len(classes))
        found += doubts_of_classifier(name, figures, counts, classes)
    acted = project.evaluation.acted or project.outcomes[1:]
    positives = 0 if positive is None else int((positive == 1).sum())
    return found + doubts_of_policy(
        alone, acted, positives, conditional=len(project.policy.to_json()["rows"]) > 1
    )


@dataclass(frozen=True, eq=False)
class _Seen:
    """What came of n rows: scores `(n, scores)` float64; outcomes `(n,)` by way; by way what each row is
    worth `(n,)` float64 and whether it is worth anything `(n,)` bool, where the project says; and what the
    rules did.
    """

    scores: np.ndarray
    outcomes: Mapping[str, np.ndarray]
    worth: Mapping[str, tuple[np.ndarray, np.ndarray]]
    rules: RuleTable


def _seen(runtime: Runtime, project: Project, rows: Labelled, label: str | None) -> _Seen:
    scores: list[np.ndarray] = []
    outcomes: dict[str, list[np.ndarray]] = {name: [] for name in WAYS}
    worth: dict[str, list[tuple[np.ndarray, np.ndarray]]] = {name: [] for name in WAYS}
    rules = RuleTable(runtime.rules)
    for block in rows.blocks():
        scored = runtime.model.batch(block.fields)
        ways = {
            "model": model_alone(runtime, block.fields, scored),
            "filters": filters_alone(runtime, block.fields),
        }
        ways["together"], decided = together(runtime, block.fields)
        rules.add(decided, ways["model"].outcome, _positive(project, block, label))
        scores.append(scored)
        for name, way in ways.items():
            outcomes[name].append(way.outcome)
            values = values_of(project, block, way, runtime.outcomes)
            worth[name] += [] if values is None else [values]
    return _Seen(
        np.concatenate(scores),
        {name: np.concatenate(each) for name, each in outcomes.items()},
        {
            name: (np.concatenate([one for one, _ in each]), np.concatenate([valid for _, valid in each]))
            for name, each in worth.items()
            if each
        },
        rules,
    )


def _positive(project: Project, rows: Labelled, label: str | None) -> np.ndarray | None:
    """Codes of the label that outcomes are judged by, −1 where missing; None where there is no such binary
    label.
    """
    if label is None or not project.labels[label].binary:
        return None
    return rows.codes[label]


def _figures(
    outcome: np.ndarray, outcomes: tuple[str, ...], acted: tuple[str, ...], positive: np.ndarray | None
) -> dict[str, Any]:
    counts = np.bincount(outcome, minlength=len(outcomes))
    acting = np.isin(outcome, [outcomes.index(name) for name in acted if name in outcomes])
    figures: dict[str, Any] = {
        "outcomes": {name: int(count) for name, count in zip(outcomes, counts, strict=True)},
        "acted": int(acting.sum()),
        "precision": None,
        "recall": None,
    }
    if positive is not None:
        known = positive != MISSING
        figures["precision"] = precision(acting[known], positive[known] == 1)
        figures["recall"] = recall(acting[known], positive[known] == 1)
    return figures


def values_of(
    project: Project, rows: Labelled, way: Deciding, outcomes: tuple[str, ...]
) -> tuple[np.ndarray, np.ndarray] | None:
    """What the project's value expression gives for every row, `(n,)` float64, and where it gives anything,
    `(n,)` bool; None for a project without one.

    A row without a label that the expression reads is worth nothing known, also under an outcome for which it
    would not be read: else the rows acted on would count without a label and the others not.
    """
    expression = project.evaluation.value
    if expression is None:
        return None
    columns = {
        **dict(zip(rows.fields.schema.names, rows.fields.columns, strict=True)),
        **way.seen,
        "outcome": pa.array(outcomes, pa.string()).take(pa.array(way.outcome)),
        **{f"label.{name}": _truth(project, name, codes) for name, codes in rows.codes.items()},
    }
    values, valid = columnar.value(expression, {}).evaluate(pa.RecordBatch.from_pydict(columns))
    for name, codes in rows.codes.items():
        if f"label.{name}" in expression.variables:
            valid = valid & (codes != MISSING)
    return np.broadcast_to(np.asarray(values, np.float64), (rows.rows,)), np.broadcast_to(valid, (rows.rows,))


def _value(worth: tuple[np.ndarray, np.ndarray] | None) -> dict[str, Any] | None:
    """The value of all rows: total, mean, and the number of rows that have one."""
    if worth is None:
        return None
    values, valid = worth
    total, counted = float(values[valid].sum()), int(valid.sum())
    return {"total": total, "per_row": total / counted if counted else None, "rows": counted}


def _truth(project: Project, name: str, codes: np.ndarray) -> pa.Array:
    """A label as the value expression sees it: true or false, or the class as text; null where it is
    missing.
    """
    missing = codes == MISSING
    if project.labels[name].binary:
        return pa.array(codes == 1, pa.bool_(), mask=missing)
    return pa.array(project.labels[name].classes, pa.string()).take(pa.array(codes, mask=missing))
