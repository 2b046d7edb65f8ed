"""What a sweep says, as frozen records: what to vary, how to race, and what may be spent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rules.errors import CheckFailed, nearest
from rules.reader import Document

MEASURES = ("log_loss", "auc", "value_per_row")

Place = tuple[str | int, ...]


@dataclass(frozen=True)
class Axis:
    """One key and the values it takes, each with its place in the file."""

    key: str
    path: Place
    values: tuple[tuple[Any, Place], ...]


@dataclass(frozen=True)
class Named:
    """One variant that is given whole: what it sets, by key, each with its place."""

    name: str
    changes: Mapping[str, tuple[Any, Place]]


@dataclass(frozen=True)
class Race:
    """How weak variants are dropped: the risk of dropping the best, and the steps."""

    risk: float = 0.05
    rungs: int = 4
    tolerance: float | None = None


@dataclass(frozen=True)
class Budget:
    """The most that may be spent: full evaluations, and minutes of fitting; None is no bound."""

    evaluations: float | None = None
    minutes: float | None = None


@dataclass(frozen=True)
class Sweep:
    """Everything a sweep says. `label` is whose log-loss or AUC counts, None that of all labels equally."""

    name: str
    project: Path
    measure: str
    label: str | None
    axes: tuple[Axis, ...]
    named: tuple[Named, ...]
    draw: tuple[int, int] | None
    seeds: tuple[int, ...]
    race: Race | None
    budget: Budget
    document: Document = field(repr=False)


def unknown_label(sweep: Sweep, labels: Mapping[str, Any]) -> CheckFailed:
    """Say that the sweep's label is none of the project's."""
    message = f"unknown label '{sweep.label}'"
    return CheckFailed([sweep.document.problem(("label",), message, nearest(str(sweep.label), labels))])
