"""From the YAML document of project.yaml to a `Project`: every section read, every problem gathered."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rules.cel import Checker
from rules.policy import Policy

from embeddings.spec import Spec
from engine.project.form import Form
from engine.project.records import ClassifierSpec, Data, EvaluationSpec, Label, Project, Split
from engine.schema import Schema
from rules.errors import CheckFailed, ExpressionProblems, nearest
from rules.expression import CheckedExpression, Variable
from rules.reader import Document

KEYS = (
"name", "fields", "id", "outcomes", "labels", "embedding", "classifiers", "policy", "split", "data",
    "evaluation",
)  # fmt: skip
KINDS = ("logistic", "linear-svm", "naive-bayes", "tree", "nearest-neighbours")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_NAME_HINT = "names are letters, digits and _, and start with a letter"


def read_project(document: Document, *, root: Path, text: bytes) -> Project:
    """Read every section.

    Raises CheckFailed with all problems of all sections, in file order.
    """
    form = Form(document)
    top = form.mapping((), document.root if document.root is not None else {}, KEYS)
    for key in ("fields", "outcomes", "classifiers", "policy"):
        if top.get(key) is None:
            form.problem((), f"'{key}' is missing")
    schema = _schema(form, top)
    outcomes = _outcomes(form, top)
    labels = _labels(form, top)
    classifiers = _classifiers(form, top, labels)
    embedding = _embedding(form, top)
    variables = schema.variables() if schema else []
    scores = [Variable(f"scores.{name}", "double") for spec in classifiers.values() for name in spec.scores]
    policy = _policy(form, top, [*variables, *scores], outcomes) if schema else None
    split = _split(form, top, schema)
    data = _data(form, top)
    evaluation = _evaluation(form, top, labels, outcomes, [*variables, *scores] if schema else None)
    identifier = form.text(("id",), top)
    if form.problems:
        raise CheckFailed(form.problems)
    assert schema is not None and embedding is not None and policy is not None  # noqa: S101, PT018 — else a problem
    return Project(
        name=form.text(("name",), top) or root.resolve().name,
        root=root,
        schema=schema,
        labels=labels,
        outcomes=outcomes,
        embedding=embedding,
        classifiers=classifiers,
        policy=policy,
        split=split,
        data=data,
        evaluation=evaluation,
        id=identifier,
        text=text,
    )


def score_names(classifier: str, label: Label) -> tuple[str, ...]:
    """Names of a classifier's scores: its own if binary, else `classifier.class`, the class as an identifier.

    >>> score_names("grade", Label("grade", "grade", None, ("A+", "B")))
    ('grade.a_', 'grade.b')
    """
    if label.binary:
        return (classifier,)
    return tuple(f"{classifier}.{re.sub(r'[^a-z0-9_]', '_', name.lower())}" for name in label.classes)


def _schema(form: Form, top: Mapping[str, Any]) -> Schema | None:
    fields = form.mapping(("fields",), top)
    if not fields:
        return None
    try:
        return Schema.from_mapping(fields, form.document)
    except CheckFailed as failed:
        form.problems.extend(failed.problems)
        return None


def _outcomes(form: Form, top: Mapping[str, Any]) -> tuple[str, ...]:
    outcomes = form.texts(("outcomes",), top)
    for index, outcome in enumerate(outcomes):
        if outcome == "none":
            form.problem(
                ("outcomes", index), "'none' cannot be an outcome: rule tests use it for 'does not decide'"
            )
    if top.get("outcomes") is not None and not outcomes and not form.problems:
        form.problem(("outcomes",), "at least one outcome is needed", "list them from mildest to most severe")
    return outcomes


def _labels(form: Form, top: Mapping[str, Any]) -> dict[str, Label]:
    labels: dict[str, Label] = {}
    for name, given in form.mapping(("labels",), top).items():
        path = ("labels", name)
        if not _NAME.fullmatch(name):
            form.problem(path, f"'{name}' cannot be a label's name", _NAME_HINT, key=True)
        body = form.mapping(path, {name: given}, ("column", "positive", "classes"))
        classes = form.texts((*path, "classes"), body)
        positive = body.get("positive")
        if isinstance(positive, list | dict):
            form.problem((*path, "positive"), "expected one value: the one that means yes")
        if "classes" in body and positive is not None:
            form.problem(
                (*path, "positive"), "give either 'positive' (binary) or 'classes' (several), not both"
            )
        if "classes" in body and len(classes) < 3:
            form.problem(
                (*path, "classes"), "at least three classes are needed", "two classes: use 'positive'"
            )
        column = form.text((*path, "column"), body, name) or name
        labels[name] = Label(
            name, column, None if classes else True if positive is None else positive, classes
        )
    return labels


def _classifiers(form: Form, top: Mapping[str, Any], labels: dict[str, Label]) -> dict[str, ClassifierSpec]:
    """Classifiers; a label that `labels` does not describe is a column of that name, true or false."""
    classifiers: dict[str, ClassifierSpec] = {}
    given_labels = "labels" in top
    for name, given in form.mapping(("classifiers",), top).items():
        path = ("classifiers", name)
        if not _NAME.fullmatch(name):
            form.problem(path, f"'{name}' cannot be a classifier's name", _NAME_HINT, key=True)
        body = form.mapping(path, {name: given}, ("label", "candidates"))
        label = form.text((*path, "label"), body, name) or name
        if given_labels and label not in labels:
            place = (*path, "label") if "label" in body else path
            form.problem(place, f"unknown label '{label}'", nearest(label, labels), key="label" not in body)
        candidates = form.texts((*path, "candidates"), body, KINDS)
        for index, kind in enumerate(candidates):
            if kind not in KINDS:
                form.problem((*path, "candidates", index), f"unknown kind '{kind}'", nearest(kind, KINDS))
        scores = score_names(name, labels.setdefault(label, Label(label, label)))
        if len(set(scores)) < len(scores):
            form.problem(
                path, f"two classes of '{label}' would give one score: {', '.join(scores)}", key=True
            )
        classifiers[name] = ClassifierSpec(name, label, candidates, scores)
    return classifiers


def _embedding(form: Form, top: Mapping[str, Any]) -> Spec | None:
    body = form.mapping(("embedding",), top)
    try:
        return Spec.from_mapping(body)
    except ValueError as failed:
        for problem in getattr(failed, "problems", (str(failed),)):
            form.problem(("embedding",), str(problem), key=True)
        return None


def _policy(
    form: Form, top: Mapping[str, Any], variables: list[Variable], outcomes: tuple[str, ...]
) -> Policy | None:
    if top.get("policy") is None:
        return None
    try:
        return Policy.check(top["policy"], form.document, ("policy",), variables=variables, outcomes=outcomes)
    except CheckFailed as failed:
        form.problems.extend(failed.problems)
        return None


def _split(form: Form, top: Mapping[str, Any], schema: Schema | None) -> Split:
    body = form.mapping(("split",), top, ("by", "validation", "test", "seed", "field"))
    by = form.choice(("split", "by"), body, ("random", "time", "order"), "random")
    field = form.text(("split", "field"), body)
    if by == "time" and field is None:
        form.problem(("split",), "a split by time needs 'field', a timestamp field", key=True)
    if field is not None and schema is not None:
        times = [item.name for item in schema.fields if item.type == "timestamp"]
        if field not in times:
            form.problem(("split", "field"), f"'{field}' is no timestamp field", nearest(field, times))
    return Split(
        by=by,
        validation=form.number(("split", "validation"), body, Split.validation, low=0.01, high=1e9),
        test=form.number(("split", "test"), body, Split.test, low=0.0, high=1e9),
        seed=int(form.number(("split", "seed"), body, Split.seed, low=0, high=2**32 - 1, whole=True)),
        field=field,
    )


def _data(form: Form, top: Mapping[str, Any]) -> Data:
    body = form.mapping(("data",), top, ("train", "test"))
    train, test = form.text(("data", "train"), body), form.text(("data", "test"), body)
    return Data(Path(train) if train else None, Path(test) if test else None)


def _evaluation(
    form: Form,
    top: Mapping[str, Any],
    labels: Mapping[str, Label],
    outcomes: tuple[str, ...],
    variables: list[Variable] | None,
) -> EvaluationSpec:
    body = form.mapping(("evaluation",), top, ("value", "label", "acted"))
    label = form.text(("evaluation", "label"), body)
    if label is not None and label not in labels:
        form.problem(("evaluation", "label"), f"unknown label '{label}'", nearest(label, labels))
    acted = form.texts(("evaluation", "acted"), body)
    for index, outcome in enumerate(acted):
        if outcome not in outcomes:
            form.problem(
                ("evaluation", "acted", index), f"unknown outcome '{outcome}'", nearest(outcome, outcomes)
            )
    text = form.text(("evaluation", "value"), body)
    value = None
    if text is not None and variables is not None:
        seen = [Variable("proposed", "string"), Variable("outcome", "string")]
        truth = [Variable(f"label.{item.name}", item.type) for item in labels.values()]
        value = _expression(form, text, [*variables, *seen, *truth])
    return EvaluationSpec(value, label, acted)


def _expression(form: Form, text: str, variables: list[Variable]) -> CheckedExpression | None:
    path = ("evaluation", "value")
    try:
        return Checker(variables).check(text, ("double", "int"))
    except ExpressionProblems as failed:
        for problem in failed.problems:
            form.problems.append(
                form.document.problem_in_text(
                    path, problem.line, problem.column, problem.message, problem.hint
                )
            )
        return None
