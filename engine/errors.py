"""What can go wrong in the engine, and what each error carries.

TandemError (ValueError)
├── InputError         data, a path or an argument that cannot be used as given
│   ├── RecordError    one record: every problem of every field
│   └── RowsError      a table with rows that cannot be read: which rows, and every problem of each
├── OutputError        a result that cannot be written; nothing is left half-written
└── BundleError        a bundle that must not be used, with the part that is wrong

Rule and project files with mistakes raise `rules.errors.CheckFailed`, which carries file, line and column.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

GOT_SHOWN = 60
ROWS_SHOWN = 5


class TandemError(ValueError):
    """Anything that Tandem refuses, with a message for the person who can mend it."""


class InputError(TandemError):
    """Data, a path or an argument that cannot be used as given."""


class OutputError(TandemError):
    """A result that cannot be written."""


class BundleError(TandemError):
    """A bundle that must not be used; `part` names the part that is wrong, `""` the bundle as a whole."""

    def __init__(self, message: str, *, part: str = "", path: str = "") -> None:
        self.part, self.path = part, path
        place = ": ".join(place for place in (path, part) if place)
        super().__init__(f"{place}: {message}" if place else message)


@dataclass(frozen=True, slots=True, order=True)
class FieldProblem:
    """One thing wrong with one field of one record; `got` is the value as written in Python, cut short."""

    field: str
    message: str
    got: str = ""

    def __str__(self) -> str:
        place = f"{self.field}: " if self.field else ""  # a broken row is wrong as a whole
        return f"{place}{self.message}" + (f" (got {self.got})" if self.got else "")

    def to_dict(self) -> dict[str, str]:
        """Give the problem as plain data, for rejects files and for `--json`."""
        return {"field": self.field, "message": self.message, "got": self.got}


class RecordError(InputError):
    """A record that cannot be decided: every problem of every field, in the schema's order."""

    def __init__(self, problems: Iterable[FieldProblem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


class RowsError(InputError):
    """A table with rows that cannot be decided: `rows` pairs each row's number (from 0) with its problems."""

    def __init__(self, rows: Iterable[tuple[int, tuple[FieldProblem, ...]]]) -> None:
        self.rows = tuple(rows)
        lines = [f"row {row}: {'; '.join(map(str, problems))}" for row, problems in self.rows[:ROWS_SHOWN]]
        if len(self.rows) > ROWS_SHOWN:
            lines.append(f"… and {len(self.rows) - ROWS_SHOWN} more")
        count = f"{len(self.rows)} row{'s' if len(self.rows) > 1 else ''}"
        super().__init__("\n".join([f"{count} cannot be read; on_reject='keep' decides the rest:", *lines]))


def shown(value: Any) -> str:
    """Write a value for a message: as Python writes it, cut to one short line."""
    try:
        text = repr(value)
    except Exception:  # a value that cannot be written must not hide what is wrong with it
        text = f"<{type(value).__name__}>"
    return text if len(text) <= GOT_SHOWN else text[: GOT_SHOWN - 1] + "…"
