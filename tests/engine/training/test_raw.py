"""The baseline on the fields themselves: it learns, is exported exactly, and leaves no encoder behind."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

from embeddings import fit_encoding
from engine.model import open_session
from engine.project.classifiers import RAW
from engine.training.calibrate import fit_calibration
from engine.training.candidate import Rows
from engine.training.candidates import run_candidates
from engine.training.export import export, inputs_alone
from engine.training.fuse import Head, fuse
from engine.training.raw import RawFitted, fit_raw
from tests.embeddings.tables import batch, labels, spec, table

DATA = table(900)
ENCODING = fit_encoding(spec(), DATA)
INPUTS = ENCODING.batch(batch(DATA))
BINARY = labels(DATA)
SEVERAL = np.where(np.arange(900) % 3 == 0, 2, BINARY)


def fitted(codes: np.ndarray) -> RawFitted:
    *_, last = fit_raw(ENCODING, {name: array[:600] for name, array in INPUTS.items()}, codes[:600], seed=1)
    return last


@pytest.mark.parametrize("codes", [BINARY, SEVERAL], ids=["two", "three"])
def test_the_graph_gives_what_scikit_learn_gives_alone_and_in_batches(codes: np.ndarray) -> None:
    """Numbers, levels and tokens of every row within 1e-5; the same bits in every batch of two and more."""
    model, classes = fitted(codes), int(codes.max()) + 1
    margins = model.margins(INPUTS)
    calibration = fit_calibration(margins[600:], codes[600:])
    head = Head("x", export(model, 0), calibration, classes)
    run = open_session(fuse(inputs_alone(INPUTS), [head])).run
    scores = run(["scores"], INPUTS)[0]
    expected = calibration.probabilities(margins)
    assert np.abs(scores - (expected[:, 1:] if classes == 2 else expected)).max() <= 1e-5
    for size in (2, 3, 7, 8, 33):
        part = run(["scores"], {name: array[5 : 5 + size] for name, array in INPUTS.items()})[0]
        assert part.tobytes() == scores[5 : 5 + size].tobytes()


def test_it_stands_before_all_others_and_reads_no_embedding() -> None:
    """First in the running whatever the project lists; its scores do not hang on the embedding."""
    noise = np.random.default_rng(0).normal(size=(900, 4)).astype(np.float32)
    rows = [
        Rows(noise[at], BINARY[at], {name: array[at] for name, array in INPUTS.items()})
        for at in (slice(0, 600), slice(600, 900))
    ]
    raw, other = run_candidates(["logistic"], *rows, 2, seed=1, encoding=ENCODING)
    assert (raw.kind, other.kind) == (RAW, "logistic")
    assert raw.losses.mean() < other.losses.mean() - 0.05
    assert raw.parity is not None
    assert raw.parity <= 1e-5


def test_what_no_score_needs_is_left_out_of_the_graph() -> None:
    """Where only the baseline was chosen, nothing of the encoder is served."""
    encoder = onnx.load_model_from_string(inputs_alone(INPUTS))
    held = onnx.numpy_helper.from_array(np.ones((ENCODING.columns, 3), np.float32), "held")
    encoder.graph.initializer.append(held)
    encoder.graph.node.append(onnx.helper.make_node("MatMul", ["numeric", "held"], ["embedding"]))
    head = Head("x", export(fitted(BINARY), 0), fit_calibration(fitted(BINARY).margins(INPUTS), BINARY), 2)
    graph = onnx.load_model_from_string(fuse(encoder.SerializeToString(), [head])).graph
    assert "embedding" not in {name for node in graph.node for name in node.output}
    assert "held" not in {one.name for one in graph.initializer}


def test_text_says_nothing_where_there_is_none() -> None:
    """A text without a token, and a missing number, leave the rest of the sum as it is."""
    rows = [
        {"amount": None, "age": None, "country": None, "known": None, "memo": memo, "moment": None}
        for memo in ("", None)
    ]
    inputs = {
        name: np.concatenate([ENCODING.record(row)[name] for row in rows])
        for name in ENCODING.record(rows[0])
    }
    assert np.isfinite(fitted(BINARY).margins(inputs)).all()
