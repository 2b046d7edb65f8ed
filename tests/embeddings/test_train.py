"""Training: it learns, it stops, it is the same for a seed, and it refuses what it cannot use."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys

import numpy as np
import pyarrow as pa
import pytest
import torch

from embeddings import Slot, Spec, TrainingError, fit_encoding
from embeddings.train import Trained, train
from tests.embeddings.tables import batch, labels, parts, spec, table, trained

DATA = table()


def weights(result: Trained) -> dict[str, bytes]:
    return {name: value.numpy().tobytes() for name, value in result.network.state_dict().items()}


def fit(codes: dict[str, np.ndarray], on_epoch=None, **settings: object) -> Trained:
    settled = spec(**settings)
    encoding = fit_encoding(settled, DATA)
    inputs = encoding.batch(batch(DATA))
    return train(settled, encoding, *parts(inputs, codes, 320), device="cpu", on_epoch=on_epoch)


def ranks_right(scores: np.ndarray, codes: np.ndarray) -> float:
    """The area under the ROC curve."""
    return float((scores[codes == 1][:, None] > scores[codes == 0][None, :]).mean())


def test_a_small_table_is_learnt() -> None:
    """From a thousand rows the network ranks unseen rows far better than chance."""
    data = table(1_000)
    result, encoding, _ = trained(data, epochs=40, patience=8)
    fresh = table(1_000, seed=77)
    inputs = {name: torch.tensor(value) for name, value in encoding.batch(batch(fresh)).items()}
    with torch.no_grad():
        scores = result.network(inputs)["bad"].softmax(1)[:, 1].numpy()
    assert ranks_right(scores, labels(fresh)) > 0.9


def test_the_best_epoch_is_kept() -> None:
    """Training stops after `patience` passes without progress, and the weights are those of the best pass."""
    noise = np.random.default_rng(0).integers(0, 2, len(DATA))
    result = fit({"noise": noise}, epochs=60, patience=2, learning_rate=0.02)
    losses = [epoch.validation_loss for epoch in result.history]
    assert result.best == int(np.argmin(losses))
    assert len(losses) == result.best + 3 < 60


def test_progress_is_told() -> None:
    """`on_epoch` hears each pass, with the losses that the history keeps."""
    heard: list[tuple[int, int, float, float]] = []
    result = fit({"bad": labels(DATA)}, lambda *told: heard.append(told))
    assert heard == [
        (number, 3, epoch.train_loss, epoch.validation_loss) for number, epoch in enumerate(result.history, 1)
    ]


def test_an_interrupt_passes_through() -> None:
    """Ctrl-C ends training as KeyboardInterrupt, and leaves torch's threads and random state as they were."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = torch.get_num_threads(), torch.random.get_rng_state().tolist()
    with pytest.raises(KeyboardInterrupt):
        fit({"bad": labels(DATA)}, interrupt)
    assert (torch.get_num_threads(), torch.random.get_rng_state().tolist()) == before


def test_a_seed_gives_the_same_weights() -> None:
    """The same seed gives the same bits, whatever was drawn before; another seed does not."""
    first = weights(trained(DATA)[0])
    torch.rand(3)
    assert weights(trained(DATA)[0]) == first
    assert weights(trained(DATA, seed=8)[0]) != first


PROGRAM = """
import hashlib
from embeddings.export import export_onnx
from tests.embeddings.tables import table, trained
result, encoding, _ = trained(table(200))
print(hashlib.sha256(export_onnx(result, encoding)).hexdigest())
"""


def test_two_processes_give_the_same_bytes() -> None:
    """A seed gives the same ONNX bytes in another process, whatever its hash seed and threads."""
    from embeddings.export import export_onnx

    result, encoding, _ = trained(table(200))
    own = hashlib.sha256(export_onnx(result, encoding)).hexdigest()
    environment = os.environ | {"PYTHONHASHSEED": "1", "OMP_NUM_THREADS": "1"}
    other = subprocess.run(
        [sys.executable, "-c", PROGRAM], check=True, capture_output=True, text=True, env=environment
    )
    assert other.stdout.strip() == own


def test_labels_are_learnt_together() -> None:
    """Several labels, one of many classes, one mostly missing, share one embedding."""
    bad = labels(DATA)
    grade = np.arange(len(DATA)) % 5
    partly = np.where(np.arange(len(DATA)) % 4 == 0, bad, -1)
    result = fit({"bad": bad, "grade": grade, "partly": partly})
    heads = dict(zip(result.network.labels, result.network.heads, strict=True))
    assert {name: head.out_features for name, head in heads.items()} == {"bad": 2, "grade": 5, "partly": 2}
    assert all(np.isfinite([epoch.train_loss, epoch.validation_loss]).all() for epoch in result.history)


def test_a_class_of_two_rows_is_no_trouble() -> None:
    """A class with two rows, both in training, has its output."""
    codes = np.zeros(len(DATA), np.int64)
    codes[:2] = 2
    codes[2:100] = 1
    assert fit({"grade": codes}).network.heads[0].out_features == 3


