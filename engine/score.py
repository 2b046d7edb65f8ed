"""Score: a file in, a file of decisions out, block by block in bounded memory; whole or not at all."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from engine.adverse import ADVERSE_REASONS, adverse_reasons, check_adverse
from engine.decided import Decided, decision_schema
from engine.errors import FieldProblem, OutputError
from engine.files import unwritable, whole
from engine.formats import Chunk, Target, format_of, open_source, open_target
from engine.layout import Layout, choose_layout
from engine.parallel import in_order
from engine.rejects import SUFFIX, rejects_beside
from engine.runtime import Runtime
from engine.tables import check_columns, decide_normal, id_column
from engine.tabular import BLOCK_ROWS

RULE_COUNTS = ("fired", "decided", "shadow", "suppressed", "unknown")

Progress = Callable[[int, int | None], None]  # rows so far, rows in all where that is known


@dataclass(frozen=True)
class ScoreReport:
    """What a run did.

    `rows` were read, `decided` of them decided and `rejected` put into `rejects` with every reason.
    `outcomes` counts decisions by outcome; `rules` gives for each rule in how many rows it `fired`,
    `decided`, would have fired (`shadow`), was `suppressed`, was left open (`unknown`). `violations` counts
    rows in which several rules decided of a file whose hit policy is `unique`.
    `absent` names nullable fields that the file has no column for.
    """

    rows: int
    decided: int
    rejected: int
    seconds: float
    outcomes: dict[str, int]
    rules: dict[str, dict[str, int]]
    violations: int
    absent: tuple[str, ...]
    rejects: Path | None

    def to_dict(self) -> dict[str, Any]:
        """Give the report as plain data."""
        plain = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return plain | {"absent": list(self.absent), "rejects": str(self.rejects) if self.rejects else None}


def score_file(
    runtime: Runtime,
    source: Path,
    target: Path,
    *,
    keep: bool = False,
    force: bool = False,
    reasons_for: Collection[str] = (),
    progress: Progress | None = None,
    now: datetime | None = None,
) -> ScoreReport:
    """Decide every row of `source` into `target`; formats go by the names (Parquet, CSV, JSON Lines).

    `keep` puts the source's own columns before the decisions; `force` replaces a target that exists. With
    outcomes in `reasons_for`, a column `adverse_reasons` has the codes of the principal reasons of rows that
    came to them. Rows that cannot be read go to `TARGET.rejects.jsonl`. Raises InputError or OutputError and
    leaves nothing.
    """
    source, target = Path(source), Path(target)
    started = time.monotonic()
    _check_target(source, target, force=force)
    check_adverse(runtime, reasons_for)
    opened = open_source(source, None if keep else _wanted(runtime))
    columns = None if opened.columns is None else opened.columns.names
    if columns is not None:
        check_columns(runtime, columns, source)
    schema = decision_schema(runtime.model.scores, runtime.rules.adjusts)
    kind, _ = format_of(target)
    laid_out = schema.append(ADVERSE_REASONS) if reasons_for else schema
    layout = choose_layout(opened, laid_out, keep=keep, target=kind, id_column=runtime.id_column)
    counts, moment = _Counts(runtime), now or datetime.now(UTC)
    blocks = in_order(
        lambda chunk: _decide(runtime, chunk, schema, reasons_for, moment), opened.chunks(BLOCK_ROWS)
    )
    with _written(target, layout) as write, rejects_beside(target) as rejects, closing(blocks):
        for scored in blocks:
            counts.add(scored)
            write(layout.lay_out(scored.chunk, scored.rows, scored.columns))
            for reject in scored.rejects:
                rejects.add(*reject)
            if progress is not None:
                progress(counts.rows, opened.total)
    return ScoreReport(
        rows=counts.rows,
        decided=counts.rows - rejects.rows,
        rejected=rejects.rows,
        seconds=time.monotonic() - started,
        outcomes=counts.by_outcome(),
        rules=counts.by_rule(),
        violations=counts.violations,
        absent=tuple(name for name in runtime.schema.by_name if columns is not None and name not in columns),
        rejects=target.with_name(target.name + SUFFIX) if rejects.rows else None,
    )


@dataclass(frozen=True, eq=False, slots=True)
class _Scored:
    """A chunk after deciding: `columns` are the decisions of its `rows`; `rejects` have none."""

    chunk: Chunk
    rows: np.ndarray
    decided: Decided
    columns: pa.RecordBatch
    rejects: list[tuple[int, tuple[FieldProblem, ...], Any]]


def _decide(
    runtime: Runtime, chunk: Chunk, schema: pa.Schema, reasons_for: Collection[str], now: datetime
) -> _Scored:
    normal = chunk.normal(runtime.schema)
    given = None if runtime.id_column is None else chunk.column(runtime.id_column)
    ids = pa.array(chunk.rows).cast(pa.string()) if given is None else id_column(given)
    decided, columns = decide_normal(runtime, normal, ids, schema, now)
    if reasons_for:
        told = adverse_reasons(runtime, normal.batch, decided.outcome, reasons_for, now)
        columns = columns.append_column(ADVERSE_REASONS, told)
    rejects: list[tuple[int, tuple[FieldProblem, ...], Any]] = [
        (int(chunk.rows[place]), problems, chunk.record(place)) for place, problems in normal.rejects
    ]
    rejects += [(broken.row, broken.problems, broken.text) for broken in chunk.broken]
    return _Scored(chunk, normal.rows, decided, columns, sorted(rejects, key=lambda reject: reject[0]))


class _Counts:
    """What a run has met so far."""

    def __init__(self, runtime: Runtime) -> None:
        self._outcomes, self._rules = runtime.outcomes, runtime.rules.rules
        self._rows = {row for table in runtime.rules.checked.tables for row in table.ids}
        self._decisions = np.zeros(len(self._outcomes), np.int64)
        self._counts = {name: np.zeros(len(self._rules), np.int64) for name in RULE_COUNTS}
        self.violations = 0
        self.rows = 0

    def add(self, scored: _Scored) -> None:
        deciders = scored.decided.decided_by
        self.rows += len(scored.chunk.rows) + len(scored.chunk.broken)
        self._decisions += np.bincount(scored.decided.outcome, minlength=len(self._outcomes))
        decided = np.bincount(deciders[deciders >= 0], minlength=len(self._rules))
        for name, counts in {**scored.decided.counts, "decided": decided}.items():
            self._counts[name] += counts
        self.violations += scored.decided.violations

    def by_outcome(self) -> dict[str, int]:
        return dict(zip(self._outcomes, self._decisions.tolist(), strict=True))

    def by_rule(self) -> dict[str, dict[str, int]]:
        """Give the counts of every rule; of the rows of tables those that came to something."""
        return {
            rule: {name: int(counts[place]) for name, counts in self._counts.items()}
            for place, rule in enumerate(self._rules)
            if rule not in self._rows or any(counts[place] for counts in self._counts.values())
        }


@contextmanager
def _written(target: Path, layout: Layout) -> Iterator[Callable[[Any], None]]:
    """Give the way to write rows of `target`, which appears when the block ends well."""
    opened: Target | None = None

    def write(rows: Any) -> None:
        nonlocal opened
        # Opened with the first rows, because only they may tell what columns there are.
        opened = opened or open_target(target, beside, layout.empty)
        opened.write(rows)

    with whole(target) as beside:
        try:
            yield write
            (opened or open_target(target, beside, layout.empty)).close()
        except BaseException:
            if opened is not None:
                with suppress(Exception):
                    opened.abandon()
            raise


def _check_target(source: Path, target: Path, *, force: bool) -> None:
    format_of(source), format_of(target)
    places = (target, target.with_name(target.name + SUFFIX))
    for path in places:
        if source.exists() and path.exists() and source.samefile(path):
            also = "" if path == target else f", where the rejects of {target} go"
            raise OutputError(f"{path} is the input itself{also}; give another place")
    for path in places:
        if path.is_dir() or (path.exists() and not force):
            raise OutputError(f"{path} exists already; give another place, or --force to replace it")
    if not target.parent.is_dir():
        raise unwritable(target, FileNotFoundError(2, f"there is no folder {target.parent}"))


def _wanted(runtime: Runtime) -> list[str]:
    return [*runtime.schema.by_name, *([runtime.id_column] if runtime.id_column else [])]
