"""A graph in which a row's score depends on its batch is found out, and which columns do."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper

from engine.training.batches import unsteady_columns
from engine.training.export import passthrough

ROWS = np.random.default_rng(0).normal(size=(1_200, 3)).astype(np.float32)


def graph(nodes: list[onnx.NodeProto], constants: dict[str, np.ndarray]) -> bytes:
    """A model from `given` (n, 3) to `scores` (n, 3)."""
    given, scores = (
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", 3]) for name in ("given", "scores")
    )
    held = [onnx.numpy_helper.from_array(value, name) for name, value in constants.items()]
    whole = helper.make_graph(nodes, "g", [given], [scores], held)
    model = helper.make_model(whole, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    return model.SerializeToString()


def test_a_graph_of_rows_is_steady() -> None:
    """Nothing differs, and single rows need no company."""
    assert unsteady_columns(passthrough(3), {"given": ROWS}, "embedding") == (set(), False)


def test_a_column_that_looks_at_other_rows_is_named() -> None:
    """The last column has the batch's mean added."""
    nodes = [
        helper.make_node("ReduceMean", ["given", "axis"], ["mean"]),
        helper.make_node("Mul", ["mean", "last"], ["part"]),
        helper.make_node("Add", ["given", "part"], ["scores"]),
    ]
    constants = {"axis": np.array([0]), "last": np.array([0, 0, 1], np.float32)}
    assert unsteady_columns(graph(nodes, constants), {"given": ROWS}) == ({2}, False)


def test_a_graph_that_differs_for_single_rows_alone_asks_for_a_pair() -> None:
    """1e-7 added where the batch has one row: every batch of two and more agrees."""
    nodes = [
        helper.make_node("Shape", ["given"], ["rows"], start=0, end=1),
        helper.make_node("Equal", ["rows", "one"], ["single"]),
        helper.make_node("Cast", ["single"], ["extra"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["extra", "bit"], ["little"]),
        helper.make_node("Add", ["given", "little"], ["scores"]),
    ]
    constants = {"one": np.array([1]), "bit": np.array([1e-3], np.float32)}
    assert unsteady_columns(graph(nodes, constants), {"given": ROWS}) == (set(), True)
