"""Score: a file in, a file of decisions out, block by block in bounded memory; whole or not at all."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, Protocol

import numpy as np
import pyarrow as pa

from engine.decided import Decided, decision_schema
from engine.errors import FieldProblem, InputError, OutputError
from engine.files import beside_of, unwritable, whole
from engine.formats import Chunk, RecordChunk, Source, format_of, open_source
from engine.jsonlines import JsonTarget, line_of
from engine.parallel import in_order
from engine.runtime import Runtime
from engine.tables import check_columns, decide_normal, id_column, kept_names
from engine.tabular import BLOCK_ROWS

REJECTS = ".rejects.jsonl"
Progress = Callable[[int, int | None], None]  # rows so far, rows in all where that is known


@dataclass(frozen=True)
class ScoreReport:
    """What a run did.

    `rows` were read, `decided` of them decided and `rejected` put into `rejects` with every reason.
    `outcomes` counts decisions by outcome, `rules` gives for each rule in how many rows it fired and decided.
    `absent` names nullable fields that the file has no column for.
    """

    rows: int
    decided: int
    rejected: int
    seconds: float
    outcomes: dict[str, int]
    rules: dict[str, dict[str, int]]
    absent: tuple[str, ...]
    rejects: Path | None

    def to_dict(self) -> dict[str, Any]:
        """Give the report as plain data."""
        plain = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return plain | {"absent": list(self.absent), "rejects": str(self.rejects) if self.rejects else None}


class Target(Protocol):
    """A file being written."""

    def write(self, batch: pa.RecordBatch) -> None: ...

    def close(self) -> None: ...

    def abandon(self) -> None: ...


def score_file(
    runtime: Runtime,
    source: Path,
    target: Path,
    *,
    keep: bool = False,
    force: bool = False,
    progress: Progress | None = None,
    now: datetime | None = None,
) -> ScoreReport:
    """Decide every row of `source` into `target`; formats go by the names (Parquet, CSV, JSON Lines).

    `keep` puts the source's own columns before the decisions; `force` replaces a target that exists. Rows
    that cannot be read go to `TARGET.rejects.jsonl`. Raises InputError or OutputError and leaves nothing.
    """
    source, target = Path(source), Path(target)
    started = time.monotonic()
    rejects = target.with_name(target.name + REJECTS)
    _check_target(source, target, rejects, force=force)
    opened = open_source(source, None if keep else _wanted(runtime))
    run = _Run(runtime, opened, keep=keep, plain_records=format_of(target)[0] == "jsonl")
    if opened.columns is not None:
        check_columns(runtime, opened.columns.names)
    moment = now or datetime.now(UTC)
    with whole(target) as beside, _rejects_file(rejects) as rejected, _closing(run, target, beside):
        blocks = in_order(lambda chunk: run.decide(chunk, moment), opened.chunks(BLOCK_ROWS))
        with closing(blocks):
            for scored in blocks:
                run.write(scored)
                for row, problems, record in scored.refused:
                    rejected.add(row, problems, record)
                if progress is not None:
                    progress(run.rows, opened.total)
    if not rejected.rows:
        rejects.unlink(missing_ok=True)
    return ScoreReport(
        rows=run.rows,
        decided=run.rows - rejected.rows,
        rejected=rejected.rows,
        seconds=time.monotonic() - started,
        outcomes=run.outcome_counts(),
        rules=run.rule_counts(),
        absent=run.absent(),
        rejects=rejects if rejected.rows else None,
    )


@dataclass(frozen=True, eq=False, slots=True)
class _Scored:
    """A chunk after deciding."""

    chunk: Chunk
    rows: np.ndarray
    decided: Decided
    columns: pa.RecordBatch
    refused: list[tuple[int, tuple[FieldProblem, ...], Any]]


class _Run:
    """What a run counts, and how its rows are laid out."""

    def __init__(self, runtime: Runtime, source: Source, *, keep: bool, plain_records: bool) -> None:
        self._runtime, self._source, self._keep, self._plain_records = runtime, source, keep, plain_records
        self._schema = decision_schema(runtime.model.scores, runtime.rules.adjusts)
        self._kept: dict[str, str] | None = None
        self._outcomes = np.zeros(len(runtime.outcomes), np.int64)
        self._fired = np.zeros(len(runtime.rules.rules), np.int64)
        self._decided = np.zeros(len(runtime.rules.rules), np.int64)
        self.target: Target | None = None
        self.open_target: Callable[[pa.Schema], Target] | None = None
        self.rows = 0

    def decide(self, chunk: Chunk, now: datetime) -> _Scored:
        """Read and decide one chunk. Called from several threads: nothing of the run is changed."""
        runtime = self._runtime
        normal = chunk.normal(runtime.schema)
        given = None if runtime.id_column is None else chunk.column(runtime.id_column)
        ids = pa.array(chunk.rows).cast(pa.string()) if given is None else id_column(given)
        decided, columns = decide_normal(runtime, normal, ids, self._schema, now)
        refused: list[tuple[int, tuple[FieldProblem, ...], Any]] = [
            (int(chunk.rows[place]), problems, chunk.record(place)) for place, problems in normal.rejects
        ]
        refused += [(broken.row, broken.problems, broken.text) for broken in chunk.broken]
        return _Scored(chunk, normal.rows, decided, columns, sorted(refused, key=lambda one: one[0]))

    def write(self, scored: _Scored) -> None:
        """Count a chunk and write its rows."""
        self.rows += len(scored.chunk.rows) + len(scored.chunk.broken)
        self._outcomes += np.bincount(scored.decided.outcome, minlength=len(self._outcomes))
        self._fired += scored.decided.fired_counts
        deciders = scored.decided.decided_by
        self._decided += np.bincount(deciders[deciders >= 0], minlength=len(self._decided))
        if self._keep and isinstance(scored.chunk, RecordChunk) and self._plain_records:
            self._write_records(scored, scored.chunk)
            return
        columns = self._with_own(scored) if self._keep else scored.columns
        self._target(columns.schema).write(columns)

    def finish(self) -> None:
        """Write what an empty file needs too: its columns."""
        self._target(self._empty_schema()).close()

    def outcome_counts(self) -> dict[str, int]:
        return dict(zip(self._runtime.outcomes, self._outcomes.tolist(), strict=True))

    def rule_counts(self) -> dict[str, dict[str, int]]:
        counts = zip(self._runtime.rules.rules, self._fired.tolist(), self._decided.tolist(), strict=True)
        return {rule: {"fired": fired, "decided": decided} for rule, fired, decided in counts}

    def absent(self) -> tuple[str, ...]:
        columns = self._source.columns
        fields = self._runtime.schema.fields
        return () if columns is None else tuple(f.name for f in fields if f.name not in columns.names)

    def _target(self, schema: pa.Schema) -> Target:
        if self.target is None:
            assert self.open_target is not None  # noqa: S101 - set before anything is written
            self.target = self.open_target(schema)
        return self.target

    def _empty_schema(self) -> pa.Schema:
        if not self._keep or self._source.columns is None:
            return self._schema
        names = kept_names(self._source.columns.names, self._schema.names, self._runtime.id_column)
        own = [self._source.columns.field(name).with_name(new) for name, new in names.items()]
        return pa.schema([*own, *self._schema])

    def _with_own(self, scored: _Scored) -> pa.RecordBatch:
        names = self._own_names(scored.chunk)
        own = [self._own_column(scored.chunk, name).take(pa.array(scored.rows)) for name in names]
        return pa.RecordBatch.from_arrays(
            [*own, *scored.columns.columns], names=[*names.values(), *scored.columns.schema.names]
        )

    def _own_names(self, chunk: Chunk) -> dict[str, str]:
        """Name the columns to keep; where a file does not state them, those of its first rows are meant."""
        if self._kept is None:
            columns = self._source.columns
            found = columns.names if columns is not None else _keys(chunk)
            self._kept = kept_names(found, self._schema.names, self._runtime.id_column)
        new = [key for key in _keys(chunk) if key not in self._kept and key != self._runtime.id_column]
        if new:
            hint = "a .jsonl target keeps whatever keys a record has"
            raise InputError(f"key {new[0]!r} is not in the first {BLOCK_ROWS} rows; {hint}")
        return self._kept

    def _own_column(self, chunk: Chunk, name: str) -> pa.Array:
        if not isinstance(chunk, RecordChunk):
            return chunk.column(name)
        texts = [_as_text(record.get(name)) for record in chunk.records]
        return pa.array(texts, pa.string())

    def _write_records(self, scored: _Scored, chunk: RecordChunk) -> None:
        target = self._target(self._schema)
        assert isinstance(target, JsonTarget)  # noqa: S101 - plain_records says so
        taken, lines = scored.columns.schema.names, []
        for place, decision in zip(scored.rows.tolist(), scored.columns.to_pylist(), strict=True):
            record = chunk.records[place]
            names = kept_names(record, taken, self._runtime.id_column)
            lines.append({new: record[name] for name, new in names.items()} | decision)
        target.write_records(lines)


class _Rejects:
    """The rows refused, one line of JSON each; the file is opened with the first."""

    def __init__(self, beside: Path) -> None:
        self._beside = beside
        self._file: IO[bytes] | None = None
        self.rows = 0

    def add(self, row: int, problems: tuple[FieldProblem, ...], record: Any) -> None:
        if self._file is None:
            self._file = self._beside.open("wb")
        line = {"row": row, "problems": [problem.to_dict() for problem in problems], "record": record}
        self._file.write(line_of(line))
        self.rows += 1

    def close(self) -> None:
        if self._file is not None:
            self._file.close()


@contextmanager
def _rejects_file(path: Path) -> Iterator[_Rejects]:
    beside = beside_of(path)
    rejects = _Rejects(beside)
    try:
        yield rejects
        rejects.close()
        if rejects.rows:
            with whole(path) as place:
                beside.replace(place)
    finally:
        with suppress(OSError):
            rejects.close()
        beside.unlink(missing_ok=True)


@contextmanager
def _closing(run: _Run, target: Path, beside: Path) -> Iterator[None]:
    """Open the target beside its place when its columns are known; close it whatever happens."""
    run.open_target = lambda schema: _open_target(target, beside, schema)
    try:
        yield
        run.finish()
    except BaseException:
        if run.target is not None:
            with suppress(Exception):
                run.target.abandon()
        raise


def _open_target(target: Path, beside: Path, schema: pa.Schema) -> Target:
    kind, gzipped = format_of(target)
    if kind == "parquet":
        from engine.parquet import ParquetTarget

        return ParquetTarget(beside, schema)
    if kind == "csv":
        from engine.delimited import CsvTarget

        return CsvTarget(beside, schema, gzipped=gzipped)
    return JsonTarget(beside, gzipped=gzipped)


def _check_target(source: Path, target: Path, rejects: Path, *, force: bool) -> None:
    format_of(source), format_of(target)
    if source.exists() and target.exists() and source.samefile(target):
        raise OutputError(f"{target} is the input itself; give another place")
    for path in (target, rejects):
        if path.is_dir() or (path.exists() and not force):
            raise OutputError(f"{path} exists already; give another place, or --force to replace it")
    if not target.parent.is_dir():
        raise unwritable(target, FileNotFoundError(2, f"there is no folder {target.parent}"))


def _wanted(runtime: Runtime) -> list[str]:
    return [*runtime.schema.by_name, *([runtime.id_column] if runtime.id_column else [])]


def _keys(chunk: Chunk) -> list[str]:
    if not isinstance(chunk, RecordChunk):
        return []
    return list(Counter(key for record in chunk.records for key in record))


def _as_text(value: Any) -> str | None:
    return value if value is None or isinstance(value, str) else line_of(value).decode().strip()
