"""A table says what its rows say as conditions: by index, reference, evaluators; alone, batched, restored."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rules import table_index
from rules.checked_tables import CheckedTable
from rules.columnar import conditions
from rules.restore import restore_rules
from rules.ruleset import RuleSet
from rules.scalar import compile_conditions
from rules.table_analysis import gaps, overlaps
from rules.table_run import TableRun
from tests.rules.tables.small import OUTCOMES, RECORDS, VARIABLES, batch, check, tables, whole

SOME = st.lists(RECORDS, min_size=1, max_size=12)


def results(
    table: CheckedTable, lists: Any, record: dict[str, Any]
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Give the rows that are true and those that are unknown, each row's condition by the reference."""
    from rules.reference import UNKNOWN, evaluate

    got = [evaluate(table.condition(row), record, lists) for row in range(len(table.ids))]
    true = tuple(row for row, value in enumerate(got) if value is True)
    return true, tuple(row for row, value in enumerate(got) if value is UNKNOWN or value is None)


@given(tables(), SOME)
@settings(max_examples=60)
def test_a_table_says_what_its_rows_say(text: str, records: list[dict[str, Any]]) -> None:
    """The index, the reference, the scalar and the columnar evaluator agree, on the text of a row as well."""
    from rules.cel import Checker

    checked = check(text)
    (table,), lists = checked.tables, checked.list_entries
    wanted = [results(table, lists, record) for record in records]
    rows = [table.condition(row) for row in range(len(table.ids))]
    scalar, run = compile_conditions(rows, lists), TableRun(table, lists, OUTCOMES)
    assert [tuple(map(tuple, scalar(record))) for record in records] == wanted
    assert [run.record(record) for record in records] == wanted
    hits = conditions(rows, lists).evaluate(batch(records))
    places, told, opened = run.batch(batch(records))
    for at, (true, unknown) in enumerate(wanted):
        assert tuple(row for row in range(len(rows)) if at in hits.true[row]) == true
        assert tuple(told[(places == at) & ~opened].tolist()) == true
        assert tuple(told[(places == at) & opened].tolist()) == unknown
    checker = Checker(VARIABLES, {name: values.type for name, values in checked.lists.items()})
    written = compile_conditions([checker.check(table.text(row)) for row in range(len(rows))], lists)
    assert [tuple(map(tuple, written(record))) for record in records] == wanted


@pytest.mark.parametrize("bounds", [{"DENSE": 0}, {"MOST_STEPS": 0}, {"BLOCK": 3}], ids=str)
@given(text=tables(), records=SOME)
@settings(max_examples=15)
def test_bounds_change_nothing(bounds: dict[str, int], text: str, records: list[dict[str, Any]]) -> None:
    """Whichever way a batch takes through the index, it comes to the same."""
    checked = check(text)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in bounds.items():
            patch.setattr(table_index, name, value)
        run = TableRun(checked.tables[0], checked.list_entries, OUTCOMES)
        places, told, opened = run.batch(batch(records))
    for at, record in enumerate(records):
        true, unknown = run.record(record)
        assert tuple(told[(places == at) & ~opened].tolist()) == true
        assert tuple(told[(places == at) & opened].tolist()) == unknown


POLICIES = ("first", "unique", "priority", "collect")


@given(
    st.sampled_from(POLICIES).flatmap(
        lambda policy: st.sampled_from(("skip", "fire", "review")).flatmap(
            lambda unknown: tables(hit_policy=policy, on_unknown=unknown)
        )
    ),
    st.sampled_from(POLICIES),
    SOME,
)
@settings(max_examples=60)
def test_record_batch_and_restored_agree(text: str, policy: str, records: list[dict[str, Any]]) -> None:
    """A verdict is the same alone, in a batch, and after a bundle; with rules beside the table."""
    rules = "rules:\n  - {id: big, when: amount > 2.6, decide: review, reason: BIG, priority: 1}\n"
    checked = check(f"hit_policy: {policy}\n{rules}{text}")
    kept = json.loads(json.dumps(checked.expressions()))
    restored = restore_rules(
        checked.files, checked.list_files, kept, scores=checked.scores, outcomes=checked.outcomes
    )
    one, other = RuleSet.compile(checked), RuleSet.compile(restored)
    verdicts = one.after_batch(batch([whole(record) for record in records]))
    for at, record in enumerate(records):
        assert verdicts.row(at) == one.after(whole(record)) == other.after(whole(record))
    assert restored.expressions() == checked.expressions()


@given(tables(), SOME)
@settings(max_examples=60)
def test_overlaps_and_gaps_are_real_and_all(text: str, records: list[dict[str, Any]]) -> None:
    """Every record given shows what it is said to; what records show is among what is said."""
    checked = check(text)
    (table,), lists = checked.tables, checked.list_entries
    found, holes = overlaps(table, VARIABLES, lists, most=1000), gaps(table, VARIABLES, lists, most=1000)
    for overlap in found.found:
        assert {overlap.first, overlap.second} <= set(results(table, lists, dict(overlap.record))[0])
    for gap in holes.found:
        assert results(table, lists, dict(gap.record))[0] == ()
    said = {(one.first, one.second) for one in found.found}
    seen: set[tuple[int, int]] = set()
    for record in records:
        true, unknown = results(table, lists, record)
        seen |= set(itertools.combinations(true, 2))
        if not true and not unknown and None not in record.values():
            assert holes.found or holes.undecided or holes.cut_off
    assert len(seen - said) <= found.undecided
    assert found.pairs == len(said) + found.undecided
