"""The rejects file: each row that could not be decided, with its number, every reason and the row itself."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from engine.errors import FieldProblem
from engine.files import beside_of, whole
from engine.jsonlines import line_of

SUFFIX = ".rejects.jsonl"


class Rejects:
    """Rejected rows, one line of JSON each; the file is opened with the first."""

    def __init__(self, beside: Path) -> None:
        self._beside = beside
        self._file: IO[bytes] | None = None
        self.rows = 0

    def add(self, row: int, problems: tuple[FieldProblem, ...], record: Any) -> None:
        """Write one row; `row` counts from 0 over the rows of the input."""
        if self._file is None:
            self._file = self._beside.open("wb")
        line = {"row": row, "problems": [problem.to_dict() for problem in problems], "record": record}
        self._file.write(line_of(line))
        self.rows += 1

    def close(self) -> None:
        """Close the file, if it was ever opened."""
        if self._file is not None:
            self._file.close()


@contextmanager
def rejects_beside(target: Path) -> Iterator[Rejects]:
    """Gather rejects beside `TARGET.rejects.jsonl`; they become it when the block ends well."""
    path = target.with_name(target.name + SUFFIX)
    beside = beside_of(path)
    rejects = Rejects(beside)
    try:
        yield rejects
        rejects.close()
        if rejects.rows:
            with whole(path) as place:
                beside.replace(place)
        else:
            path.unlink(missing_ok=True)
    finally:
        with suppress(OSError):
            rejects.close()
        beside.unlink(missing_ok=True)
