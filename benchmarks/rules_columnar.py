"""1 M rows through 10, 100 and 1,000 rules, deciding rule and fired rules out, against DuckDB and Polars.

All start from a table in memory, texts as texts, and give for every row the rule that decides and the list
of the rules that fired; the results are compared before anything is timed. Peers have all cores and are asked
in three forms:

- rules as written: an expression a rule, each saying its five comparisons, in the peer's fastest mode (Polars
  lazy, which computes what expressions share once; texts turned into enumerations within the time), and lists
  as its user would make them (Polars: the columns to NumPy, `nonzero`; DuckDB: `list_filter`). Lists made of
  expressions inside Polars (`concat_list`) take many times longer. The target is on this form.
- rules as written, our lists: the same, but the booleans are turned into lists by our own code.
- tuned by hand: each distinct comparison is told once, rules are made of those, and lists by our own code.
"""

from __future__ import annotations

import gc
import os
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from benchmarks.figures import Figure, against, figure
from benchmarks.many import SIZES, TEXTS, TYPES, Comparison, ManyRule, checked_rules, many_rules, ranked, rows
from rules.bits import rows_of
from rules.listing import listed
from rules.ruleset import RuleSet
from rules.threads import THREADS

ROWS, QUICK_ROWS = 1_000_000, 40_000
MISSING = (0.0, 0.1)
WRITTEN, OUR_LISTS, TUNED = "rules as written", "rules as written, our lists", "tuned by hand"
FORMS = (WRITTEN, OUR_LISTS, TUNED)
SLICE = 100_000  # rows of a peer's booleans that are turned into a matrix at once
TARGETS = {100: "ratio >= 2", 1_000: "ratio >= 5"}

Answer = tuple[
    np.ndarray, np.ndarray, np.ndarray
]  # the deciding rule of each row; offsets and rules of lists


def run(*, quick: bool) -> list[Figure]:
    os.environ.setdefault("POLARS_MAX_THREADS", str(THREADS))
    figures = []
    for missing in MISSING:
        data = rows(QUICK_ROWS if quick else ROWS, missing=missing)
        nulls = f", {missing:.0%} null" if missing else ""
        reading = _best(lambda data=data: _pass_over(data), 5)
        figures.append(figure(f"a pass over the input{nulls}", reading * 1e3, "ms"))
        for count in SIZES:
            rules = many_rules(count)
            call = _ours(rules, data)
            answer = call()
            ours = _best(call, 3 if quick else 5) * 1e3
            for (peer, form), theirs in _timed_peers(rules, data, answer).items():
                figures.append(
                    against(
                        f"{count:,} rules{nulls}, times faster",
                        ours,
                        "ms",
                        f"{peer}, {THREADS} threads, {form}",
                        theirs * 1e3,
                        target=TARGETS.get(count, "") if form == WRITTEN else "",
                        faster=True,
                    )
                )
            figures.append(
                against(f"{count:,} rules{nulls}", ours, "ms", "a pass over the input", reading * 1e3)
            )
            fired = len(answer[2]) / data.num_rows
            figures.append(figure(f"{count:,} rules{nulls}, fired a row", fired, ""))
    return figures


def _ours(rules: Sequence[ManyRule], data: pa.RecordBatch) -> Callable[[], Answer]:
    compiled = RuleSet.compile(checked_rules(tuple(rules)))

    def call() -> Answer:
        verdicts = compiled.after_batch(data)
        fired = verdicts.fired
        return verdicts.decided_by, fired.offsets.to_numpy(), fired.values.indices.to_numpy()

    return call


def _timed_peers(
    rules: Sequence[ManyRule], data: pa.RecordBatch, answer: Answer
) -> dict[tuple[str, str], float]:
    """Give the seconds of each peer in each form, once its answer is found equal."""
    times = {}
    for peer, make in (("Polars", _polars), ("DuckDB", _duckdb)):
        for form in FORMS:
            call = make(rules, data, form)
            _same(answer, call(), f"{peer}, {form},")
            times[peer, form] = _best(call, 1 if len(rules) > 100 else 3)
    return times


def _polars(rules: Sequence[ManyRule], data: pa.RecordBatch, form: str) -> Callable[[], Answer]:
    import polars as pl

    frame = pl.from_arrow(data)
    if not isinstance(frame, pl.DataFrame):
        raise TypeError(f"a table became {type(frame)}")
    names = _named(rules)
    enums = [pl.col(name).cast(pl.Enum(list(texts))) for name, texts in TEXTS.items()]
    comparisons = [comparison.polars.fill_null(False).alias(name) for comparison, name in names.items()]

    def whole(rule: ManyRule) -> Any:
        a, b, c, d, e = (pl.col(names[comparison]) for comparison in rule.comparisons)
        return (a & b & (c | d) & e).alias(rule.id)

    tuned = [whole(rule) for rule in rules]
    written = [rule.polars.fill_null(False).alias(rule.id) for rule in rules]

    def held() -> pl.DataFrame:
        if form == TUNED:
            return frame.with_columns(enums).select(comparisons).select(tuned)
        return frame.lazy().with_columns(enums).select(written).collect()

    def call() -> Answer:
        if form == WRITTEN:
            return _from_matrices(rules, held())
        columns = held()
        return _answer(rules, [columns[rule.id].to_arrow() for rule in rules], data.num_rows)

    return call


