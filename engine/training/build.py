"""A project and its labelled rows become one bundle: rules checked, model learned or reused, all evaluated
as one.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from engine.bundle import Bundle
from engine.decide import Runtime
from engine.evaluation.evaluate import evaluate_rows
from engine.manifest import SEEN
from engine.project.folder import read_rules
from engine.reasons import REASONS, write_reasons
from engine.ruleparts import check_files, rule_parts
from engine.training.prepare import Prepared, prepare
from engine.training.reuse import EVALUATION, canonical_json, model_key, reusable
from engine.training.seen import write_seen

if TYPE_CHECKING:
    from engine.project import Project
    from rules.checked_rules import CheckedRules

Progress = Callable[[str, float], None]

Model = tuple[Mapping[str, bytes], Mapping[str, Any]]
"""The parts of a model by path, and the report of how they were learned."""

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
