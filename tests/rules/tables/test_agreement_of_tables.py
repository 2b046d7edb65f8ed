"""A table says what its rows say as conditions: by index, reference, evaluators; alone, batched, restored."""

from __future__ import annotations

import itertools
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rules import table_index
from rules.analysis import analyse
from rules.checked_rules import CheckedRules
from rules.checked_tables import CheckedTable
from rules.columnar import conditions
from rules.expression import Name, Variable
from rules.restore import restore_rules
from rules.ruleset import RuleSet
from rules.scalar import compile_conditions
from rules.table_analysis import gaps, overlaps
from rules.table_domain import Domain
from rules.table_run import TableRun
from rules.table_wins import wins
from tests.rules.tables.small import (
    LISTS,
    OUTCOMES,
    RECORDS,
    VARIABLES,
    batch,
    check,
    reaches,
    tables,
    whole,
)

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


@given(
    st.sampled_from(("skip", "fire", "review")).flatmap(
        lambda unknown: tables(hit_policy="priority", on_unknown=unknown)
    ),
    SOME,
)
@settings(max_examples=150)
def test_a_table_by_priority_decides_as_its_rows_do_as_rules(
    text: str, records: list[dict[str, Any]]
) -> None:
    """One row wins, the one that would decide among rules of a file by priority."""
    checked = check(text)
    one = RuleSet.compile(checked)
    as_rules = RuleSet.compile(check(rows_as_rules(checked).replace("collect", "priority")))
    verdicts = one.after_batch(batch([whole(record) for record in records]))
    for at, record in enumerate(records):
        verdict, wanted = one.after(whole(record)), as_rules.after(whole(record))
        assert verdicts.row(at) == verdict
        assert (verdict.outcome, verdict.decided_by) == (wanted.outcome, wanted.decided_by)
        assert verdict.fired == ((wanted.decided_by,) if wanted.decided_by else ())
        assert set(verdict.unknown) <= set(wanted.unknown)


def test_a_row_that_asks_for_review_gives_way_to_one_that_decides_more() -> None:
    """Left open it decides review, not the block that it would decide where it holds."""
    text = (
        "tables:\n  - id: t\n    hit_policy: priority\n    on_unknown: review\n"
        "    inputs: [amount]\n    rows:\n"
        '      - {id: open, amount: "> 3.0", decide: block}\n      - {id: sure, amount: "-", decide: block}\n'
    )
    verdict = RuleSet.compile(check(text)).after(whole({}))
    assert (verdict.outcome, verdict.decided_by, verdict.fired) == ("block", "t.sure", ("t.sure",))
    milder = RuleSet.compile(check(text.replace('"-", decide: block', '"-", decide: approve')))
    assert milder.after(whole({})).decided_by == "t.open"


@given(
    st.tuples(
        reaches(), st.sampled_from(("skip", "fire", "review")), st.sampled_from(("enforce", "shadow"))
    ).flatmap(
        lambda drawn: tables(timed=True, hit_policy="collect", on_unknown=drawn[1], mode=drawn[2], **drawn[0])
    ),
    SOME,
)
@settings(max_examples=100)
def test_a_table_with_a_reach_is_its_rows_as_rules(text: str, records: list[dict[str, Any]]) -> None:
    """Periods, rollouts and exceptions of a table do what they do to rules with its rows' conditions."""
    checked = check(text, event_time="at")
    kept = json.loads(json.dumps(checked.expressions()))
    restored = restore_rules(
        checked.files, checked.list_files, kept, scores=checked.scores, outcomes=checked.outcomes
    )
    assert restored.expressions() == checked.expressions()
    as_rules = RuleSet.compile(check(rows_as_rules(checked), event_time="at"))
    one, other = RuleSet.compile(checked), RuleSet.compile(restored)
    verdicts = one.after_batch(batch([whole(record) for record in records]))
    for at, record in enumerate(records):
        assert verdicts.row(at) == one.after(whole(record)) == other.after(whole(record))
        assert as_rules.after(whole(record)) == one.after(whole(record))


