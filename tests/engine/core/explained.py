"""The tiny bundle with reference rows, and Shapley values worked out the long way to hold others against."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cache
from itertools import permutations
from math import factorial
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from embeddings import Encoding
from engine.bundle import Bundle
from engine.contributions import Explainer
from engine.margins import Margins
from engine.model import open_session
from engine.onnx_part import part_of
from engine.references import REFERENCES, References
from engine.runtime import Runtime
from tests.engine.core.tiny import bundle, encoding, normal_table

FOUR = Encoding.from_json(
    {
        "format": 1,
        "numbers": [{"name": name, "mean": 0.0, "inverse_scale": 1.0, "edges": []} for name in "abcd"],
        "timestamps": [],
        "categories": [],
        "texts": [],
    }
)
"""Four numbers, which are the inputs as they are."""


def references(count: int = 6, seed: int = 3) -> References:
    """Rows of the tiny table, with drawn orders."""
    (batch,) = normal_table(count, seed).combine_chunks().to_batches()
    draw = np.random.default_rng(seed)
    orders = np.stack([draw.permutation(len(encoding().names)) for _ in range(count)])
    return References(encoding().batch(batch), orders)


@cache
def explained_bundle(**more: bytes) -> Bundle:
    return bundle(**{REFERENCES: json.dumps(references().to_json()).encode(), **more})


@cache
def explained_runtime() -> Runtime:
    return Runtime.open(explained_bundle())


def in_all_orders(rows: Sequence[Sequence[float]], fields: int) -> References:
    """Each reference row once for every order of the fields: walks along them are no sample."""
    orders = np.array(list(permutations(range(fields))))
    held = np.repeat(np.array(rows, np.float32), len(orders), axis=0)
    return References({"numeric": held}, np.tile(orders, (len(rows), 1)))


def explainer(
    graph: bytes, held: References, encoded: Encoding = FOUR, sums: Sequence[str] = ()
) -> Explainer:
    """Explain a graph of one score whose margin is the tensor `margin`."""
    stated = {"scores": ["s"], "margins": {"tensor": "margin", "first": 0, "scale": "log-odds"}}
    return Explainer(encoded, graph, ["s"], Margins.of([stated], ["s"]), held, sums)


def tangled(seed: int = 0, *, without: int | None = None) -> bytes:
    """A network of two layers over four numbers, a missing one 0; it does not read the one `without`."""
    draw = np.random.default_rng(seed)
    first, second = draw.normal(size=(4, 16)), draw.normal(size=(16, 1))
    if without is not None:
        first[without] = 0
    nodes = [
        ("IsNaN", ["numeric"], "missing"),
        ("Where", ["missing", "zero", "numeric"], "known"),
        ("MatMul", ["known", "first"], "hidden"),
        ("Relu", ["hidden"], "active"),
        ("MatMul", ["active", "second"], "margin"),
        ("Sigmoid", ["margin"], "scores"),
    ]
    return _graph(nodes, {"zero": np.zeros(()), "first": first, "second": second})


def beside(seed: int = 0, *, linear: bool = False) -> bytes:
    """The same network with a · b beside it, which reads the inputs past `hidden`; or all four added up."""
    draw = np.random.default_rng(seed)
    held = {"zero": np.zeros(()), "first": draw.normal(size=(4, 16)), "second": draw.normal(size=(16, 1))}
    held |= {"ones": np.ones((4, 1)), "a": np.eye(4)[:, :1], "b": np.eye(4)[:, 1:2]}
    known = [("IsNaN", ["numeric"], "missing"), ("Where", ["missing", "zero", "numeric"], "known")]
    squash = ("Sigmoid", ["margin"], "scores")
    if linear:
        return _graph([*known, ("MatMul", ["known", "ones"], "margin"), squash], held)
    nodes = [
        *known,
        ("MatMul", ["known", "first"], "hidden"),
        ("Relu", ["hidden"], "active"),
        ("MatMul", ["active", "second"], "deep"),
        ("MatMul", ["known", "a"], "left"),
        ("MatMul", ["known", "b"], "right"),
        ("Mul", ["left", "right"], "both"),
        ("Add", ["deep", "both"], "margin"),
        squash,
    ]
    return _graph(nodes, held)


def products() -> bytes:
    """a · b + c · d: fields that act in pairs."""
    places = {"left": [[1, 0], [0, 0], [0, 1], [0, 0]], "right": [[0, 0], [1, 0], [0, 0], [0, 1]]}
    nodes = [
        ("MatMul", ["numeric", "left"], "ac"),
        ("MatMul", ["numeric", "right"], "bd"),
        ("Mul", ["ac", "bd"], "both"),
        ("MatMul", ["both", "ones"], "margin"),
        ("Sigmoid", ["margin"], "scores"),
    ]
    return _graph(nodes, {**{name: np.array(at) for name, at in places.items()}, "ones": np.ones((2, 1))})


def exactly(graph: bytes, record: Sequence[float], rows: Sequence[Sequence[float]]) -> list[float]:
    """Shapley values by their definition: Σ over sets S without i of |S|! (n − |S| − 1)! / n! · gain."""
    session = open_session(part_of(graph, ["margin"])[0])
    n = len(record)

    def worth(taken: int) -> float:
        mixed = [[record[i] if taken >> i & 1 else row[i] for i in range(n)] for row in rows]
        margins = session.run(["margin"], {"numeric": np.array(mixed, np.float32)})[0]
        return float(margins.astype(np.float64).mean())

    values = [0.0] * n
    for i in range(n):
        for taken in range(2**n):
            if not taken >> i & 1:
                size = taken.bit_count()
                share = factorial(size) * factorial(n - size - 1) / factorial(n)
                values[i] += share * (worth(taken | 1 << i) - worth(taken))
    return values


def _graph(nodes: Sequence[tuple[str, list[str], str]], held: Mapping[str, Any]) -> bytes:
    made = helper.make_graph(
        [helper.make_node(operation, given, [output]) for operation, given, output in nodes],
        "drawn",
        [helper.make_tensor_value_info("numeric", TensorProto.FLOAT, ["n", 4])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["n", 1])],
        [numpy_helper.from_array(value.astype(np.float32), name) for name, value in held.items()],
    )
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())
