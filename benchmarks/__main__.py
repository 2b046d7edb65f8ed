"""`python -m benchmarks NAME [NAME…] [--json] [--quick]`: runs benchmarks by name, `all`, or lists them."""

from __future__ import annotations

import argparse
import ast
import sys
from importlib import import_module
from pathlib import Path

from benchmarks.figures import Report, as_json, as_table, machine
from benchmarks.setting import Unavailable

NAMES = (
    "adult",
    "startup",
    "decide",
    "reload",
    "score",
    "rules-scalar",
    "rules-columnar",
    "lists",
    "check",
    "quality",
    "fit",
    "distil",
    "tables",
    "calibration",
    "experiments",
    "explain",
)


def main(arguments: list[str] | None = None) -> int:
    """Run what is asked for; a missed target is printed as missed, and is no error."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"one of {', '.join(NAMES)}, or all")
    parser.add_argument("--json", action="store_true", help="print one JSON object a benchmark")
    parser.add_argument(
        "--quick", action="store_true", help="fewer rows and repeats: a look, no figure to quote"
    )
    given = parser.parse_args(arguments)
    names = NAMES if "all" in given.names else tuple(given.names)
    unknown = [name for name in names if name not in NAMES]
    if unknown:
        parser.error(f"unknown benchmark {', '.join(unknown)}; known: {', '.join(NAMES)}, all")
    if not names:
        for name in NAMES:
            print(f"{name:<14} {_about(name)}")
        return 0
    for name in names:
        try:
            figures = import_module(f"benchmarks.{_module(name)}").run(quick=given.quick)
        except Unavailable as reason:
            print(f"{name}: not run: {reason}", file=sys.stderr)
            continue
        except ModuleNotFoundError as missing:
            print(
                f"{name}: not run: {missing}; 'make bench' installs what the benchmarks need", file=sys.stderr
            )
            return 1
        report = Report(name, machine(), tuple(figures), given.quick)
        print(as_json(report) if given.json else as_table(report) + "\n", flush=True)
    return 0


def _module(name: str) -> str:
    return name.replace("-", "_")


def _about(name: str) -> str:
    """A benchmark's first sentence, read without importing what it needs."""
    text = Path(__file__).with_name(f"{_module(name)}.py").read_text(encoding="utf-8")
    return (ast.get_docstring(ast.parse(text)) or "").splitlines()[0]


if __name__ == "__main__":
    sys.exit(main())