def rows_as_rules(checked: CheckedRules) -> str:
    """Write the rows of a table as rules of a file whose hit policy is `collect`."""
    (table,) = checked.tables
    lines = [LISTS + "hit_policy: collect\nrules:"]
    written = table.document.root["tables"][0]
    for place, row in enumerate(table.table.rows):
        rule = table.rule(place)
        when = f"({rule.when}) && '{place}' != ''"  # two rules on one condition are refused
        keys: dict[str, Any] = {"id": rule.id, "when": when, "decide": rule.decide, "mode": rule.mode}
        keys["on_unknown"] = rule.on_unknown
        period = written["rows"][place].get("effective", written.get("effective"))
        keys |= {"effective": period} if period else {}
        keys |= {"rollout": {**written["rollout"], "salt": "t"}} if "rollout" in written else {}
        keys |= {"except": written["except"]} if "except" in written else {}
        assert row.decide == rule.decide
        lines.append(f"  - {json.dumps(keys)}")
    return "\n".join(lines)


@given(st.booleans().flatmap(lambda timed: tables(timed=timed)), SOME)
@settings(max_examples=80)
def test_overlaps_and_gaps_are_real_and_all(text: str, records: list[dict[str, Any]]) -> None:
    """Every record given shows what it is said to; what records show is among what is said."""
    checked = check(text, event_time="at")
    (table,), lists = checked.tables, checked.list_entries
    domain = Domain(table, VARIABLES, lists)
    found, holes = overlaps(domain, most=1000), gaps(domain, most=1000)
    for overlap in found.found:
        assert {overlap.first, overlap.second} <= set(results(table, lists, dict(overlap.record))[0])
    for gap in holes.found:
        assert results(table, lists, dict(gap.record))[0] == ()
    said = {(one.first, one.second) for one in found.found}
    seen: set[tuple[int, int]] = set()
    # Where all rows hold at one time only, gaps are asked for at that time: at another there is no table.
    at_one_time = table.timed and len(set(table.cells[-1])) == 1
    whole = domain.untimed().table if at_one_time else table
    for record in records:
        true, _ = results(table, lists, record)
        seen |= set(itertools.combinations(true, 2))
        in_gap = results(whole, lists, record) == ((), ())
        if in_gap and None not in record.values():
            assert holes.found or holes.undecided or holes.cut_off
    assert len(seen - said) <= found.undecided
    assert found.pairs == len(said) + found.undecided


@given(st.sampled_from(["unique", "first"]).flatmap(lambda policy: tables(hit_policy=policy)), SOME)
@settings(max_examples=60)
def test_what_check_says_of_tables_is_so(text: str, records: list[dict[str, Any]]) -> None:
    """Its records show what they are said to; what other records show is said, or said to be undecided."""
    checked = check(text)
    (table,), lists = checked.tables, checked.list_entries
    analysis = analyse(checked)
    for finding in analysis.findings:
        if finding.code in ("table-overlap", "table-gap"):
            given_ = dict(finding.record or {})
            if isinstance(given_.get("at"), str):
                given_["at"] = moment(given_["at"])
            true = results(table, lists, given_)[0]
            named = {name for name in table.ids if f"'{name}'" in finding.message}
            assert not true if finding.code == "table-gap" else len(true) > 1
            assert finding.code == "table-gap" or {table.ids[row] for row in true} & named
    said = {one.code for one in (*analysis.findings, *analysis.undecided)}
    for record in records:
        true, unknown = results(table, lists, record)
        if len(true) > 1 and table.table.hit_policy == "unique":
            assert "table-overlap" in said
        if not true and not unknown and None not in record.values():
            assert "table-gap" in said


BOUNDED = tuple(
    Variable("count", "int", minimum=0, maximum=4) if one.name == "count" else one for one in VARIABLES
)


