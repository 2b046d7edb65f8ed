"""A trained network becomes an ONNX graph of few, plain nodes, and is compared with it on real rows."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import onnxruntime
import torch

from embeddings.derived import with_derived
from embeddings.encode import Encoding
from embeddings.errors import ParityError
from embeddings.first_layer import add_first_layer
from embeddings.graph import Graph
from embeddings.train import Trained

ALLOWED = 1e-4
"""Largest difference between the graph's embedding and the network's."""

SUMS = ("embedding/alone", "embedding/layer0", "embedding")
"""What is a sum of what the fields add: the first of these that a graph has. What the first layer gives, in a
network of several layers and of one, or where pairs of fields add something to that, what it gives before.
"""
_ROWS_AT_ONCE = 8_192


def export_onnx(trained: Trained, encoding: Encoding) -> bytes:
    """Write the graph: inputs as `Encoding` gives them, with `n` rows, → `embedding` `(n, width)` float32.

    INVARIANT: only operations whose result for a row does not depend on the number of rows: gathers, plain
    two-dimensional products, elementwise operations. (A batched product over fields and a sum over an axis
    were both seen to differ in their last bits for one row alone.)

    INVARIANT: the bytes depend on nothing but the weights and the encoding.
    """
    weights = {name: value.detach().cpu().numpy() for name, value in trained.network.state_dict().items()}
    graph = Graph()
    layers = len(trained.network.layers)
    state = ""
    for place in range(layers):
        last = place == layers - 1
        output = "embedding" if last else f"layer{place}"
        if place == 0:
            state = add_first_layer(graph, encoding, weights, trained.network.fields, "layers.0", output)
        else:
            weight = graph.constant(weights[f"layers.{place}.weight"].T, f"weight{place}")
            bias = graph.constant(weights[f"layers.{place}.bias"], f"bias{place}")
            state = graph.add("Gemm", [state, weight, bias], output)
        if not last:
            state = graph.add("Relu", [state], f"active{place}")
    return graph.written("embedding", trained.network.layers[-1].out_features)


def check_parity(model: bytes, trained: Trained, inputs: Mapping[str, np.ndarray]) -> float:
    """Give the largest difference between the graph's embedding and the network's on these rows.

    Raises `ParityError` where it is above `ALLOWED`, or either is not finite.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    worst = 0.0
    for first in range(0, len(next(iter(inputs.values()))), _ROWS_AT_ONCE):
        block = {
            name: np.ascontiguousarray(value[first : first + _ROWS_AT_ONCE]) for name, value in inputs.items()
        }
        (exported,) = session.run(["embedding"], block)
        with torch.no_grad():
            seen = with_derived(block, trained.network.fields.derived)
            own = trained.network.embed({name: torch.tensor(value) for name, value in seen.items()}).numpy()
        # NaN on either side makes the maximum NaN, and fails the comparison below.
        worst = float(np.maximum(worst, np.abs(exported - own).max(initial=0)))
    if not worst <= ALLOWED:
        raise ParityError(worst, ALLOWED)
    return worst