def test_fields_that_say_nothing_are_no_trouble() -> None:
    """Constant and all-missing fields of every kind train to finite vectors."""
    rows = 60
    data = pa.table(
        {
            "constant": pa.array([1.0] * rows),
            "missing": pa.array([None] * rows, pa.float64()),
            "level": pa.array([None] * rows, pa.string()),
            "flag": pa.array([None] * rows, pa.bool_()),
            "text": pa.array([""] * rows),
            "moment": pa.array([None] * rows, pa.timestamp("us", "UTC")),
        }
    )
    kinds = ["number", "number", "category", "flag", "text", "timestamp"]
    slots = [Slot(name, kind) for name, kind in zip(data.column_names, kinds, strict=True)]
    settled = Spec.from_mapping({"width": 4, "hidden": [8], "epochs": 2}, slots)
    encoding = fit_encoding(settled, data)
    inputs = encoding.batch(batch(data))
    result = train(settled, encoding, *parts(inputs, {"y": np.arange(rows) % 2}, 40), device="cpu")
    with torch.no_grad():
        vectors = result.network.embed({name: torch.tensor(value) for name, value in inputs.items()})
    assert torch.isfinite(vectors).all()


def test_rows_count_by_their_weight() -> None:
    """Rows of weight 0 hold the wrong label: what is learnt, and the loss, are those of the others."""
    bad = labels(DATA)
    wrong = np.random.default_rng(1).random(len(DATA)) < 0.6
    codes, counts = np.where(wrong, 1 - bad, bad), np.where(wrong, 0.0, 3.0)
    settled = spec(epochs=20)
    encoding = fit_encoding(settled, DATA)
    inputs = encoding.batch(batch(DATA))
    learned, targets, judged, judged_targets = parts(inputs, {"bad": codes}, 320)
    result = train(
        settled,
        encoding,
        learned,
        targets,
        judged,
        judged_targets,
        weights={"bad": counts[:320]},
        validation_weights={"bad": counts[320:]},
        device="cpu",
    )
    with torch.no_grad():
        held = {name: torch.tensor(value) for name, value in judged.items()}
        scores = result.network(held)["bad"].softmax(1)[:, 1].numpy()
    assert ranks_right(scores, bad[320:]) > 0.7
    right = ~wrong[320:]
    losses = -np.log(np.where(codes[320:] == 1, scores, 1 - scores)[right])
    assert result.history[result.best].validation_loss == pytest.approx(losses.mean(), rel=1e-4)


@pytest.mark.parametrize("counts", [[-1.0] * 320, [0.0] * 320, [float("nan")] * 320, [1.0] * 3])
def test_what_is_no_weight_is_refused(counts: list[float]) -> None:
    """Negative, all nought, no number, too few."""
    encoding = fit_encoding(spec(), DATA)
    inputs = parts(encoding.batch(batch(DATA)), {"bad": labels(DATA)}, 320)
    with pytest.raises(TrainingError, match=r"weights"):
        train(spec(), encoding, *inputs, weights={"bad": np.array(counts)}, device="cpu")


def test_a_field_never_missing_in_training_is_the_mean_when_missing() -> None:
    """Missing where training never saw it, a number stands at its mean and has no effect of its own."""
    data = pa.table({"x": pa.array(np.linspace(-1, 1, 200))})
    settled = Spec.from_mapping({"width": 4, "hidden": [8], "epochs": 2, "bins": 4}, [Slot("x", "number")])
    encoding = fit_encoding(settled, data)
    inputs = encoding.batch(batch(data))
    result = train(settled, encoding, *parts(inputs, {"y": np.arange(200) // 100}, 199), device="cpu")
    with torch.no_grad():
        missing, mean = result.network.embed({"numeric": torch.tensor([[float("nan")], [0.0]])})
    assert missing.tolist() == mean.tolist()


def test_a_larger_table_is_sampled() -> None:
    """`max_rows` bounds the rows of a pass; the sample depends on the seed alone."""
    first, again = (trained(DATA, max_rows=50)[0] for _ in range(2))
    assert weights(first) == weights(again) != weights(trained(DATA)[0])


@pytest.mark.parametrize(
    ("codes", "message"),
    [
        ({}, "at least one input and one label"),
        ({"bad": np.full(400, -1)}, "label 'bad' is missing in every training row"),
        ({"bad": np.where(np.arange(400) < 320, 1, -1)}, "no validation row has a label"),
        ({"bad": np.full(400, -2)}, "codes begin at 0"),
        ({"bad": np.zeros(390, np.int64)}, "differ in length"),
    ],
)
def test_labels_that_cannot_be_learnt_are_refused(codes: dict[str, np.ndarray], message: str) -> None:
    """No label, none known, none to judge by, codes that are none, arrays that do not fit."""
    with pytest.raises(TrainingError, match=message):
        fit(codes)


def test_no_rows_are_refused() -> None:
    """An empty validation part is named."""
    encoding = fit_encoding(spec(), DATA)
    inputs = encoding.batch(batch(DATA))
    with pytest.raises(TrainingError, match="validation has no rows"):
        train(spec(), encoding, *parts(inputs, {"bad": labels(DATA)}, len(DATA)), device="cpu")


def test_a_device_that_is_not_there_is_named() -> None:
    """An unknown device is refused with what to try."""
    encoding = fit_encoding(spec(), DATA)
    given = parts(encoding.batch(batch(DATA)), {"bad": labels(DATA)}, 320)
    with pytest.raises(TrainingError, match="device 'warp' cannot be used"):
        train(spec(), encoding, *given, device="warp")