@given(
    st.tuples(
        st.sampled_from(("first", "priority", "collect")), st.sampled_from(("skip", "fire", "review"))
    ).flatmap(lambda drawn: tables(timed=True, hit_policy=drawn[0], on_unknown=drawn[1])),
    st.lists(RECORDS.filter(lambda one: one["count"] in (None, 0, 1, 2, 3, 4)), min_size=20, max_size=60),
)
@settings(max_examples=100, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
def test_rows_that_never_win_do_not(text: str, records: list[dict[str, Any]]) -> None:
    """No record makes a row hit that is said never to; a copy of a stronger row is found, or undecided."""
    checked = check(text, variables=BOUNDED, event_time="at")
    (table,), lists = checked.tables, checked.list_entries
    found = wins(Domain(table, BOUNDED, lists), OUTCOMES, most=100)
    run = TableRun(table, lists, OUTCOMES)
    lost = {one.row for one in (*found.never, *found.beaten)}
    for record in records:
        hit, opened = run.record(record)
        acting = (*hit, *(opened if table.table.on_unknown != "skip" else ()))
        assert not lost.intersection(acting)
    for one in found.beaten:
        true = results(table, lists, dict(one.record))[0]
        assert one.row in true
        assert set(one.by) & set(true)
    if table.table.hit_policy == "first":
        copies = {
            row
            for row in range(len(table.ids))
            for other in range(row)
            if all(column[row] == column[other] for column in table.cells)
        }
        plain = all(isinstance(one.node, Name) for one in table.inputs) and not any(
            cell.list for column in table.cells for cell in column
        )
        assert len(copies - lost) <= found.undecided or not plain


@pytest.mark.parametrize("last", [True, False])
def test_a_row_for_all_others_among_ten_thousand(last: bool) -> None:
    """At the end it wins sometimes; at the head no other row ever does, and they are told or undecided."""
    rows = [f"[{n}..{n + 1}),{n % 7},approve" for n in range(10_000)]
    rows.insert(len(rows) if last else 0, "-,-,review")
    head = "tables:\n  - {id: t, hit_policy: first, inputs: [amount, count], file: lists/t.csv}\n"
    checked = check(head, {"lists/t.csv": ("amount,count,decide\n" + "\n".join(rows)).encode()})
    found = wins(Domain(checked.tables[0], VARIABLES, checked.list_entries), OUTCOMES)
    assert not found.never
    assert len(found.beaten) + found.more + found.undecided == (0 if last else 10_000)
    analysis = analyse(checked)
    assert sum(one.code == "shadowed" for one in analysis.findings) == (0 if last else 20)


@pytest.mark.parametrize("policy", ["unique", "first"])
def test_ten_thousand_rows_are_told_a_few_things(policy: str) -> None:
    """Overlaps stand at their line of the CSV file; what is not shown is counted as undecided."""
    rows = "".join(f"[{n}..{n + 3}),{n % 7},approve\n" for n in range(5_000))
    rows += "".join(f"[{n}..{n + 9}),{n % 5},review\n" for n in range(5_000))
    head = f"tables:\n  - {{id: t, hit_policy: {policy}, inputs: [amount, count], file: lists/t.csv}}\n"
    checked = check(head, {"lists/t.csv": f"amount,count,decide\n{rows}".encode()})
    analysis = analyse(checked)
    overlaps_ = [one for one in analysis.findings if one.code == "table-overlap"]
    assert len(analysis.findings) <= 25
    assert {one.severity for one in overlaps_} == {"error" if policy == "unique" else "note"}
    assert all(one.file == "lists/t.csv" and one.line > 5_000 for one in overlaps_)
    open_ = [one.message for one in analysis.undecided if one.code == "table-overlap"]
    assert len(open_) == (policy == "unique")


def moment(text: str) -> int:
    """Give a timestamp as records hold it."""
    at = datetime.fromisoformat(text)
    return (at - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
