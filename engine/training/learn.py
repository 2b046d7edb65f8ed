"""Labelled rows in, the model parts of a bundle out: encoding, one fused graph, names of its scores, and a
report.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from embeddings.body import Body, train_body
from embeddings.course import Keeper
from embeddings.derived import INPUT, fit_derived, with_derived
from embeddings.export import check_parity, export_onnx
from embeddings.fit import fit_encoding
from embeddings.train import embed
from engine.errors import TandemError
from engine.manifest import ENCODERS, MODEL
from engine.model import ENCODING, SCORES, open_session
from engine.project.encoders import load_encoders
from engine.training.batches import unsteady_columns
from engine.training.choose import (
    Candidate,
    Choice,
    NoCandidate,
    Recall,
    Rows,
    Tell,
    allowed_difference,
    choose,
    largest_difference,
    refuse,
    run_candidates,
)
from engine.training.fuse import fuse
from engine.training.margins import margins_of, sums_of
from engine.training.references import reference_part
from engine.training.reuse import canonical_json
from engine.training.rows import Labelled
from engine.training.split import Parts
from engine.training.targets import class_names
from engine.training.vectors import vector_report

if TYPE_CHECKING:
    import pyarrow as pa

    from embeddings.encode import Encoding
    from engine.project import Label, Project

Inputs = Mapping[str, np.ndarray]
Progress = Callable[[str, float], None]
Chooser = Callable[[Sequence[Candidate]], Choice]

PARITY_ROWS = 2_000
STEADY_ROWS = 5_000
ROWS_A_CALL = 4_096
NETWORK_SHARE = 0.7  # of the whole fit, for the progress bar
CLASSIFIERS_FROM, CLASSIFIERS_SHARE = 0.77, 0.15


@dataclass(frozen=True)
class Learned:
    """`parts` by path; `report` says how they came about, JSON-able; what was chosen for each classifier."""

    parts: Mapping[str, bytes]
    report: Mapping[str, Any]
    choices: Mapping[str, Choice] = field(default_factory=dict)


@dataclass(frozen=True)
class Embedded:
    """The encoder, and what it gives for training and validation rows."""

    encoder: bytes
    inputs: Inputs  # of validation rows
    train: np.ndarray
    validation: np.ndarray
    train_inputs: Inputs
    encoding: Encoding


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


class NoMemory:
    """Keeps nothing: every step is made."""

    keeper = None

    def embedded(self, make: Callable[[], EmbeddedReport]) -> EmbeddedReport:
        return make()

    def candidate(self, label: str, kind: str, make: Callable[[], Candidate]) -> Candidate:
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
        told = _embedding_report(body, difference, embedded.encoding)
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
    choices, model, pad = _fused(project, candidates, embedded, counted, chooser)
    references = reference_part(
        embedded.encoding,
        embedded.train_inputs,
        embedded.train,
        count=project.data.references,
        seed=project.split.seed,
    )
    return Learned(
        {
            MODEL: model,
            ENCODING: canonical_json(embedded.encoding.to_json()),
            SCORES: canonical_json(_scores(project, choices, model, pad)),
            **references,
            **{ENCODERS + name: data for name, data in embedded.encoding.files().items()},
        },
        _report(report, choices, parts),
        choices,
    )


def embed_rows(
    project: Project,
    training: Labelled,
    validation: Labelled,
    progress: Progress,
    keeper: Keeper | None = None,
) -> tuple[Embedded, Body, float]:
    """Fix the encoding, train the network, export it; with the largest difference between the two.

    INVARIANT: what a training row's embedding says of the labels comes from other rows. The graph would tell
    it its own label, so the classifiers learn from what training saw.
    """
    progress("reading fields", 0.02)
    spec = replace(project.embedding, slots=slots_of(project))
    encoding = fit_encoding(spec, _table(training.fields), load_encoders(project))
    inputs, validation_inputs = encoded(encoding, training), encoded(encoding, validation)
    derived, own = fit_derived(spec, encoding, inputs, training.codes) or (None, None)
    seen = inputs if own is None else {**inputs, INPUT: own}
    body = train_body(
        spec,
        encoding,
        seen,
        training.codes,
        with_derived(validation_inputs, derived),
        validation.codes,
        derived=derived,
        weights=training.weights,
        validation_weights=validation.weights,
        on_step=_stages(progress),
        keeper=keeper,
    )
    encoder = export_onnx(body.trained, encoding)
    difference = check_parity(encoder, body.trained, _first(validation_inputs, PARITY_ROWS))
    embedded = Embedded(
        encoder,
        validation_inputs,
        run_graph(encoder, "embedding", inputs) if own is None else embed(body.trained.network, seen),
        run_graph(encoder, "embedding", validation_inputs),
        inputs,
        encoding,
    )
    return embedded, body, difference


def encoded(encoding: Encoding, rows: Labelled) -> dict[str, np.ndarray]:
    """Encode rows a block at a time."""
    return _joined((encoding.batch(block.fields) for block in rows.blocks()), rows.rows)


def run_graph(model: bytes, output: str, inputs: Inputs) -> np.ndarray:
    """Run a graph in blocks: arrays of n rows → `(n, width of the output)` float32."""
    session = open_session(model)
    count = len(next(iter(inputs.values())))
    blocks = (
        {
            output: session.run(
                [output], {name: array[at : at + ROWS_A_CALL] for name, array in inputs.items()}
            )[0]
        }
        for at in range(0, count, ROWS_A_CALL)
    )
    return _joined(blocks, count)[output]


def _joined(blocks: Iterable[Inputs], count: int) -> dict[str, np.ndarray]:
    """Arrays of `count` rows in all, from blocks of them; never all of it twice."""
    whole: dict[str, np.ndarray] = {}
    start = 0
    for block in blocks:
        for name, array in block.items():
            if name not in whole:
                whole[name] = np.empty((count, *array.shape[1:]), array.dtype)
            whole[name][start : start + len(array)] = array
        start += len(next(iter(block.values())))
    return whole


def _stages(progress: Progress) -> Progress:
    """Progress through the bodies that are trained one after another, each given half of what is left."""
    begun: list[str] = []

    def tell(what: str, share: float) -> None:
        stage = what.partition(":")[0]
        if stage not in begun:
            begun.append(stage)
        left = 0.5 ** (len(begun) - 1)
        progress(f"training the embedding: {what}", 0.05 + NETWORK_SHARE * (1 - left + left / 2 * share))

    return tell


def _fitting(progress: Progress, name: str, place: int, classifiers: int) -> Tell:
    """Progress through the candidates of one classifier, the `place`-th of all."""

    def tell(what: str, share: float) -> None:
        done = (place + share) / classifiers
        progress(f"fitting classifier {name}: {what}", CLASSIFIERS_FROM + CLASSIFIERS_SHARE * done)

    return tell


def slots_of(project: Project) -> tuple[Any, ...]:
    """The fields that the project leaves to the embedding, but never the one that names the record."""
    return tuple(slot for slot in project.embedding.slots if slot.name != project.id)


def _table(batch: pa.RecordBatch) -> pa.Table:
    import pyarrow as pa

    return pa.Table.from_batches([batch])


def _first(inputs: Inputs, count: int) -> dict[str, np.ndarray]:
    return {name: array[:count] for name, array in inputs.items()}


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


def _fused(
    project: Project,
    candidates: dict[str, list[Candidate]],
    embedded: Embedded,
    counted: Mapping[str, np.ndarray],
    chooser: Chooser = choose,
) -> tuple[dict[str, Choice], bytes, bool]:
    """Choose, fuse and try the whole graph; what fails in it is refused, and the next is chosen.

    Gives the choices, the graph, and whether a single row must be run twice to score as in a batch.
    """
    while True:
        choices = {name: _choose(name, of, chooser) for name, of in candidates.items()}
        heads = [choice.chosen.head(name, _classes(project, name)) for name, choice in choices.items()]
        model = fuse(embedded.encoder, heads)
        refused, pad = _faults(model, choices, [head.scores for head in heads], embedded, counted)
        if not refused:
            return choices, model, pad
        for name, reason in refused.items():
            candidates = candidates | {name: refuse(candidates[name], choices[name].chosen, reason)}


def _choose(name: str, candidates: Sequence[Candidate], chooser: Chooser) -> Choice:
    try:
        return chooser(candidates)
    except NoCandidate as error:
        raise TandemError(f"classifier '{name}': no candidate is left; {error}") from None


def _faults(
    model: bytes,
    choices: Mapping[str, Choice],
    widths: Sequence[int],
    embedded: Embedded,
    counted: Mapping[str, np.ndarray],
) -> tuple[dict[str, str], bool]:
    """Classifiers whose scores differ from scikit-learn's or between batches, with the reason.

    `counted` `(n,)` bool by classifier: the validation rows that scikit-learn's scores are of.
    """
    scores = run_graph(model, "scores", embedded.inputs)
    unsteady, pad = unsteady_columns(model, _first(embedded.inputs, STEADY_ROWS))
    faults: dict[str, str] = {}
    start = 0
    for (name, choice), width in zip(choices.items(), widths, strict=True):
        columns = range(start, start + width)
        start += width
        difference = largest_difference(choice.chosen, scores[counted[name]][:, columns.start : columns.stop])
        most = allowed_difference(choice.chosen)
        if not difference <= most:
            faults[name] = f"fused, it differs from scikit-learn by {difference:.1e}, more than {most:g}"
        elif unsteady.intersection(columns):
            faults[name] = "fused, a row scores differently in batches of different sizes"
    return faults, pad


def _classes(project: Project, classifier: str) -> int:
    return len(class_names(project.labels[project.classifiers[classifier].label]))


def _scores(project: Project, choices: Mapping[str, Choice], model: bytes, pad: bool) -> dict[str, Any]:
    """What model/scores.json says: the columns of the graph's output, and what stands behind each."""
    described = []
    heads = [choice.chosen.head(name, _classes(project, name)) for name, choice in choices.items()]
    margins = margins_of(heads)
    for name, choice in choices.items():
        spec = project.classifiers[name]
        label: Label = project.labels[spec.label]
        described.append(
            {
                "name": name,
                "label": spec.label,
                "kind": choice.chosen.kind,
                "classes": list(class_names(label)),
                "scores": list(spec.scores),
                "margins": margins[name].to_json(),
            }
        )
    return {
        "scores": list(project.scores),
        "classifiers": described,
        "sums": sums_of(model, heads),
        "pad_single_rows": pad,
    }


def _embedding_report(body: Body, difference: float, encoding: Encoding) -> dict[str, Any]:
    trained = body.trained
    derived = trained.network.fields.derived
    pairs = [
        [encoding.categories[place].name for place in (pair.first, pair.second)]
        for pair in (derived.pairs if derived else ())
    ]
    return {
        **({"pairs": pairs} if pairs else {}),
        "epochs": len(trained.history),
        "best_epoch": trained.best + 1,
        "validation_loss": [epoch.validation_loss for epoch in trained.history],
        "train_loss": [epoch.train_loss for epoch in trained.history],
        "parity": difference,
        "taught_by": body.taught_by,
        **body.report,
    }


def _report(embedding: Mapping[str, Any], choices: Mapping[str, Choice], parts: Parts) -> dict[str, Any]:
    return {
        "rows": {"train": len(parts.train), "validation": len(parts.validation), "test": len(parts.test)},
        "embedding": dict(embedding),
        "candidates": {name: choice.table() for name, choice in choices.items()},
    }
