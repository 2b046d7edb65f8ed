"""Tandem: a decision is scores passed through rules, under one digest.

>>> import engine
>>> ours = engine.open("payments")                      # doctest: +SKIP
>>> ours.decide({"amount": 12.5, "country": "DE"})      # doctest: +SKIP
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from engine.bundle import Bundle, open_bundle, write_bundle, write_bundle_file
    from engine.decision import Decision
    from engine.errors import (
        BundleError,
        FieldProblem,
        InputError,
        OutputError,
        RecordError,
        RowsError,
        TandemError,
    )
    from engine.explanation import Explanation
    from engine.schema import Field, Schema
    from engine.serve import Engine
    from engine.serve import open_engine as open  # noqa: A004 - engine.open(path) is the first line one writes
    from engine.status import Status

# Where each name lives. A name is imported when it is first used, so that `tandem --help`, or a program that
# only reads bundles, does not wait for onnxruntime and Arrow.
_PLACES = {
    "Bundle": "bundle",
    "BundleError": "errors",
    "Decision": "decision",
    "Engine": "serve",
    "Explanation": "explanation",
    "Field": "schema",
    "FieldProblem": "errors",
    "InputError": "errors",
    "OutputError": "errors",
    "RecordError": "errors",
    "RowsError": "errors",
    "Schema": "schema",
    "Status": "status",
    "TandemError": "errors",
    "open": "serve",
    "open_bundle": "bundle",
    "write_bundle": "bundle",
    "write_bundle_file": "bundle",
}

__all__ = [
    "Bundle",
    "BundleError",
    "Decision",
    "Engine",
    "Explanation",
    "Field",
    "FieldProblem",
    "InputError",
    "OutputError",
    "RecordError",
    "RowsError",
    "Schema",
    "Status",
    "TandemError",
    "open",
    "open_bundle",
    "write_bundle",
    "write_bundle_file",
]


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module 'engine' has no attribute {name!r}")
    found = getattr(import_module(f"engine.{_PLACES[name]}"), "open_engine" if name == "open" else name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
