"""Rules without one of them: the same as if it had never been written, for records and for batches."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rules.ruleset import RuleSet
from rules.verdict import Verdict
from tests.rules.tables.small import RECORDS, batch, check, tables, whole

RULES = """
variables: {big: amount > 2.0}
rules:
  - {id: large, when: variables.big, decide: review, reason: LARGE, except: [EXCEPTION]}
  - {id: halt, when: "tier == 'a' && variables.big", stop: true, tag: halted}
  - {id: capped, when: count > 2, cap: {fraud: 0.2}, on_unknown: fire}
  - {id: asked, when: is_new, decide: block, on_unknown: review}
  - {id: early, stage: before, when: "tier == 'b'", decide: approve}
tables:
  - id: t
    hit_policy: POLICY
    inputs: [tier, amount]
    rows:
      - {id: one, tier: a, amount: "> 1", decide: block}
      - {id: two, tier: a, decide: review}
      - {id: three, amount: "> 2", decide: review, reason: THREE}
""".replace("EXCEPTION", "{tier: c, owner: o, reason: r, expires: 2026-06-01}")
IDS = ("large", "halt", "capped", "asked", "early", "t.one", "t.two", "t.three")


def judged(rules: RuleSet, record: dict[str, Any]) -> tuple[Verdict, Verdict]:
    return rules.before(whole(record)), rules.after(whole(record))


@given(
    st.lists(RECORDS, min_size=1, max_size=12), st.sampled_from(IDS), st.sampled_from(["collect", "first"])
)
@settings(max_examples=60, deadline=None)
def test_without_a_rule_is_as_if_it_were_not_there(
    records: list[dict[str, Any]], gone: str, policy: str
) -> None:
    """Verdicts equal those of the rules compiled without it, a record at a time and as columns."""
    checked = check(RULES.replace("POLICY", policy), event_time="at")
    less, other = RuleSet.compile(checked).without(gone), RuleSet.compile(checked.without(gone))
    for record in records:
        assert judged(less, record) == judged(other, record)
    rows = batch([whole(record) for record in records])
    for one, two in (
        (less.before_batch(rows), other.before_batch(rows)),
        (less.after_batch(rows), other.after_batch(rows)),
    ):
        assert [one.row(at) for at in range(len(records))] == [two.row(at) for at in range(len(records))]


@given(tables(hit_policy="first"), st.lists(RECORDS, min_size=1, max_size=6), st.data())
@settings(max_examples=40, deadline=None)
def test_without_a_row_the_next_one_of_a_table_decides(
    text: str, records: list[dict[str, Any]], data: st.DataObject
) -> None:
    """A row that hit first gives way to the row that would have."""
    checked = check(text)
    gone = data.draw(st.sampled_from(checked.ids))
    less, other = RuleSet.compile(checked).without(gone), RuleSet.compile(checked.without(gone))
    for record in records:
        assert judged(less, record) == judged(other, record)


def test_a_rule_that_is_not_there_cannot_be_left_out() -> None:
    """An unknown id raises KeyError."""
    with pytest.raises(KeyError, match="nobody"):
        RuleSet.compile(check(RULES.replace("POLICY", "collect"), event_time="at")).without("nobody")
