"""scikit-learn's support vector classifiers in double precision: rows → margins, before any squash.

onnxruntime's operator for them adds up in single precision. Over a thousand support vectors, and where the
calibration is steep, that was a probability off by 0.001.
"""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

KERNELS = ("linear", "rbf", "poly", "sigmoid")
MACHINES = ("sklearn.svm.SVC", "sklearn.svm.NuSVC")


def written_here(estimator: str, model: Any) -> bool:
    """Whether `kernel_graph` can write a fitted classifier: a kernel of theirs, and margins a class."""
    return estimator in MACHINES and (
        model.kernel in KERNELS
        and not hasattr(model, "predict_proba")
        and (len(model.classes_) == 2 or model.decision_function_shape == "ovr")
    )


def kernel_graph(model: Any, columns: int, opset: int) -> onnx.ModelProto:
    """Write a fitted SVC or NuSVC: float64 `(n, columns)` → `margins` float64, `(n, 1)` for two classes.

    For more, `(n, classes)`: the votes of every two classes' own machine, and how sure those were, less than
    a vote in all (scikit-learn's `decision_function_shape="ovr"`).
    """
    graph = _Nodes()
    dots = graph.add("MatMul", "view", graph.constant(np.asarray(model.support_vectors_, np.float64).T))
    kernel = _kernel(graph, model, dots, columns)
    weights, intercepts = _pairs(model)
    margins = graph.add(
        "Add", graph.add("MatMul", kernel, graph.constant(weights)), graph.constant(intercepts)
    )
    classes = len(model.classes_)
    if classes > 2:
        margins = _votes(graph, margins, classes)
    width = 1 if classes == 2 else classes
    given = helper.make_tensor_value_info("view", TensorProto.DOUBLE, ["n", columns])
    made = helper.make_tensor_value_info(margins, TensorProto.DOUBLE, ["n", width])
    whole = helper.make_graph(graph.nodes, "kernels", [given], [made], graph.constants)
    return helper.make_model(whole, opset_imports=[helper.make_opsetid("", opset)], ir_version=9)


class _Nodes:
    """A graph being written; every value is named by its place."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def constant(self, value: Any) -> str:
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(value, np.float64), name))
        return name

    def add(self, operator: str, *inputs: str, **attributes: Any) -> str:
        name = f"n{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, list(inputs), [name], name=name, **attributes))
        return name


def _kernel(graph: _Nodes, model: Any, dots: str, columns: int) -> str:
    """The kernel of each row with each support vector: `(n, vectors)`."""
    if model.kernel == "linear":
        return dots
    gamma = model._gamma  # noqa: SLF001 — "scale" and "auto" as they came out
    if model.kernel == "rbf":  # exp(−γ (|x|² + |v|² − 2 x·v))
        squares = graph.add("Mul", "view", "view")
        own = graph.add("MatMul", squares, graph.constant(np.ones((columns, 1))))
        theirs = (np.asarray(model.support_vectors_, np.float64) ** 2).sum(axis=1)
        apart = graph.add("Add", graph.add("Mul", dots, graph.constant(-2.0)), graph.constant(theirs))
        scaled = graph.add("Mul", graph.add("Add", apart, own), graph.constant(-gamma))
        return graph.add("Exp", scaled)
    inner = graph.add("Add", graph.add("Mul", dots, graph.constant(gamma)), graph.constant(model.coef0))
    if model.kernel == "sigmoid":
        return graph.add("Tanh", inner)
    return graph.add("Pow", inner, graph.constant(model.degree))


def _pairs(model: Any) -> tuple[np.ndarray, np.ndarray]:
    """Of every two classes i < j the weights of the vectors `(vectors, pairs)`, and the intercept."""
    coefficients = np.asarray(model.dual_coef_, np.float64)
    classes = len(model.classes_)
    if classes == 2:
        return coefficients.T, np.asarray(model.intercept_, np.float64)
    ends = np.concatenate([[0], np.cumsum(model.n_support_)])
    weights = np.zeros((ends[-1], classes * (classes - 1) // 2))
    for pair, (i, j) in enumerate(combinations(range(classes), 2)):
        mine, others = slice(ends[i], ends[i + 1]), slice(ends[j], ends[j + 1])
        weights[mine, pair] = coefficients[j - 1, mine]
        weights[others, pair] = coefficients[i, others]
    return weights, np.asarray(model.intercept_, np.float64)


def _votes(graph: _Nodes, margins: str, classes: int) -> str:
    """Margins of pairs, above 0 for the first → votes + s / (3 (|s| + 1)), s a class's sum of margins."""
    signs = np.zeros((classes * (classes - 1) // 2, classes))
    for pair, (i, j) in enumerate(combinations(range(classes), 2)):
        signs[pair, i], signs[pair, j] = 1.0, -1.0
    second = graph.add("Cast", graph.add("Less", margins, graph.constant(0.0)), to=TensorProto.DOUBLE)
    # A vote for the second moves one from i to j; with none of those every first has its pairs' votes.
    moved = graph.add("MatMul", second, graph.constant(-signs))
    votes = graph.add("Add", moved, graph.constant((signs > 0).sum(axis=0)))
    sums = graph.add("MatMul", margins, graph.constant(signs))
    least = graph.add("Add", graph.add("Abs", sums), graph.constant(1.0))
    share = graph.add("Div", sums, graph.add("Mul", least, graph.constant(3.0)))
    return graph.add("Add", votes, share)
