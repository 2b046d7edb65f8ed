"""An ensemble as an ONNX graph: what it would take to serve the teacher, with the tower's own nodes."""

from __future__ import annotations

import numpy as np

from embeddings.encode import Encoding
from embeddings.ensemble import Ensemble
from embeddings.first_layer import add_first_layer
from embeddings.graph import Graph


def teacher_graph(teacher: Ensemble, encoding: Encoding) -> bytes:
    """An ensemble of one label as a graph → `embedding` `(n, classes)`, the members' mean probabilities.

    It has the tower's own nodes for the fields. The scales of members that share a layer's weights are put
    into weights of each one's own, which the processor takes faster.
    """
    weights = {name: value.detach().numpy() for name, value in teacher.state_dict().items()}
    graph = Graph()

    def linear(given: str, weight: np.ndarray, bias: np.ndarray, name: str) -> str:
        held = [graph.constant(weight, f"{name}.weight"), graph.constant(bias, f"{name}.bias")]
        return graph.add("Gemm", [given, *held], name)

    shared = add_first_layer(graph, encoding, weights, teacher.fields, "first", "first")
    members = []
    for member in range(len(weights["signs"])):
        name = f"member{member}"
        turned = graph.add(
            "Mul", [shared, graph.constant(weights["signs"][member], f"{name}.signs")], f"{name}.turned"
        )
        state = graph.add("Relu", [turned], f"{name}.active")
        for place in range(len(teacher.layers)):
            before, after, bias = (
                weights[f"layers.{place}.{what}"][member] for what in ("before", "after", "bias")
            )
            own = before[:, None] * weights[f"layers.{place}.linear.weight"].T * after
            state = graph.add(
                "Relu", [linear(state, own, bias, f"{name}.layer{place}")], f"{name}.active{place}"
            )
        head = [weights[f"heads.0.{what}"][member] for what in ("weight", "bias")]
        logits = linear(state, *head, f"{name}.logits")
        members.append(graph.add("Softmax", [logits], f"{name}.said", axis=1))
    graph.add("Mean", members, "embedding")
    return graph.written("embedding", weights["heads.0.bias"].shape[1])
