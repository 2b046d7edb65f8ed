"""1 M rows through 10, 100 and 1,000 rules, deciding rule and fired rules out, against DuckDB and Polars.

All start from a table in memory, texts as texts, and give for every row the rule that decides and the list
of the rules that fired; the results are compared before anything is timed. Both peers have all cores and are
told each distinct comparison once, over texts turned into enumerations within the time measured, as our
codes are: two to five times faster than the rules as written. Lists made inside either engine took longer
than all else, so that their columns of booleans are turned into lists by our own code.
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

ROWS, QUICK_ROWS = 1_000_000, 100_000
MISSING = (0.0, 0.1)
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
            sides = {
                "ours": _ours(rules, data),
                "Polars": _polars(rules, data),
                "DuckDB": _duckdb(rules, data),
            }
            answers = {side: call() for side, call in sides.items()}
            for peer in ("Polars", "DuckDB"):
                _same(answers["ours"], answers[peer], peer)
            ours = _best(sides["ours"], 3 if quick else 5) * 1e3
            for peer in ("Polars", "DuckDB"):
                theirs = _best(sides[peer], 1 if count > 100 else 3) * 1e3
                figures.append(
                    against(
                        f"{count:,} rules{nulls}, times faster",
                        ours,
                        "ms",
                        f"{peer}, {THREADS} threads",
                        theirs,
                        target=TARGETS.get(count, ""),
                        faster=True,
                    )
                )
            figures.append(
                against(f"{count:,} rules{nulls}", ours, "ms", "a pass over the input", reading * 1e3)
            )
            fired = len(answers["ours"][2]) / data.num_rows
            figures.append(figure(f"{count:,} rules{nulls}, fired a row", fired, ""))
    return figures


def _ours(rules: Sequence[ManyRule], data: pa.RecordBatch) -> Callable[[], Answer]:
    compiled = RuleSet.compile(checked_rules(tuple(rules)))

    def call() -> Answer:
        verdicts = compiled.after_batch(data)
        fired = verdicts.fired
        return verdicts.decided_by, fired.offsets.to_numpy(), fired.values.indices.to_numpy()

    return call


def _polars(rules: Sequence[ManyRule], data: pa.RecordBatch) -> Callable[[], Answer]:
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

    def call() -> Answer:
        compared = frame.with_columns(enums).select(comparisons)
        held = compared.select([whole(rule) for rule in rules])
        return _answer(rules, [held[rule.id].to_arrow() for rule in rules], data.num_rows)

    return call


def _duckdb(rules: Sequence[ManyRule], data: pa.RecordBatch) -> Callable[[], Answer]:
    import duckdb

    connection = duckdb.connect(config={"threads": THREADS})
    connection.register("given", pa.Table.from_batches([data]))
    connection.execute("create table payments as select * from given")
    for name, texts in TEXTS.items():
        connection.execute(f"create type {name}_name as enum ({', '.join(map(repr, texts))})")
    columns = ", ".join(f"{name}::{name}_name as {name}" if name in TEXTS else name for name in TYPES)
    names = _named(rules)
    comparisons = ", ".join(f"{comparison.sql} as {name}" for comparison, name in names.items())

    def whole(rule: ManyRule) -> str:
        a, b, c, d, e = (names[comparison] for comparison in rule.comparisons)
        return f'coalesce({a} and {b} and ({c} or {d}) and {e}, false) as "{rule.id}"'

    query = (
        f"with coded as (select {columns} from payments), compared as (select {comparisons} from coded) "
        f"select {', '.join(map(whole, rules))} from compared"
    )

    def call() -> Answer:
        held = connection.sql(query).to_arrow_table().combine_chunks()
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
