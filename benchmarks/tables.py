"""Decision tables of 10 to 10,000 rows, a record and a batch at a time, against zen-engine's decision table.

The rows go by trade, country and band of the amount, and some by the hour: a record has one row, or
none. zen-engine takes one record at a time, for a batch too; its outcomes are compared with ours.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa

from benchmarks.figures import Figure, against, figure
from rules.check import check_rules
from rules.checked_rules import CheckedRules
from rules.expression import Variable
from rules.restore import restore_rules
from rules.ruleset import RuleSet

SIZES = (10, 100, 1_000, 10_000)
COUNTRIES = ("GB", "FR", "DE", "US", "ES", "IT", "PL", "NL", "SE", "NO")
BANDS = 5
OUTCOMES = ("approve", "review", "decline")
VARIABLES = (
    Variable("trade", "string"),
    Variable("country", "string"),
    Variable("amount", "double"),
    Variable("hour", "int"),
)
FILE = "lists/limits.csv"
RULES = (
    f"tables:\n  - {{id: limits, hit_policy: first, inputs: [trade, country, amount, hour], file: {FILE}}}\n"
)

Row = tuple[str, str, str, str, str]


def run(*, quick: bool) -> list[Figure]:
    """Measure every size, then what the largest costs against 100 rows, and reading it."""
    rows, asked = (100_000, 200) if quick else (1_000_000, 1_000)
    alone: dict[int, float] = {}
    together: dict[int, float] = {}
    figures = []
    for size in SIZES:
        table = make_table(size)
        rules = RuleSet.compile(_checked(table))
        data = _batch(size, rows)
        records = _records(data, asked)
        zen = _zen(table)
        _compare(rules, data, records, zen)
        alone[size] = _record_us(partial(_each, rules.after, records), asked)
        together[size] = _batch_us(partial(rules.after_batch, data), rows)
        peer = _record_us(
            partial(_each, zen, [_context(one) for one in records[: max(20, asked * 10 // size)]]), 0
        )
        name, target = f"{size:,} rows", "" if size == 100 else "ratio >= 10"
        figures.append(
            against(f"{name}: a record", alone[size], "us", "zen-engine", peer, target=target, faster=True)
        )
        figures.append(
            against(
                f"{name}: a record of a batch",
                together[size],
                "us",
                "zen-engine",
                peer,
                target=target,
                faster=True,
            )
        )
    for name, taken in (("a record", alone), ("a record of a batch", together)):
        figures.append(
            against(f"10,000 rows: {name}", taken[10_000], "us", "100 rows", taken[100], target="ratio <= 3")
        )
    return figures + _reading()


def make_table(size: int, seed: int = 7) -> list[Row]:
    """Make the cells and the outcome of about `size` rows: trade, country, amount, hour."""
    rng = np.random.default_rng(seed)
    countries = COUNTRIES[: max(1, min(len(COUNTRIES), size // BANDS // 2))]
    trades = max(1, size // (BANDS * len(countries)))
    rows: list[Row] = []
    for trade in range(trades):
        for country in countries:
            ends = sorted(rng.choice(np.arange(1, 5_000), BANDS - 1, replace=False).tolist())
            cells = [
                f"< {ends[0]}",
                *(f"[{a}..{b})" for a, b in pairwise(ends)),
                f">= {ends[-1]}",
            ]
            for place, amount in enumerate(cells):
                hour = "< 22" if place == 0 else "-"
                rows.append((_trade(trade), country, amount, hour, str(rng.choice(OUTCOMES))))
    return rows


def _checked(table: list[Row]) -> CheckedRules:
    return check_rules(
        {"rules/limits.yaml": RULES.encode()},
        variables=VARIABLES,
        scores=(),
        outcomes=OUTCOMES,
        read_list={FILE: _csv(table)}.__getitem__,
    )


def _csv(table: list[Row]) -> bytes:
    lines = [f"r{place},{','.join(row)}" for place, row in enumerate(table)]
    return "\n".join(["id,trade,country,amount,hour,decide", *lines, ""]).encode()


def _trade(number: int) -> str:
    return f"t{5000 + number}"


def _batch(size: int, rows: int, seed: int = 7) -> pa.RecordBatch:
    """Make records that the rows of a table of this size are about, and a few that they are not."""
    rng = np.random.default_rng(seed)
    trades = np.array([_trade(number) for number in range(max(1, size // (BANDS * len(COUNTRIES))) + 1)])
    columns = {
        "trade": pa.array(trades[rng.integers(0, len(trades), rows)]),
        "country": pa.array(np.array(COUNTRIES)[rng.integers(0, len(COUNTRIES), rows)]),
        "amount": pa.array(np.round(rng.uniform(0, 5_000, rows), 2)),
        "hour": pa.array(rng.integers(0, 24, rows)),
    }
    return pa.RecordBatch.from_pydict(columns)


def _records(data: pa.RecordBatch, asked: int) -> list[dict[str, Any]]:
    records: list[dict[str, Any]] = data.slice(0, asked).to_pylist()
    return [{**record, "proposed": "approve"} for record in records]


def _context(record: Mapping[str, Any]) -> dict[str, Any]:
    return {name: record[name] for name in ("trade", "country", "amount", "hour")}


def _zen(table: list[Row]) -> Callable[[Mapping[str, Any]], Any]:
    """Make the same table for zen-engine; gives a function from a record to what it decides."""
    import zen

    names = ("trade", "country", "amount", "hour")
    rules = []
    for place, row in enumerate(table):
        cells = [f'"{row[0]}"', f'"{row[1]}"', row[2], "" if row[3] == "-" else row[3]]
        rules.append({"_id": f"r{place}", **dict(zip(names, cells, strict=True)), "outcome": f'"{row[4]}"'})
    content = {
        "hitPolicy": "first",
        "inputs": [{"id": name, "name": name, "field": name} for name in names],
        "outputs": [{"id": "outcome", "name": "outcome", "field": "outcome"}],
        "rules": rules,
    }
    nodes = [
        {"id": "in", "name": "in", "type": "inputNode"},
        {"id": "table", "name": "table", "type": "decisionTableNode", "content": content},
        {"id": "out", "name": "out", "type": "outputNode"},
    ]
    edges = [
        {"id": "e1", "sourceId": "in", "targetId": "table", "type": "edge"},
        {"id": "e2", "sourceId": "table", "targetId": "out", "type": "edge"},
    ]
    decision = zen.ZenEngine().create_decision(json.dumps({"nodes": nodes, "edges": edges}))
    return lambda context: decision.evaluate(context)["result"].get("outcome")


def _compare(
    rules: RuleSet,
    data: pa.RecordBatch,
    records: list[dict[str, Any]],
    zen: Callable[[Mapping[str, Any]], Any],
) -> None:
    """Hold the outcomes of all three ways equal on some records."""
    verdicts = rules.after_batch(data)
    for place, record in enumerate(records[:100]):
        ours, theirs = rules.after(record).outcome, zen(_context(record))
        if not ours == theirs == verdicts.row(place).outcome:
            raise AssertionError(
                f"{record}: {ours}, in the batch {verdicts.row(place).outcome}, zen {theirs}"
            )


def _each(judge: Callable[[Mapping[str, Any]], Any], records: list[dict[str, Any]]) -> int:
    for record in records:
        judge(record)
    return len(records)


def _record_us(judge: Callable[[], int], warm: int) -> float:
    """Give the time of one record in microseconds, the least of several passes."""
    if warm:
        judge()
    taken = []
    for _ in range(5 if warm else 2):
        start = time.perf_counter()
        count = judge()
        taken.append((time.perf_counter() - start) / count * 1e6)
    return min(taken)


def _batch_us(judge: Callable[[], Any], rows: int) -> float:
    taken = []
    for _ in range(3):
        start = time.perf_counter()
        judge()
        taken.append((time.perf_counter() - start) / rows * 1e6)
    return min(taken)


def _reading() -> list[Figure]:
    """Time the check of a table of 10,000 rows, and what opening a bundle with it takes."""
    table = make_table(10_000)
    start = time.perf_counter()
    checked = _checked(table)
    read = time.perf_counter()
    kept = checked.expressions()
    restored = restore_rules(
        checked.files, checked.list_files, kept, scores=checked.scores, outcomes=checked.outcomes
    )
    again = time.perf_counter()
    RuleSet.compile(restored)
    ready = time.perf_counter()
    return [
        figure("10,000 rows: check", read - start, "s", target="<= 1"),
        figure("10,000 rows: restore", again - read, "s"),
        figure("10,000 rows: compile", ready - again, "s"),
    ]
