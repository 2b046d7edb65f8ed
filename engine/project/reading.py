"""From the YAML document of project.yaml to a `Project`: every section read, every problem gathered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from embeddings.errors import SpecError, SpecProblem
from embeddings.spec import Spec
from engine.project.classifiers import read_classifiers, read_labels, score_variables
from engine.project.encoders import read_encoders
from engine.project.form import Form
from engine.project.reasons import refuse_unseen
from engine.project.records import Data, EncoderSpec, EvaluationSpec, Label, Project, Split
from engine.references import MOST_ROWS
from engine.schema import Schema
from rules.cel import Checker
from rules.errors import CheckFailed, ExpressionProblems
from rules.expression import CheckedExpression, Variable
from rules.form import Path as Place
from rules.policy import Policy
from rules.reach import EVENT_TIME
from rules.reader import Document

REQUIRED = ("fields", "outcomes", "classifiers", "policy")
KEYS = ("name", "id", "fields", "event_time", "outcomes", "labels", "embedding", "classifiers", "policy",
        "split", "data", "evaluation")  # fmt: skip
SPLIT_KEYS = ("by", "field", "validation", "test", "seed")
SPLITS = ("random", "time", "order", "group")
DATA_KEYS = ("train", "test", "references")
EVALUATION_KEYS = ("label", "acted", "value")


def read_project(document: Document, *, root: Path, text: bytes) -> Project:
    """Read every section.

    Raises CheckFailed with all problems of all sections, in file order.
    """
    form = Form(document)
    top = dict(form.mapping((), document.root, KEYS))
    for key in REQUIRED:
        if form.document.root and top.get(key) is None:
            form.note((key,) if key in top else (), f"'{key}' is missing", key=key in top)
    schema = _schema(form, top)
    outcomes = _outcomes(form, top)
    labels = read_labels(form, top, schema)
    classifiers = read_classifiers(form, top, labels, schema)
    embedding, encoders = _embedding(form, top, schema)
    refuse_unseen(form, classifiers, schema, embedding, top.get("id"))
    seen = [*(schema.variables() if schema else ()), *score_variables(classifiers)]
    policy = _policy(form, top, seen, outcomes) if schema else None
    name = form.name(("name",), top, root.resolve().name)
    identifier = form.name(("id",), top) or None
    split, data = _split(form, top, schema), _data(form, top)
    evaluation = _evaluation(form, top, labels, outcomes, seen if schema else ())
    event_time = _event_time(form, top, schema, split)
    places = {(one.line, one.column) for one in document.problems}
    problems = [one for one in form.problems if (one.line, one.column) not in places]
    if problems or document.problems or schema is None or policy is None:
        raise CheckFailed([*document.problems, *problems])
    return Project(
        name, root, schema, labels, outcomes, embedding, classifiers, policy, split, data, evaluation,
        identifier, text, event_time, encoders,
    )  # fmt: skip


def _schema(form: Form, top: Mapping[str, Any]) -> Schema | None:
    if top.get("fields") is None:
        return None
    try:
        return Schema.from_mapping(top["fields"], form.document)
    except CheckFailed as failed:
        form.problems.extend(failed.problems)
        return None


def _outcomes(form: Form, top: Mapping[str, Any]) -> tuple[str, ...]:
    outcomes = form.names(("outcomes",), top)
    for index, outcome in enumerate(outcomes):
        if outcome in ("none", "fire", "unknown"):
            form.note(
                ("outcomes", index), f"'{outcome}' cannot be an outcome: tests in rule files use the word"
            )
    if top.get("outcomes") == []:
        form.note(("outcomes",), "at least one outcome is needed", "list them, from mildest to most severe")
    return outcomes


def _embedding(
    form: Form, top: Mapping[str, Any], schema: Schema | None
) -> tuple[Spec, dict[str, EncoderSpec]]:
    """Read the settings of the embedding; `without` keeps fields for the rules alone.

    A text with an encoder of its own is a slot of kind `vector`.
    """
    settings = form.section(("embedding",), top)
    without = form.names(("embedding", "without"), settings)
    settings.pop("without", None)
    slots = schema.slots() if schema else []
    encoders = read_encoders(form, settings, tuple(slot.name for slot in slots if slot.kind == "text"))
    settings.pop("encoders", None)
    slots = [replace(slot, kind="vector") if slot.name in encoders else slot for slot in slots]
    for index, name in enumerate(without if schema else ()):
        form.known(("embedding", "without", index), "field", name, [slot.name for slot in slots])
    seen = [slot for slot in slots if slot.name not in without]
    if slots and not seen:
        form.note(("embedding", "without"), "no field is left for the embedding", "leave at least one in")
    try:
        return Spec.from_mapping(settings, seen), encoders
    except SpecError as failed:
        categories = [slot.name for slot in slots if slot.kind == "category"]
        for problem in failed.problems:
            path: Place = ("embedding", problem.key, *problem.place)
            hint = problem.hint
            if len(problem.place) == 2 and (name := _at(settings, problem)) in without and name in categories:
                hint = f"'without' keeps '{name}' for the rules alone"
            form.note(path, f"{problem.key}: {problem.message}", hint, key="unknown" in problem.message)
        return Spec(), {}


def _at(settings: Mapping[str, Any], problem: SpecProblem) -> Any:
    """What stands at the place of a problem."""
    found = settings[problem.key]
    for step in problem.place:
        found = found[step]
    return found


def _policy(
    form: Form, top: Mapping[str, Any], seen: Sequence[Variable], outcomes: tuple[str, ...]
) -> Policy | None:
    if top.get("policy") is None:
        return None
    try:
        return Policy.check(top["policy"], form.document, ("policy",), variables=seen, outcomes=outcomes)
    except CheckFailed as failed:
        # Where the outcomes themselves cannot be read, every outcome would be unknown.
        form.problems += [one for one in failed.problems if outcomes or "unknown outcome" not in one.message]
        return None


def _split(form: Form, top: Mapping[str, Any], schema: Schema | None) -> Split:
    body = form.section(("split",), top, SPLIT_KEYS)
    by = form.one_of(("split", "by"), body, SPLITS, SPLITS[0])
    field = form.name(("split", "field"), body) or None
    if by == "time" and field is None:
        form.note(("split",), "a split by time needs 'field', the name of a timestamp field", key=True)
    if by == "group" and field is None:
        hint = "as split: {by: group, field: customer_id}; it may be any column of the training table"
        form.note(
            ("split",), "a split by group needs 'field', the column whose equal values stay together", hint
        )
    if by != "group" and field is not None and schema is not None:
        times = [item.name for item in schema.fields if item.type == "timestamp"]
        form.known(("split", "field"), "timestamp field", field, times)
    validation = form.number(("split", "validation"), body, Split.validation, between=(0.001, 1e9))
    test = form.number(("split", "test"), body, Split.test, between=(0.0, 1e9))
    data = top.get("data")
    held_out = 0.0 if isinstance(data, dict) and data.get("test") else test
    if validation < 1 and held_out < 1 and validation + held_out >= 1:
        given = "test" if "test" in body else "validation"
        shares = f"'validation' {validation:g} and 'test' {held_out:g} leave no rows for training"
        form.note(("split", given), shares, "lower one of them")
    return Split(
        by=by,
        validation=validation,
        test=test,
        seed=int(form.number(("split", "seed"), body, Split.seed, between=(0, 2**32 - 1), whole=True)),
        field=field,
    )


def _event_time(form: Form, top: Mapping[str, Any], schema: Schema | None, split: Split) -> str | None:
    """Give the field of an event's time: the one named, else one called event_time, else the split's."""
    named = form.name(("event_time",), top) or None
    times = [item.name for item in schema.fields if item.type == "timestamp"] if schema else []
    if named is not None:
        if schema is not None:
            form.known(("event_time",), "timestamp field", named, times)
        return named
    return next((name for name in (EVENT_TIME, split.field) if name in times), None)


def _data(form: Form, top: Mapping[str, Any]) -> Data:
    body = form.section(("data",), top, DATA_KEYS)
    train, test = form.name(("data", "train"), body), form.name(("data", "test"), body)
    references = form.number(("data", "references"), body, -1, between=(0, MOST_ROWS), whole=True)
    kept = None if references < 0 else int(references)
    return Data(Path(train) if train else None, Path(test) if test else None, kept)


def _evaluation(
    form: Form,
    top: Mapping[str, Any],
    labels: Mapping[str, Label],
    outcomes: tuple[str, ...],
    seen: Sequence[Variable],
) -> EvaluationSpec:
    body = form.section(("evaluation",), top, EVALUATION_KEYS)
    label = form.name(("evaluation", "label"), body) or None
    if label is not None:
        form.known(("evaluation", "label"), "label", label, labels)
    acted = form.names(("evaluation", "acted"), body)
    for index, outcome in enumerate(acted if outcomes else ()):
        form.known(("evaluation", "acted", index), "outcome", outcome, outcomes)
    text = form.name(("evaluation", "value"), body)
    if not text or not seen:
        return EvaluationSpec(None, label, acted)
    decided = [
        Variable("proposed", "string", values=outcomes),
        Variable("outcome", "string", nullable=False, values=outcomes),
    ]
    truth = [
        Variable(f"label.{item.name}", item.type, values=item.classes or None) for item in labels.values()
    ]
    return EvaluationSpec(_number(form, text, (*seen, *decided, *truth)), label, acted)


def _number(form: Form, text: str, variables: tuple[Variable, ...]) -> CheckedExpression | None:
    path = ("evaluation", "value")
    try:
        return Checker(variables).check(text, ("double", "int"))
    except ExpressionProblems as failed:
        form.problems += [
            form.document.problem_in_text(path, wrong.line, wrong.column, wrong.message, wrong.hint)
            for wrong in failed.problems
        ]
    return None
