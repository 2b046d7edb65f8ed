"""Labelled rows in, the model parts of a bundle out: encoding, one fused graph, names of its scores, and a
report.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from embeddings.course import Keeper
from engine.manifest import ENCODERS, MODEL
from engine.model import ENCODING, SCORES
from engine.training.assemble import Chooser, assemble, scores_part
from engine.training.candidate import Candidate, Rows
from engine.training.candidates import Recall, Tell, run_candidates
from engine.training.choose import Choice, choose
from engine.training.embed import Embedded, Inputs, Progress, embed_rows, embedding_report
from engine.training.references import reference_part
from engine.training.reuse import canonical_json
from engine.training.rows import Labelled
from engine.training.split import Parts
from engine.training.targets import class_names
from engine.training.vectors import vector_report

if TYPE_CHECKING:
    from engine.project import Project

CLASSIFIERS_FROM, CLASSIFIERS_SHARE = 0.77, 0.15


@dataclass(frozen=True)
class Learned:
    """`parts` by path; `report` says how they came about, JSON-able; what was chosen for each classifier."""

    parts: Mapping[str, bytes]
    report: Mapping[str, Any]
    choices: Mapping[str, Choice] = field(default_factory=dict)


EmbeddedReport = tuple[Embedded, Mapping[str, Any]]
"""What was embedded, and how the network was trained, JSON-able."""


class Memory(Protocol):
    """What keeps the costly steps of a fit: each gives what was kept, or makes it and keeps it.

    `keeper` keeps a network while it is trained.
    """

    @property
    def keeper(self) -> Keeper | None: ...

    def embedded(self, make: Callable[[], EmbeddedReport]) -> EmbeddedReport: ...

    def candidate(self, label: str, kind: str, make: Callable[[], Candidate]) -> Candidate: ...

    def references(self, count: int | None, make: Callable[[], dict[str, bytes]]) -> dict[str, bytes]: ...


class NoMemory:
    """Keeps nothing: every step is made."""

    keeper = None

    def embedded(self, make: Callable[[], EmbeddedReport]) -> EmbeddedReport:
        return make()

    def candidate(self, label: str, kind: str, make: Callable[[], Candidate]) -> Candidate:
        return make()

    def references(self, count: int | None, make: Callable[[], dict[str, bytes]]) -> dict[str, bytes]:
        return make()


def learn(
    project: Project,
    rows: Labelled,
    parts: Parts,
    progress: Progress,
    memory: Memory | None = None,
    chooser: Chooser = choose,
) -> Learned:
    """Train the embedding on all labels, choose a classifier for each place, and fuse them.

    Deterministic: the same rows, project and seeds give the same bytes, whatever `memory` has kept of them.
    """
    kept = memory or NoMemory()
    training, validation = rows.take(parts.train), rows.take(parts.validation)

    def embed_and_tell() -> EmbeddedReport:
        embedded, body, difference = embed_rows(project, training, validation, progress, kept.keeper)
        told = embedding_report(body, difference, embedded.encoding)
        vectors = vector_report(embedded.encoding, embedded.train_inputs, training)
        return embedded, {**told, **({"vectors": vectors} if vectors else {})}

    embedded, report = kept.embedded(embed_and_tell)
    candidates = {}
    for place, spec_of in enumerate(project.classifiers.values()):
        candidates[spec_of.name] = candidates_of(
            project,
            spec_of.name,
            embedded,
            training,
            validation,
            partial(kept.candidate, spec_of.label),
            _fitting(progress, spec_of.name, place, len(project.classifiers)),
        )
    progress("joining embedding and classifiers", 0.93)
    counted = {name: validation.counted(spec.label) for name, spec in project.classifiers.items()}
    choices, model, pad = assemble(project, candidates, embedded, counted, chooser)
    count = project.data.references
    references = kept.references(
        count,
        lambda: reference_part(
            embedded.encoding,
            embedded.train_inputs,
            embedded.train,
            count=count,
            seed=project.split.seed,
        ),
    )
    return Learned(
        {
            MODEL: model,
            ENCODING: canonical_json(embedded.encoding.to_json()),
            SCORES: canonical_json(scores_part(project, choices, model, pad)),
            **references,
            **{ENCODERS + name: data for name, data in embedded.encoding.files().items()},
        },
        _report(report, choices, parts),
        choices,
    )


def _fitting(progress: Progress, name: str, place: int, classifiers: int) -> Tell:
    """Progress through the candidates of one classifier, the `place`-th of all."""

    def tell(what: str, share: float) -> None:
        done = (place + share) / classifiers
        progress(f"fitting classifier {name}: {what}", CLASSIFIERS_FROM + CLASSIFIERS_SHARE * done)

    return tell


def candidates_of(
    project: Project,
    name: str,
    embedded: Embedded,
    training: Labelled,
    validation: Labelled,
    recall: Recall = lambda _, make: make(),
    tell: Tell = lambda _, __: None,
) -> list[Candidate]:
    """Every candidate for one classifier, fitted and judged on the embedded rows."""
    spec = project.classifiers[name]
    return run_candidates(
        spec.candidates,
        _labelled(embedded.train, embedded.train_inputs, training, spec.label),
        _labelled(embedded.validation, embedded.inputs, validation, spec.label),
        len(class_names(project.labels[spec.label])),
        project.split.seed,
        embedded.encoding,
        recall,
        tell,
    )


def _labelled(embedding: np.ndarray, inputs: Inputs, labelled: Labelled, label: str) -> Rows:
    """The rows that count: their label is known, and their weight is not 0."""
    codes, weights = labelled.codes[label], labelled.weights.get(label)
    counted = labelled.counted(label)
    if not counted.all():
        embedding, codes = embedding[counted], codes[counted]
        inputs = {name: array[counted] for name, array in inputs.items()}
        weights = None if weights is None else weights[counted]
    return Rows(embedding, codes, inputs, None if weights is None else weights / weights.mean())


def _report(embedding: Mapping[str, Any], choices: Mapping[str, Choice], parts: Parts) -> dict[str, Any]:
    return {
        "rows": {"train": len(parts.train), "validation": len(parts.validation), "test": len(parts.test)},
        "embedding": dict(embedding),
        "candidates": {name: choice.table() for name, choice in choices.items()},
    }
