"""Tables with inputs that are worked out: rows that hold together, never hold, or leave a gap are shown."""

from __future__ import annotations

import pytest

from tests.rules.analysis.told import analysed, told

TERMS = (
    ("event_time.getHours()", "< 6"),
    ("event_time.getDayOfWeek()", "5, 6"),
    ("amount + 1.0", "> 100"),
    ("size(memo)", ">= 3"),
    ("scores.fraud * 10.0", "> 5"),
    ("event_time - timestamp('2026-01-01T00:00:00Z')", '< duration("24h")'),
    ("n + payments_last_day", "== 7"),
    ("memo.lowerAscii()", "'refund'"),
)


def table(inputs: str, rows: list[str], policy: str = "unique") -> str:
    lines = ["filters: told", "tables:", "  - id: t", f"    hit_policy: {policy}", f"    inputs: [{inputs}]"]
    lines += ["    on_unknown: skip", "    rows:", *(f"      - {{{row}}}" for row in rows)]
    return "\n".join([*lines, ""])


@pytest.mark.parametrize(("term", "cell"), TERMS)
def test_equal_rows_are_shown_to_overlap(term: str, cell: str) -> None:
    """A record is made for the term."""
    cell = cell.replace('"', '\\"')
    rows = [f'id: {name}, country: DE, h: "{cell}", decide: {decide}'
            for name, decide in (("a", "review"), ("b", "decline"))]  # fmt: skip
    text = table(f'country, {{name: h, value: "{term}"}}', rows)
    assert told(text, "table-overlap") == ["'t.b' holds together with 't.a', and hit_policy is unique"]


def test_a_row_beyond_what_the_term_gives_never_holds() -> None:
    """No hour is above 23."""
    text = table(
        "{name: h, value: event_time.getHours()}",
        ['id: a, h: "< 6", decide: review', 'id: b, h: "> 23", decide: decline'],
    )
    assert told(text, "never-fires") == ["'t.b' can never hold: no value that 'h' may have meets this cell"]


def test_a_gap_is_shown_by_a_record_with_every_input() -> None:
    """None of which the schema forbids."""
    rows = ['id: a, country: DE, h: "< 6", decide: review']
    found = analysed(table("country, {name: h, value: event_time.getHours()}", rows))
    (record,) = [one.record for one in found.findings if one.code == "table-gap"]
    assert record is not None
    assert record["country"] != "DE" or record["event_time"][11:13] >= "06"


def test_all_hours_leave_no_gap() -> None:
    """What no hour is needs no row."""
    rows = ['id: a, h: "<= 11", decide: review', 'id: b, h: "[12..23]", decide: decline']
    assert told(table("{name: h, value: event_time.getHours()}", rows), "table-gap") == []


def test_a_row_that_alone_shadows_another_is_named_alone() -> None:
    """Rows that the proof does not need are left out."""
    rows = [f'id: r{n}, n: "{n}", amount: "> {n}", decide: review' for n in range(5)]
    rows += ['id: all, n: "-", amount: ">= 5, < 7", decide: decline', 'id: last, n: "-", decide: approve']
    (message,) = told(table("n, amount", rows, "first"), "shadowed")
    assert message == "'t.last' never wins: wherever it holds, 't.all' does too, and is stronger"


def test_rows_that_only_together_shadow_another_are_all_named() -> None:
    """And no other."""
    rows = ['id: low, n: "<= 4", decide: review', 'id: big, amount: "> 9", decide: review']
    rows += ['id: high, n: "> 4", decide: decline', 'id: last, n: "-", decide: approve']
    (message,) = told(table("n, amount", rows, "first"), "shadowed")
    assert message == (
        "'t.last' never wins: wherever it holds, 't.low' and 't.high' do between them, and each is stronger"
    )
