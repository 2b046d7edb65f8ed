"""The frozen records a project consists of, as project.yaml says them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from embeddings.spec import Spec
from engine.reasons import ReasonCodes
from engine.schema import Schema
from rules.expression import CheckedExpression, Variable
from rules.policy import Policy


@dataclass(frozen=True)
class Label:
    """What a classifier learns: a column, and which of its values mean what.

    `weight` names a column that says how much a row counts, in training and in the classifier's figures.
    Binary: `positive` is the value (text, number or bool) that means yes; everything else present means no.
    Multi-class: `classes` lists the values as text, in order. An absent value is a missing label in both.
    """

    name: str
    column: str
    positive: str | int | float | bool | None = True
    classes: tuple[str, ...] = ()
    weight: str | None = None

    @property
    def binary(self) -> bool:
        return not self.classes

    @property
    def type(self) -> str:
        """The rule language's type of `label.NAME`."""
        return "bool" if self.binary else "string"


@dataclass(frozen=True)
class OwnClassifier:
    """A classifier of scikit-learn that the project names: its import path and its parameters.

    It reads the `embedding`, or the `fields` as they are encoded. Among the candidates it is next simplest to
    the kind `after`, or the least simple of all.
    """

    name: str
    estimator: str
    params: Mapping[str, Any]
    input: str = "embedding"
    after: str = ""

    @property
    def identity(self) -> str:
        """A text that is equal where all of it is."""
        return json.dumps(self.to_json(), sort_keys=True)

    def to_json(self) -> dict[str, Any]:
        """Give it as project.yaml says it, JSON types only."""
        return {
            "name": self.name,
            "estimator": self.estimator,
            "params": dict(self.params),
            "input": self.input,
            "after": self.after,
        }


@dataclass(frozen=True)
class EncoderSpec:
    """An encoder of the project's own for a text field: its files, and how it is read."""

    onnx: str
    vocabulary: str
    output: str
    tokens: int = 128
    lower: bool = True
    pool: str = "mean"


@dataclass(frozen=True)
class ClassifierSpec:
    """One classifier of the bundle: the label it predicts, and who competes for the place.

    A candidate is one of the kinds that Tandem has, by name, or one of the project's own.
    """

    name: str
    label: str
    candidates: tuple[str | OwnClassifier, ...]
    scores: tuple[str, ...]  # names as rules see them after 'scores.': one if binary, else one a class
    reasons: ReasonCodes = field(default_factory=ReasonCodes)

    def written_candidates(self) -> list[Any]:
        """The candidates as project.yaml says them, JSON types only."""
        return [one if isinstance(one, str) else one.to_json() for one in self.candidates]


@dataclass(frozen=True)
class Split:
    """How one file becomes training, validation and test rows.

    `validation` and `test` below 1 are shares of the rows; from 1 on they are numbers of rows. `time` puts
        the latest rows by `field` into test, `order` the last rows of the file, `random` a seeded draw,
        `group` a draw of whole groups: rows of one value in the column `field`.
    """

    by: str = "random"
    validation: float = 0.15
    test: float = 0.2
    seed: int = 7
    field: str | None = None


@dataclass(frozen=True)
class Data:
    """Where the labelled rows are, from the project's folder; without `test`, test rows come off `train`.

    `references` training rows go into the bundle for explanations; None leaves their number to the fit.
    """

    train: Path | None = None
    test: Path | None = None
    references: int | None = None


@dataclass(frozen=True)
class EvaluationSpec:
    """What good means here: the value of a decided row, and which outcomes act on which label."""

    value: CheckedExpression | None = None
    label: str | None = None
    acted: tuple[str, ...] = ()


@dataclass(frozen=True)
class Project:
    """Everything project.yaml says, checked; `text` is the file as written."""

    name: str
    root: Path
    schema: Schema
    labels: Mapping[str, Label]
    outcomes: tuple[str, ...]
    embedding: Spec
    classifiers: Mapping[str, ClassifierSpec]
    policy: Policy
    split: Split
    data: Data
    evaluation: EvaluationSpec
    id: str | None
    text: bytes
    event_time: str | None = None  # the timestamp field that dates of rules are held against
    encoders: Mapping[str, EncoderSpec] = field(default_factory=dict)  # by text field

    @property
    def scores(self) -> tuple[str, ...]:
        """Names of all scores, in the order of the classifiers: `fraud`, `grade.a`, `grade.b`."""
        return tuple(score for spec in self.classifiers.values() for score in spec.scores)

    @property
    def variables(self) -> list[Variable]:
        """The record's fields as the rule language sees them."""
        return self.schema.variables()

    @property
    def registry(self) -> Path:
        """The folder of bundles and the names that point at them."""
        return self.root / "registry"
