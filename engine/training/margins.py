"""Where `fuse` puts the margins of each head, what stands in the graph just before it is squashed; and which
of its tensors are sums of what the fields add.
"""

from __future__ import annotations

from collections.abc import Sequence

import onnx

from embeddings.export import SUMS
from engine.margins import LOG_ODDS, LOGITS, PROBABILITIES, Margin
from engine.training.fuse import Head


def margins_of(heads: Sequence[Head]) -> dict[str, Margin]:
    """Give the margins of each head of a fused graph, by name."""
    found: dict[str, Margin] = {}
    column = 0
    for head in heads:
        scale = LOG_ODDS if head.binary else LOGITS
        tensor, first = f"head.{head.name}.logits", 0
        if head.linear:
            tensor, first = "linear.sum", column
            column += head.scores
        elif head.exported.body is not None and head.calibration.steps:
            tensor, scale = f"head.{head.name}.steps.sum", PROBABILITIES
        elif head.exported.body is not None and head.binary:
            tensor = f"head.{head.name}.logits.sum"
        found[head.name] = Margin(tensor, first, head.scores, scale)
    return found


def sums_of(model: bytes, heads: Sequence[Head]) -> list[str]:
    """Give the tensors of a fused graph that are sums over its fields, before anything bends them."""
    made = {name for node in onnx.load_model_from_string(model).graph.node for name in node.output}
    linear = [f"head.{head.name}.logits" for head in heads if head.exported.raw is not None]
    return [name for name in (*[name for name in SUMS if name in made][:1], *linear) if name in made]
