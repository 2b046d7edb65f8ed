"""scikit-learn's histogram gradient boosting as one node of a graph: rows → margins, before any squash.

skl2onnx writes truth values where onnx, from 1.18 on, wants whole numbers, and so converts none of them.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper

OPERATION = "TreeEnsembleRegressor"


def boosted_graph(model: Any, columns: int, opset: int, ml_opset: int) -> onnx.ModelProto:
    """Write a fitted HistGradientBoostingClassifier: float32 `(n, columns)` → `margins` `(n, k)` float32."""
    nodes: dict[str, list[Any]] = {name: [] for name in _NODE_KEYS}
    leaves: dict[str, list[Any]] = {name: [] for name in _LEAF_KEYS}
    tree = 0
    for iteration in model._predictors:  # noqa: SLF001 — the trees are nowhere else
        for target, predictor in enumerate(iteration):
            _add_tree(nodes, leaves, predictor.nodes, tree, target)
            tree += 1
    base = np.ravel(model._baseline_prediction)  # noqa: SLF001 — nor is what they are added to
    node = helper.make_node(
        OPERATION,
        ["view"],
        ["margins"],
        domain="ai.onnx.ml",
        n_targets=len(base),
        base_values=[float(value) for value in base],
        aggregate_function="SUM",
        post_transform="NONE",
        **nodes,
        **leaves,
    )
    given = helper.make_tensor_value_info("view", TensorProto.FLOAT, ["n", columns])
    made = helper.make_tensor_value_info("margins", TensorProto.FLOAT, ["n", len(base)])
    graph = helper.make_graph([node], "boosted", [given], [made])
    opsets = [helper.make_opsetid("", opset), helper.make_opsetid("ai.onnx.ml", ml_opset)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=9)


_NODE_KEYS = ("nodes_treeids", "nodes_nodeids", "nodes_modes", "nodes_featureids", "nodes_values",
              "nodes_truenodeids", "nodes_falsenodeids")  # fmt: skip
_LEAF_KEYS = ("target_treeids", "target_nodeids", "target_ids", "target_weights")


def _add_tree(
    nodes: dict[str, list[Any]], leaves: dict[str, list[Any]], table: np.ndarray, tree: int, target: int
) -> None:
    for place, row in enumerate(table):
        leaf = bool(row["is_leaf"])
        if leaf:
            _append(leaves, tree, place, target, float(row["value"]))
        threshold = 0.0 if leaf else _rounded_down(float(row["num_threshold"]))
        ways = (0, 0) if leaf else (int(row["left"]), int(row["right"]))
        mode = "LEAF" if leaf else "BRANCH_LEQ"
        _append(nodes, tree, place, mode, 0 if leaf else int(row["feature_idx"]), threshold, *ways)


def _append(table: dict[str, list[Any]], *values: Any) -> None:
    for column, value in zip(table.values(), values, strict=True):
        column.append(value)


def _rounded_down(threshold: float) -> float:
    """The largest float32 that is no larger: a float32 is at most the one just if it is at most the other."""
    near = np.float32(threshold)
    return float(near if near <= threshold else np.nextafter(near, np.float32(-np.inf)))