def _from_matrices(rules: Sequence[ManyRule], held: Any) -> Answer:
    """What a user of Polars does with a frame of booleans: as NumPy knows it, some rows at a time."""
    order = {rule.id: place for place, rule in enumerate(ranked(tuple(rules)))}
    rank = np.array([order[rule.id] for rule in rules])
    by_rank = np.argsort(rank).astype(np.int32)
    counts, fired = [], []
    decided_by = np.full(held.height, -1, dtype=np.int32)
    for start in range(0, held.height, SLICE):
        row, rule = np.nonzero(held.slice(start, SLICE).to_numpy())
        counts.append(np.bincount(row, minlength=min(SLICE, held.height - start)))
        fired.append(rule.astype(np.int32))
        if len(row):
            firsts = np.flatnonzero(np.diff(row, prepend=-1))
            decided_by[start + row[firsts]] = by_rank[np.minimum.reduceat(rank[rule], firsts)]
    offsets = np.concatenate([[0], np.cumsum(np.concatenate(counts))])
    return decided_by, offsets.astype(np.int32), np.concatenate(fired)


def _duckdb(rules: Sequence[ManyRule], data: pa.RecordBatch, form: str) -> Callable[[], Answer]:
    import duckdb

    connection = duckdb.connect(config={"threads": THREADS})
    connection.register("given", pa.Table.from_batches([data]))
    connection.execute("create table payments as select * from given")
    for name, texts in TEXTS.items():
        connection.execute(f"create type {name}_name as enum ({', '.join(map(repr, texts))})")
    columns = ", ".join(f"{name}::{name}_name as {name}" if name in TEXTS else name for name in TYPES)
    coded = f"with coded as (select {columns} from payments)"
    names = _named(rules)
    comparisons = ", ".join(f"{comparison.sql} as {name}" for comparison, name in names.items())

    def whole(rule: ManyRule) -> str:
        a, b, c, d, e = (names[comparison] for comparison in rule.comparisons)
        return f'coalesce({a} and {b} and ({c} or {d}) and {e}, false) as "{rule.id}"'

    written = ", ".join(f'coalesce({rule.sql}, false) as "{rule.id}"' for rule in rules)
    number = {rule.id: place for place, rule in enumerate(rules)}
    decided = " ".join(f'when "{rule.id}" then {number[rule.id]}' for rule in ranked(tuple(rules)))
    fired = ", ".join(f'case when "{rule.id}" then {place} end' for place, rule in enumerate(rules))
    query = {
        WRITTEN: f"{coded}, held as (select {written} from coded) select "
        f"(case {decided} else -1 end)::integer as decided_by, "
        f"list_filter([{fired}], lambda x: x is not null)::integer[] as fired from held",
        OUR_LISTS: f"{coded} select {written} from coded",
        TUNED: f"{coded}, compared as (select {comparisons} from coded) "
        f"select {', '.join(map(whole, rules))} from compared",
    }[form]

    def call() -> Answer:
        held = connection.sql(query).to_arrow_table().combine_chunks()
        if form == WRITTEN:
            lists = held.column("fired").chunk(0)
            decided_by = held.column("decided_by").chunk(0).to_numpy()
            return decided_by, lists.offsets.to_numpy(), lists.values.to_numpy()
        return _answer(rules, [held.column(rule.id).chunk(0) for rule in rules], data.num_rows)

    return call


def _named(rules: Sequence[ManyRule]) -> dict[Comparison, str]:
    """A name for each distinct comparison."""
    distinct = dict.fromkeys(comparison for rule in rules for comparison in rule.comparisons)
    return {comparison: f"c{number}" for number, comparison in enumerate(distinct)}


def _answer(rules: Sequence[ManyRule], held: Sequence[pa.Array], count: int) -> Answer:
    """What a peer's column of booleans for each rule comes to; the bits are read where they are."""
    hits: list[np.ndarray] = []
    for column in held:
        plane = np.frombuffer(column.buffers()[1], np.uint8)
        if column.offset % 8:
            plane = np.packbits(column.to_numpy(zero_copy_only=False), bitorder="little")
        first = column.offset // 8
        plane = plane[first : first + (count + 7) // 8]
        span = 8_192
        parts = [
            rows_of([plane[at : at + span]], at * 8, min(span * 8, count - at * 8))[0]
            for at in range(0, len(plane), span)
        ]
        hits.append(np.concatenate(parts))
    decided_by = np.full(count, -1, dtype=np.int32)
    number = {rule.id: place for place, rule in enumerate(rules)}
    for rule in reversed(ranked(tuple(rules))):
        decided_by[hits[number[rule.id]]] = number[rule.id]
    return decided_by, *listed(list(enumerate(hits)), count)


def _same(ours: Answer, theirs: Answer, peer: str) -> None:
    if not all(np.array_equal(one, other) for one, other in zip(ours, theirs, strict=True)):
        raise AssertionError(f"{peer} gives other results: one of the two is wrong")


def _pass_over(data: pa.RecordBatch) -> int:
    """Read every byte of the input once."""
    total = 0
    for column in data.columns:
        for buffer in column.buffers():
            if buffer is not None:
                words = np.frombuffer(buffer, np.uint8, len(buffer) // 8 * 8).view(np.uint64)
                total ^= int(np.bitwise_xor.reduce(words))
    return total


def _best(call: Callable[[], object], times: int) -> float:
    taken = []
    for _ in range(times):
        gc.collect()
        began = time.perf_counter()
        call()
        taken.append(time.perf_counter() - began)
    return min(taken)
