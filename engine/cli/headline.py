"""The figures of an evaluation that one line has room for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def headline(evaluation: Mapping[str, Any]) -> dict[str, float]:
    """Give value per row, precision and recall of the whole, and the AUC of each classifier that has one."""
    whole = evaluation.get("ways", {}).get("together") or {}
    value = (whole.get("value") or {}).get("per_row")
    figures = {"value/row": value, "precision": whole.get("precision"), "recall": whole.get("recall")}
    for name, judged in evaluation.get("classifiers", {}).items():
        figures[f"AUC {name}"] = judged.get("auc")
    return {name: float(figure) for name, figure in figures.items() if figure is not None}
