"""What a benchmark reports: figures with a peer, a target and whether it was met; as a table or as JSON."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

_OPERATORS = {">=": float.__ge__, "<=": float.__le__, "==": float.__eq__}
_LIBRARIES = (
    "onnxruntime",
    "numpy",
    "pyarrow",
    "cel-expr-python",
    "torch",
    "scikit-learn",
    "zen-engine",
    "rule-engine",
    "polars",
    "shap",
)


@dataclass(frozen=True)
class Figure:
    """One measured value; `ratio` is value against peer, in the direction that `ratio_is` states.

    `target` is text: ">= 0.92" is about the value, "ratio <= 3" about the ratio, "" means none was set.
    """

    name: str
    value: float
    unit: str
    peer: str | None = None
    peer_value: float | None = None
    ratio: float | None = None
    target: str = ""
    met: bool | None = None
    ratio_is: str | None = None  # value/peer, or peer/value where more is quicker


@dataclass(frozen=True)
class Report:
    """All figures of one benchmark run on one machine; those of a `quick` run are a look, none to quote."""

    name: str
    machine: dict[str, str]
    figures: tuple[Figure, ...]
    quick: bool = False


def figure(name: str, value: float, unit: str, *, target: str = "") -> Figure:
    """A figure judged by its own value.

    >>> figure("auc", 0.93, "", target=">= 0.92").met
    True
    """
    return Figure(name, value, unit, target=target, met=_met(target, value))


def against(
    name: str,
    value: float,
    unit: str,
    peer: str,
    peer_value: float,
    *,
    target: str = "",
    faster: bool = False,
) -> Figure:
    """A figure judged by value ÷ peer, or by peer ÷ value where `faster` asks how many times faster it is.

    >>> against("decide p50", 10.0, "us", "floor", 5.0, target="ratio <= 3").met
    True
    """
    ratio = peer_value / value if faster else value / peer_value
    met = _met(target.removeprefix("ratio "), ratio)
    ratio_is = "peer/value" if faster else "value/peer"
    return Figure(name, value, unit, peer, peer_value, ratio, target, met, ratio_is)


def as_json(report: Report) -> str:
    """One object: name, machine, figures, and whether the run was quick."""
    return json.dumps(asdict(report), ensure_ascii=False)


def as_table(report: Report) -> str:
    """The same for people: one line a figure."""
    heads = ("figure", "value", "against", "its value", "ratio", "target", "met")
    rows = [heads, *(_row(figure) for figure in report.figures)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(heads))]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    ]
    lines.insert(1, "  ".join("-" * width for width in widths))
    machine = ", ".join(
        f"{key} {value}" if key[0].islower() else value for key, value in report.machine.items()
    )
    return "\n".join([f"{report.name}{' --quick' if report.quick else ''}  ({machine})", *lines])


def machine() -> dict[str, str]:
    """The machine and the versions that the figures belong to."""
    found = {"cpu": _processor(), "cores": str(len(os.sched_getaffinity(0))), "memory": _memory()}
    found |= {"system": platform.system(), "python": platform.python_version()}
    for library in _LIBRARIES:
        try:
            found[library] = version(library)
        except PackageNotFoundError:
            continue
    return found


def _row(figure: Figure) -> Sequence[str]:
    met = "" if figure.met is None else "yes" if figure.met else "NO"
    return (
        figure.name,
        f"{_short(figure.value)} {figure.unit}".strip(),
        figure.peer or "",
        "" if figure.peer_value is None else f"{_short(figure.peer_value)} {figure.unit}".strip(),
        "" if figure.ratio is None else f"{_short(figure.ratio)} {figure.ratio_is or ''}".rstrip(),
        figure.target,
        met,
    )


def _short(value: float) -> str:
    if value == int(value) and abs(value) < 1e15:
        return f"{int(value):,}"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def _met(target: str, value: float) -> bool | None:
    if not target:
        return None
    operator, bound = target.split()[:2]
    return _OPERATORS[operator](float(value), float(bound))


def _processor() -> str:
    for line in _lines(Path("/proc/cpuinfo")):
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _memory() -> str:
    for line in _lines(Path("/proc/meminfo")):
        if line.startswith("MemTotal"):
            return f"{int(line.split()[1]) / 2**20:.0f} GiB"
    return "unknown"


def _lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []
