"""The exported graph: the network's vectors, the same alone and in any batch, in reproducible bytes."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from embeddings import ParityError, Slot, Spec, fit_encoding
from embeddings.export import ALLOWED, check_parity, export_onnx
from embeddings.train import train
from tests.embeddings.tables import SLOTS, batch, labels, parts, records, table, trained

DATA = table(1_000)
TRAINED, ENCODING, INPUTS = trained(DATA, width=64, hidden=[128, 128], epochs=2)
MODEL = export_onnx(TRAINED, ENCODING)


def session(model: bytes, threads: int = 1) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def vectors(opened: onnxruntime.InferenceSession, inputs: dict[str, np.ndarray]) -> np.ndarray:
    return opened.run(["embedding"], inputs)[0]


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("rows", [1, 2, 3, 7, 8, 33, 1000])
def test_a_row_has_one_vector(rows: int, threads: int) -> None:
    """Alone or in a batch of any size, on one thread or two, a row's vector is the same, bit for bit."""
    opened = session(MODEL, threads)
    whole = vectors(opened, INPUTS)
    for first in range(0, len(DATA), rows):
        block = {name: value[first : first + rows] for name, value in INPUTS.items()}
        assert vectors(opened, block).tobytes() == whole[first : first + rows].tobytes()


def test_a_record_has_its_rows_vector() -> None:
    """Encoding and graph together: one record gives the bits of its row."""
    opened = session(MODEL)
    whole = vectors(opened, INPUTS)
    for place, record in enumerate(records(DATA)):
        assert vectors(opened, ENCODING.record(record)).tobytes() == whole[place : place + 1].tobytes()


@pytest.mark.parametrize("slot", SLOTS, ids=lambda slot: slot.name)
def test_each_kind_alone_is_exported(slot: Slot) -> None:
    """A graph of one field of any kind agrees with its network, and is the same alone and in a batch."""
    data = DATA.select([slot.name])
    spec = Spec.from_mapping({"width": 4, "hidden": [8], "epochs": 1}, [slot])
    encoding = fit_encoding(spec, data)
    inputs = encoding.batch(batch(data))
    result = train(spec, encoding, *parts(inputs, {"bad": labels(DATA)}, 800), device="cpu")
    model = export_onnx(result, encoding)
    assert check_parity(model, result, inputs) <= ALLOWED
    opened = session(model)
    whole = vectors(opened, inputs)
    alone = [
        vectors(opened, {name: value[row : row + 1] for name, value in inputs.items()})
        for row in range(1_000)
    ]
    assert np.concatenate(alone).tobytes() == whole.tobytes()


def test_the_graph_is_the_network() -> None:
    """On real rows the vectors differ by no more than is allowed."""
    assert check_parity(MODEL, TRAINED, INPUTS) <= ALLOWED


def test_extreme_inputs_give_finite_vectors() -> None:
    """Infinities and the largest numbers reach the graph clipped: the vectors are finite."""
    rows = [
        {"amount": amount, "age": age, "country": "??", "known": None, "memo": "\0", "moment": moment}
        for amount, age, moment in [
            (float("inf"), 2**63 - 1, 2**63 - 1),
            (-1e308, -(2**63), -(2**63)),
            (None,) * 3,
        ]
    ]
    inputs = [ENCODING.record(row) for row in rows]
    joined = {name: np.concatenate([one[name] for one in inputs]) for name in inputs[0]}
    assert np.isfinite(vectors(session(MODEL), joined)).all()
    assert check_parity(MODEL, TRAINED, joined) <= ALLOWED


def test_the_interface_is_fixed() -> None:
    """Inputs as the encoding gives them, any number of rows, one output."""
    graph = onnx.load_model_from_string(MODEL).graph
    assert {value.name: list(INPUTS[value.name].shape[1:]) for value in graph.input} == {
        value.name: [value.type.tensor_type.shape.dim[1].dim_value] for value in graph.input
    }
    assert [value.type.tensor_type.shape.dim[0].dim_param for value in graph.input] == ["n"] * 3
    assert [value.name for value in graph.output] == ["embedding"]
    assert all(node.domain == "" for node in graph.node)


def test_the_bytes_depend_on_nothing_else() -> None:
    """Exporting twice gives the same bytes."""
    assert export_onnx(TRAINED, ENCODING) == MODEL


def test_another_network_is_refused() -> None:
    """A graph whose vectors are not the network's is refused with the difference."""
    other, _, _ = trained(DATA, width=64, hidden=[128, 128], epochs=1, seed=8)
    with pytest.raises(ParityError, match=r"allowed is 0\.0001") as raised:
        check_parity(MODEL, other, INPUTS)
    assert raised.value.difference > ALLOWED


def test_a_graph_of_nan_is_refused() -> None:
    """A difference that is not a number is too large."""
    result, encoding, inputs = trained(table(40), epochs=1)
    with torch.no_grad():
        result.network.layers[0].bias[0] = float("nan")
    with pytest.raises(ParityError):
        check_parity(export_onnx(result, encoding), result, inputs)
