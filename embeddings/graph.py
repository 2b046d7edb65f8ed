"""An embedding's ONNX graph, gathered node by node, is written as bytes that depend on nothing else."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

OPSET, ML_OPSET = 18, 3
OPSETS = {"": OPSET, "ai.onnx.ml": ML_OPSET}
IR_VERSION = 9


@dataclass
class Graph:
    """Inputs, nodes and constants as they are added; a prefix on all names lets graphs be joined."""

    inputs: list[onnx.ValueInfoProto] = field(default_factory=list)
    nodes: list[onnx.NodeProto] = field(default_factory=list)
    constants: list[onnx.TensorProto] = field(default_factory=list)

    def input(self, name: str, kind: int, columns: int) -> str:
        self.inputs.append(helper.make_tensor_value_info(name, kind, ["n", columns]))
        return name

    def add(self, operation: str, inputs: Iterable[str], output: str, **attributes: object) -> str:
        output = output if output == "embedding" else f"embedding/{output}"
        self.nodes.append(helper.make_node(operation, list(inputs), [output], name=output, **attributes))
        return output

    def constant(self, value: np.ndarray, name: str) -> str:
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(value), f"embedding/{name}"))
        return f"embedding/{name}"

    def look_up(self, keys: str, known: np.ndarray, output: str) -> str:
        """The place of each key among `known` `(k,)` int64, from 1; 0 for any other: int64 → int64."""
        places = np.arange(1, len(known) + 1)
        output = f"embedding/{output}"
        # A dictionary in the graph; one without a key would be refused.
        attributes = {
            "keys_int64s": known.tolist() or [-1],
            "values_int64s": places.tolist() or [0],
            "default_int64": 0,
        }
        node = helper.make_node(
            "LabelEncoder", [keys], [output], name=output, domain="ai.onnx.ml", **attributes
        )
        self.nodes.append(node)
        return output

    def written(self, output: str, width: int) -> bytes:
        """The whole as bytes, with one output `(n, width)` float32."""
        given = helper.make_tensor_value_info(output, TensorProto.FLOAT, ["n", width])
        whole = helper.make_graph(self.nodes, "embedding", self.inputs, [given], self.constants)
        used = {node.domain for node in self.nodes}
        opsets = [helper.make_opsetid(name, version) for name, version in OPSETS.items() if name in used]
        model = helper.make_model(whole, opset_imports=opsets, ir_version=IR_VERSION)
        model.producer_name = "tandem"
        onnx.checker.check_model(model, full_check=True)
        written: bytes = model.SerializeToString(deterministic=True)
        return written
