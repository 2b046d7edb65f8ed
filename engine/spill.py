"""More rows than memory should hold: blocks in, one table out, which lies in files that are mapped.

A table of few rows stays in memory. A larger one is written column by column as its blocks come, each column
one piece, and read like any other: slices of it copy nothing, and the system takes the memory of its pages
back whenever it needs it. The files have no name any more once they are mapped: nothing is left of them when
the table goes, or the process.
"""

from __future__ import annotations

import mmap
import shutil
import tempfile
import time
import weakref
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from itertools import chain
from pathlib import Path

import pyarrow as pa

from engine.errors import InputError, OutputError
from engine.spill_columns import Column, Kept, column_of

SPILL = Path(".tandem") / "spill"
"""Where a project keeps the files of its large tables."""
MOST_BYTES = 256 * 2**20  # of one table in memory
BLOCK_ROWS = 65_536
ABANDONED_S = 3_600
_MAPS: weakref.WeakSet[mmap.mmap] = weakref.WeakSet()


def gathered(blocks: Iterable[pa.RecordBatch], folder: Path, most: int | None = None) -> pa.Table:
    """Put blocks together; beyond `most` bytes they lie in files, for which `folder` has the room.

    Blocks that disagree on a column's type get the type that holds both. There must be one block at least.
    Raises InputError where there is no such type, OutputError where there is no room.
    """
    most = MOST_BYTES if most is None else most
    held: list[pa.RecordBatch] = []
    size = 0
    coming = iter(blocks)
    for block in coming:
        held.append(block)
        size += block.nbytes
        if size > most:
            return _spilled(chain(_given_away(held), coming), folder)
    return _together([pa.Table.from_batches([block]) for block in held]).combine_chunks()


def blocks_of(table: pa.Table) -> Iterator[pa.RecordBatch]:
    """Give a table's rows in blocks; the memory of those before goes back to the system."""
    for block in table.to_batches(max_chunksize=BLOCK_ROWS):
        yield block
        let_go()


def let_go() -> None:
    """Let the system have back the memory of all mapped pages: they are read again when asked for."""
    for mapped in list(_MAPS):
        if hasattr(mapped, "madvise"):
            mapped.madvise(mmap.MADV_DONTNEED)


def _given_away(held: list[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    while held:
        yield held.pop(0)


def _spilled(blocks: Iterable[pa.RecordBatch], folder: Path) -> pa.Table:
    with _emptied(folder) as place:
        files: _Files | None = None
        for number, block in enumerate(blocks):
            if files is None:
                files = _Files(block.schema, place / "0")
            elif not block.schema.equals(files.schema):
                schema = _both(files.schema, block.schema)
                if not schema.equals(files.schema):
                    files = files.rewritten(schema, place / str(number))
                block = _cast(block, schema)
            files.add(block)
        assert files is not None  # noqa: S101 — one block at least has come
        return files.table()


class _Files:
    """The columns of one table being written; where a text column is full, all go on in further files."""

    def __init__(self, schema: pa.Schema, place: Path) -> None:
        self.schema, self._place = schema, place
        self._done: list[pa.RecordBatch] = []
        self._columns = self._fresh()

    def add(self, block: pa.RecordBatch) -> None:
        """Write the rows of a block."""
        while block.num_rows:
            pairs = list(zip(self._columns, block.columns, strict=True))
            fit = min((column.fits(given) for column, given in pairs), default=block.num_rows)
            for column, given in pairs:
                column.add(given.slice(0, fit))
            block = block.slice(fit)
            if block.num_rows:
                self._end()

    def table(self) -> pa.Table:
        """What was written, mapped."""
        self._end()
        return pa.Table.from_batches(self._done, self.schema)

    def rewritten(self, schema: pa.Schema, place: Path) -> _Files:
        """The same rows with columns of other types."""
        others = _Files(schema, place)
        for block in blocks_of(self.table()):
            others.add(_cast(block, schema))
        return others

    def _end(self) -> None:
        arrays = [column.mapped(_mapped) for column in self._columns]
        self._done.append(pa.RecordBatch.from_arrays(arrays, schema=self.schema))
        shutil.rmtree(self._place / str(len(self._done) - 1), ignore_errors=True)
        self._columns = self._fresh()

    def _fresh(self) -> list[Column | Kept]:
        place = self._place / str(len(self._done))
        place.mkdir(parents=True)
        return [column_of(field.type, place / str(at)) for at, field in enumerate(self.schema)]


def _mapped(path: Path) -> pa.Buffer:
    with path.open("rb") as file:
        opened = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    _MAPS.add(opened)
    return pa.py_buffer(opened)


@contextmanager
def _emptied(folder: Path) -> Iterator[Path]:
    """Give a fresh folder for files, and remove it and what a process that was killed has left."""
    place = folder
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _sweep(folder)
        place = Path(tempfile.mkdtemp(prefix="rows-", dir=folder))
        yield place
    except OSError as error:
        reason = error.strerror or str(error) or type(error).__name__
        raise OutputError(
            f"{folder}: the table is larger than {MOST_BYTES >> 20} MiB, and its rows cannot be kept there "
            f"while they are read: {reason}; make room for about the size of the table without compression"
        ) from error
    finally:
        if place != folder:
            shutil.rmtree(place, ignore_errors=True)


def _sweep(folder: Path) -> None:
    for left in folder.glob("rows-*"):
        with suppress(OSError):
            newest = max(path.stat().st_mtime for path in (left, *left.rglob("*")))
            if time.time() - newest > ABANDONED_S:
                shutil.rmtree(left, ignore_errors=True)


def _together(tables: list[pa.Table]) -> pa.Table:
    try:
        return pa.concat_tables(tables)
    except pa.ArrowInvalid:  # JSON Lines whose blocks disagree on a type
        with _agreeing():
            return pa.concat_tables(tables, promote_options="permissive")


def _both(ours: pa.Schema, theirs: pa.Schema) -> pa.Schema:
    with _agreeing():
        return pa.unify_schemas([ours, theirs], promote_options="permissive")


def _cast(block: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    with _agreeing():
        tables = [schema.empty_table(), pa.Table.from_batches([block])]
        return pa.concat_tables(tables, promote_options="permissive").combine_chunks().to_batches()[0]


@contextmanager
def _agreeing() -> Iterator[None]:
    try:
        yield
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        told = str(error).splitlines()[0]
        raise InputError(
            f"rows of the table disagree on a column: {told}; give it values of one kind"
        ) from None
