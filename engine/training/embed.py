"""Labelled rows in, the encoder and their embeddings out: fields are encoded, and a network is trained."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from embeddings.body import Body, train_body
from embeddings.course import Keeper
from embeddings.derived import INPUT, fit_derived, with_derived
from embeddings.export import check_parity, export_onnx
from embeddings.fit import fit_encoding
from embeddings.train import embed
from engine.model import open_session
from engine.project.encoders import load_encoders
from engine.training.rows import Labelled

if TYPE_CHECKING:
    import pyarrow as pa

    from embeddings.encode import Encoding
    from engine.project import Project

Inputs = Mapping[str, np.ndarray]
Progress = Callable[[str, float], None]

PARITY_ROWS = 2_000
ROWS_A_CALL = 4_096
NETWORK_SHARE = 0.7  # of the whole fit, for the progress bar


@dataclass(frozen=True)
class Embedded:
    """The encoder, and what it gives for training and validation rows."""

    encoder: bytes
    inputs: Inputs  # of validation rows
    train: np.ndarray
    validation: np.ndarray
    train_inputs: Inputs
    encoding: Encoding


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
    difference = check_parity(encoder, body.trained, first_rows(validation_inputs, PARITY_ROWS))
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


def slots_of(project: Project) -> tuple[Any, ...]:
    """The fields that the project leaves to the embedding, but never the one that names the record."""
    return tuple(slot for slot in project.embedding.slots if slot.name != project.id)


def embedding_report(body: Body, difference: float, encoding: Encoding) -> dict[str, Any]:
    """How the network was trained, JSON-able; `difference` is that of its graph."""
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


def first_rows(inputs: Inputs, count: int) -> dict[str, np.ndarray]:
    """The first `count` rows of encoded inputs."""
    return {name: array[:count] for name, array in inputs.items()}


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


def _table(batch: pa.RecordBatch) -> pa.Table:
    import pyarrow as pa

    return pa.Table.from_batches([batch])
