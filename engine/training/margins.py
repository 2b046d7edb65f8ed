"""Where `fuse` puts the margins of each head: what stands in the graph just before it is squashed."""

from __future__ import annotations

from collections.abc import Sequence

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
