"""The files that commands read rows from."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from engine.errors import InputError

if TYPE_CHECKING:
    import pyarrow as pa

    from engine.project import Project


def table_batches(path: Path) -> Iterator[pa.RecordBatch]:
    """Give a file's rows block by block."""
    import pyarrow.parquet as pq

    yield from pq.ParquetFile(path).iter_batches()


def read_table(path: Path) -> pa.Table:
    """Read a whole file."""
    import pyarrow as pa

    batches = list(table_batches(path))
    if not batches:
        raise InputError(f"{path}: no rows")
    return pa.Table.from_batches(batches)


def labelled_table(project: Project, path: Path | None, which: str) -> pa.Table:
    """Read the labelled rows that project.yaml names under `data`."""
    if path is None:
        raise InputError(
            f"{project.root / 'project.yaml'}: no data to fit on; name a file: data: {{{which}: FILE}}"
        )
    place = project.root / path
    if not place.exists():
        raise InputError(f"{place}: no such file (project.yaml names it as data.{which})")
    return read_table(place)
