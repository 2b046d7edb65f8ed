"""The rows of files, for the commands that learn from them, judge by them or look at one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.cli.console import complain
from engine.errors import InputError
from engine.spill import SPILL

if TYPE_CHECKING:
    import pyarrow as pa

    from engine.cli.console import Progress
    from engine.formats import Broken, Chunk
    from engine.project import Project

ROWS_A_BLOCK = 65_536


def table_batches(path: Path, progress: Progress | None = None) -> Iterator[pa.RecordBatch]:
    """Give a file's rows block by block; rows that are no rows of the format are left out, and it is said."""
    from engine.formats import open_source

    broken: list[Broken] = []
    rows, source = 0, open_source(path)
    for chunk in source.chunks(ROWS_A_BLOCK):
        broken += chunk.broken
        rows += len(chunk.rows) + len(chunk.broken)
        if progress is not None:
            progress(f"reading {path.name}: {rows:,} rows", rows / source.total if source.total else None)
        yield _batch(chunk)
    if broken:
        first = broken[0]
        problems = "; ".join(map(str, first.problems))
        said = f"{len(broken):,} row{' is' if len(broken) == 1 else 's are'} broken and left out"
        complain(f"note: {path}: {said}; row {first.row}: {problems}")


def read_table(path: Path, folder: Path | None = None, *, quiet: bool = False) -> pa.Table:
    """Read a whole file; a large one lies in files of `folder` then, by default where temporary files do."""
    import tempfile
    from itertools import chain

    from engine.cli.console import progress
    from engine.spill import gathered

    with progress(f"reading {path.name}", quiet=quiet) as tell:
        batches = (batch for batch in table_batches(path, tell) if batch.num_rows)
        first = next(batches, None)
        if first is None:
            raise InputError(f"{path}: no rows")
        return gathered(chain([first], batches), folder or Path(tempfile.gettempdir()))


def read_row(path: Path, row: int) -> dict[str, Any]:
    """Read one row of a file, as it is there; rows are counted from 0."""
    rows = 0
    for chunk in _chunks(path):
        for broken in chunk.broken:
            if broken.row == row:
                raise InputError(f"{path}: row {row}: {'; '.join(map(str, broken.problems))}")
        for place in (chunk.rows == row).nonzero()[0]:
            return chunk.record(int(place))
        rows += len(chunk.rows) + len(chunk.broken)
    raise InputError(f"{path}: no row {row}; it has {rows:,} rows, counted from 0")


def labelled_table(project: Project, path: Path | None, which: str, *, quiet: bool = False) -> pa.Table:
    """Read the labelled rows that project.yaml names under `data`."""
    file = project.root / "project.yaml"
    if path is None:
        raise InputError(f"{file}: names no data to fit on; add data: {{{which}: FILE}}")
    if not (project.root / path).exists():
        raise InputError(f"{project.root / path}: no such file ({file} names it as data.{which})")
    return read_table(project.root / path, project.root / SPILL, quiet=quiet)


def _chunks(path: Path) -> Iterator[Chunk]:
    from engine.formats import open_source

    return open_source(path).chunks(ROWS_A_BLOCK)


def _batch(chunk: Chunk) -> pa.RecordBatch:
    import pyarrow as pa

    from engine.formats import TableChunk

    if isinstance(chunk, TableChunk):
        return chunk.batch
    records = [chunk.record(place) for place in range(len(chunk.rows))]
    names = list(dict.fromkeys(name for record in records for name in record))
    return pa.RecordBatch.from_arrays(
        [_column([r.get(name) for r in records]) for name in names], names=names
    )


def _column(values: list[Any]) -> pa.Array:
    """JSON values as a column; where they are of several kinds, as text."""
    import pyarrow as pa

    try:
        return pa.array(values)
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        return pa.array([None if value is None else _text(value) for value in values])


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
