"""The sections `labels` and `classifiers` of project.yaml: who predicts what, and the names of the scores."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from engine.project.estimators import read_own
from engine.project.form import Form
from engine.project.reasons import read_reasons
from engine.project.records import ClassifierSpec, Label, OwnClassifier
from engine.schema import RESERVED, Schema
from rules.errors import nearest
from rules.expression import Variable
from rules.form import Path as Place
from rules.form import mistyped

RAW = "raw-logistic"
KINDS = (RAW, "logistic", "linear-svm", "lda", "nearest-centroid", "naive-bayes", "tree",
         "nearest-neighbours")  # fmt: skip
LABEL_KEYS = ("column", "positive", "classes", "weight")
CLASSIFIER_KEYS = ("label", "candidates", "adverse", "reasons")
IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_SIGNS = {"+": "plus", "-": "minus", "<": "below", ">": "above", "=": "equal"}
_LETTERS = "letters, digits and _, a letter first,"


def read_labels(form: Form, top: Mapping[str, Any], schema: Schema | None) -> dict[str, Label]:
    """Labels as they are described; none of them may be a field."""
    labels: dict[str, Label] = {}
    section = form.section(("labels",), top)
    for name in section:
        path = ("labels", name)
        form.matching(path, name, IDENTIFIER, _LETTERS)
        body = form.section(path, section, LABEL_KEYS)
        column = form.name((*path, "column"), body, name)
        if schema is not None and column in schema.by_name:
            hint = "leave it out of 'fields'"
            form.note(path, f"'{column}' is a label and a field: the model would be given the answer", hint)
        classes = form.names((*path, "classes"), body)
        positive = body.get("positive", None if classes else True)
        if isinstance(positive, list | dict):
            form.note((*path, "positive"), "'positive' is the one value that means yes")
        if "classes" in body and "positive" in body:
            form.note((*path, "positive"), "give 'positive' (yes or no) or 'classes' (several), not both")
        elif "classes" in body and len(classes) < 3:
            form.note((*path, "classes"), "at least three classes are needed", "for two, use 'positive'")
        weight = form.name((*path, "weight"), body) or None
        if weight == column:
            form.note((*path, "weight"), f"'{weight}' is the label itself", "name a column of numbers")
        labels[name] = Label(name, column, positive, classes, weight)
    return labels


def read_classifiers(
    form: Form, top: Mapping[str, Any], labels: dict[str, Label], schema: Schema | None
) -> dict[str, ClassifierSpec]:
    """Classifiers; where no `labels` are given, a label is a column of that name that holds true or false."""
    classifiers: dict[str, ClassifierSpec] = {}
    section = form.section(("classifiers",), top)
    if top.get("classifiers") == {}:
        form.note(("classifiers",), "at least one classifier is needed", "as fraud: {label: is_fraud}")
    for name in section:
        path = ("classifiers", name)
        form.matching(path, name, IDENTIFIER, _LETTERS)
        body = form.section(path, section, CLASSIFIER_KEYS)
        label = form.name((*path, "label"), body, name)
        if "label" not in body and mistyped(body, ("label",), CLASSIFIER_KEYS):
            label = next(iter(labels), name)  # that has been said; what the classifier predicts is not known
        if "labels" in top:
            form.known((*path, "label"), "label", label, labels)
        elif not IDENTIFIER.fullmatch(label):
            form.note((*path, "label"), f"describe '{label}' under 'labels': a label's name is letters and _")
        candidates = _candidates(form, (*path, "candidates"), body)
        if body.get("candidates") == []:
            form.note((*path, "candidates"), "at least one candidate is needed", f"known: {', '.join(KINDS)}")
        scores = score_names(name, labels.setdefault(label, Label(label, label)))
        if len(set(scores)) < len(scores):
            form.note(path, f"two classes of '{label}' give one score: {', '.join(scores)}", key=True)
        classifiers[name] = ClassifierSpec(
            name, label, candidates, scores, read_reasons(form, path, body, schema)
        )
    return classifiers


def score_names(classifier: str, label: Label) -> tuple[str, ...]:
    """Names of a classifier's scores: its own if binary, else `classifier.class`, the class as an identifier.

    >>> score_names("grade", Label("grade", "grade", None, ("A+", "B", "C")))
    ('grade.a_', 'grade.b', 'grade.c')
    """
    if label.binary:
        return (classifier,)
    return tuple(f"{classifier}.{word}" for word in class_words(label.classes))


def class_words(names: Sequence[str]) -> tuple[str, ...]:
    """Classes as identifiers of the rule language: small ASCII letters, digits and _, no word of its own.

    Where that makes one of several, their signs are spelled out; it may still.

    >>> class_words(["A+", "3", "in"])
    ('a_', '_3', '_in')
    >>> class_words(["A+", "A", "A-", "<5", ">5", "B-"])
    ('a_plus', 'a', 'a_minus', '_below_5', '_above_5', 'b_')
    """
    words = [_word(name) for name in names]
    return tuple(
        _word(_spelled(name)) if words.count(word) > 1 else word
        for name, word in zip(names, words, strict=True)
    )


def _spelled(name: str) -> str:
    """`A+` → `A_plus`."""
    spelled = "".join(f"_{_SIGNS[sign]}_" if sign in _SIGNS else sign for sign in name)
    return re.sub(r"_+", "_", spelled).rstrip("_")


def _word(name: str) -> str:
    word = re.sub(r"[^a-z0-9_]", "_", name.lower())
    return word if IDENTIFIER.fullmatch(word) and word not in RESERVED else f"_{word}"


def _candidates(form: Form, path: Place, body: Mapping[str, Any]) -> tuple[str | OwnClassifier, ...]:
    """The kinds that compete, all of them where none are named, and the project's own."""
    written = body.get("candidates")
    if written is None:
        return KINDS
    kept: list[str | OwnClassifier] = []
    names: list[str] = []
    for index, item in enumerate(form.sequence(path, written)):
        if isinstance(item, dict):
            own = read_own(form, (*path, index), item, KINDS)
            kept += [] if own is None else [own]
            name = own.name if own else ""
        elif not isinstance(item, str) or item not in KINDS:
            hint = nearest(str(item), KINDS)
            form.note((*path, index), f"unknown kind of classifier '{item}'", hint)
            continue
        else:
            kept.append(item)
            name = item
        if name and name in names:
            form.note((*path, index), f"'{name}' is listed twice")
        names.append(name)
    return tuple(kept)


def score_variables(classifiers: Mapping[str, ClassifierSpec]) -> list[Variable]:
    """What expressions may say of the scores."""
    names = [name for spec in classifiers.values() for name in spec.scores]
    return [Variable(f"scores.{name}", "double", nullable=False, minimum=0.0, maximum=1.0) for name in names]
