"""One meaning, three times: plain Python over the CEL runtime, one record at a time, and whole columns."""

from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from rules.checked_rules import CheckedRules
from rules.reference import evaluate
from rules.ruleset import RuleSet
from rules.verdict import Verdict, join_lists

CONDITIONS = {
    "before": [
        "amount > 10.0",
        "amount > 10 && count < 3",
        "country == 'KP' || is_new",
        "country in embargoed",
        "count % 2 == 0",
        "10 / count > 1",
        "is_new",
        "!is_new && amount < 50",
        "country.startsWith('F')",
        "true",
        "false",
    ],
    "after": [
        "scores.fraud > 0.5",
        "scores.fraud > 0.5 && amount > 10",
        "proposed == 'review'",
        "proposed == 'block' || is_new",
        "amount > 10",
        "count == 1",
        "device == null",
        "true",
    ],
}
NAMES = ["amount", "count", "country", "device", "is_new", "at", "account_age_days"]
TYPES = {
    "amount": pa.float64(),
    "count": pa.int64(),
    "account_age_days": pa.int64(),
    "country": pa.string(),
    "device": pa.string(),
    "is_new": pa.bool_(),
    "at": pa.timestamp("us", "UTC"),
    "scores.fraud": pa.float64(),
    "scores.grade.a": pa.float64(),
    "scores.grade.b": pa.float64(),
    "proposed": pa.string(),
}
BOUND = st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0])


@st.composite
def rule(draw, stage: str) -> dict[str, Any]:
    """Draw a rule of a stage, without its id."""
    bounds = st.dictionaries(st.sampled_from(["fraud", "grade.a"]), BOUND, min_size=1, max_size=2)
    effects: dict[str, Any] = {
        "decide": st.sampled_from(["approve", "review", "block"]),
        "tag": st.just("quiet"),
    }
    if stage == "after":
        effects |= {"cap": bounds, "floor": bounds}
    effect = draw(st.sampled_from(sorted(effects)))
    written = {
        "stage": stage,
        "when": draw(st.sampled_from(CONDITIONS[stage])),
        effect: draw(effects[effect]),
        "mode": draw(st.sampled_from(["enforce", "enforce", "enforce", "shadow", "off"])),
        "on_unknown": draw(st.sampled_from(["skip", "fire", "review"])),
        "priority": draw(st.integers(0, 2)),
    }
    if draw(st.booleans()):
        written["reason"] = draw(st.sampled_from(["LARGE", "NEW", "ODD"]))
    if draw(st.booleans()):
        written["tag"] = draw(st.lists(st.sampled_from(["a", "b", "c"]), min_size=1, max_size=2, unique=True))
    return written


@st.composite
def rule_files(draw) -> dict[str, str]:
    """Draw up to three rule files, of both hit policies, with rules of both stages."""
    files = {}
    number = 0
    for name in draw(st.lists(st.sampled_from(["a", "b", "c"]), min_size=1, max_size=3, unique=True)):
        rules = draw(st.lists(st.one_of(rule("before"), rule("after")), max_size=6))
        for written in rules:
            written["id"] = f"{name}{number}"
            number += 1
        files[name] = {"hit_policy": draw(st.sampled_from(["first", "priority"])), "rules": rules}
    files[max(files)]["lists"] = {"embargoed": ["KP", "IR"]}
    return {name: yaml.safe_dump(content) for name, content in files.items()}


SCORE = st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.500001, 0.75, 1.0])
ROW = st.fixed_dictionaries(
    {
        "amount": st.none() | st.sampled_from([0.0, 10.0, 10.5, 49.0, 1e300]),
        "count": st.none() | st.integers(-1, 3) | st.just(2**63 - 1),
        "country": st.none() | st.sampled_from(["GB", "FR", "KP", "IR", ""]),
        "device": st.none() | st.sampled_from(["d1", "d2"]),
        "is_new": st.none() | st.booleans(),
        "at": st.just(0),
        "account_age_days": st.none(),
        "scores.fraud": SCORE,
        "scores.grade.a": SCORE,
        "scores.grade.b": SCORE,
        "proposed": st.sampled_from(["approve", "review", "block"]),
    }
)


def as_batch(rows: list[dict[str, Any]]) -> pa.RecordBatch:
    """Lay rows out as a normal batch."""
    columns = [pa.array([row[name] for row in rows], kind) for name, kind in TYPES.items()]
    return pa.RecordBatch.from_arrays(columns, names=list(TYPES))


def plainly(checked: CheckedRules, stage: str, values: dict[str, Any]) -> Verdict:
    """Say what the rules say, as the documentation puts it, with no thought for speed."""
    fired, shadow, unknown, deciders = [], [], [], []
    for file_number, filters in enumerate(checked.filters):
        for place, written in enumerate(filters.rules):
            if written.stage != stage or written.mode == "off":
                continue
            condition = next(one.condition for one in checked.rules if one.id == written.id)
            result = evaluate(condition, values, checked.list_entries)
            is_open = not isinstance(result, bool)  # UNKNOWN, or a bool field that is missing
            if is_open and written.mode == "enforce":
                unknown.append(written.id)
            if result is not True and not (is_open and written.on_unknown in ("fire", "review")):
                continue
            if written.mode == "shadow":
                shadow.append(written.id)
                continue
            fired.append((written, is_open))
            outcome = "review" if is_open and written.on_unknown == "review" else written.decide
            if outcome is not None:
                first = -written.priority if filters.hit_policy == "priority" else 0
                deciders.append((file_number, first, place, outcome, written))
    deciders.sort(key=lambda decider: decider[:3])
    leading = [deciders[0][4]] if deciders else []
    adjusted, makers = {}, []
    for score in checked.scores:
        bounding = [one for one, is_open in fired if not (is_open and one.on_unknown == "review")]
        caps = [(one.cap[score], one.id) for one in bounding if score in one.cap]
        floors = [(one.floor[score], one.id) for one in bounding if score in one.floor]
        raw = value = values.get(f"scores.{score}")
        maker = None
        if caps and min(caps, key=lambda cap: cap[0])[0] < value:
            value, maker = min(caps, key=lambda cap: cap[0])
        if floors and max(floors, key=lambda floor: floor[0])[0] > value:
            value, maker = max(floors, key=lambda floor: floor[0])
        if value != raw:
            adjusted[score] = value
            makers.append(maker)
    ids = [one.id for one in checked.rules]
    return Verdict(
        outcome=deciders[0][3] if deciders else None,
        decided_by=deciders[0][4].id if deciders else None,
        adjusted=adjusted,
        adjusted_by=min(makers, key=ids.index) if makers else None,
        reasons=tuple(
            dict.fromkeys(one.reason for one in [*leading, *(one for one, _ in fired)] if one.reason)
        ),
        fired=tuple(one.id for one, _ in fired),
        shadow=tuple(shadow),
        unknown=tuple(unknown),
        tags=tuple(dict.fromkeys(tag for one, _ in fired for tag in one.tags)),
    )


@settings(max_examples=150, deadline=None)
@given(files=rule_files(), rows=st.lists(ROW, max_size=12))
def test_record_batch_and_plain_meaning_agree(
    check, files: dict[str, str], rows: list[dict[str, Any]]
) -> None:
    """For any rule files and any rows, the three ways give the same verdicts, field by field."""
    checked = check(files)
    rule_set = RuleSet.compile(checked)
    batch = as_batch(rows)
    for stage, one, many in (
        ("before", rule_set.before, rule_set.before_batch(batch.select(NAMES))),
        ("after", rule_set.after, rule_set.after_batch(batch)),
    ):
        assert len(many) == len(rows)
        verdicts = [plainly(checked, stage, row) for row in rows]
        assert [one(row) for row in rows] == verdicts
        assert [many.row(index) for index in range(len(rows))] == verdicts
        for index, rule_id in enumerate(rule_set.rules):
            assert many.fired_counts[index] == sum(rule_id in verdict.fired for verdict in verdicts)


LISTS = st.lists(st.lists(st.integers(0, 2), max_size=3), max_size=8)


@given(first=LISTS, data=st.data())
def test_joined_lists_are_the_lists_joined(first: list[list[int]], data) -> None:
    """The after-lists of some rows follow the before-lists of the same rows."""
    names = pa.array(["x", "y", "z"])
    rows = sorted(data.draw(st.sets(st.integers(0, len(first) - 1), max_size=len(first)))) if first else []
    second = [data.draw(st.lists(st.integers(0, 2), max_size=3)) for _ in rows]
    expected = [list(one) for one in first]
    for row, more in zip(rows, second, strict=True):
        expected[row] += more

    def as_lists(codes: list[list[int]]) -> pa.ListArray:
        offsets = np.concatenate([[0], np.cumsum([len(one) for one in codes])]).astype(np.int32)
        flat = pa.DictionaryArray.from_arrays(
            pa.array([code for one in codes for code in one], pa.int32()), names
        )
        return pa.ListArray.from_arrays(pa.array(offsets), flat)

    joined = join_lists(as_lists(first), as_lists(second), np.array(rows, dtype=np.int64))
    assert joined.to_pylist() == [[names[code].as_py() for code in one] for one in expected]


def judged(check, rules: str, **values: Any) -> Verdict:
    """Judge one record by the `after` rules given as YAML rows."""
    row = {**dict.fromkeys(TYPES), "scores.fraud": 0.5, "proposed": "approve", **values}
    return RuleSet.compile(check("rules:\n" + rules)).after(row)


@pytest.mark.parametrize(
    ("raw", "cap", "floor", "expected", "by"),
    [
        (0.5, 0.9, 0.1, None, None),  # a bound that the score keeps changes nothing
        (0.5, 0.2, 0.1, 0.2, "c"),
        (0.5, 0.9, 0.7, 0.7, "f"),
        (0.5, 0.2, 0.7, 0.7, "f"),  # where they cross, the floor wins
        (0.75, 0.25, 0.5, 0.5, "f"),  # the floor is held against the capped score
        (0.5, 0.25, 0.5, None, None),  # back to where it was: no change, nobody named
        (0.5, 0.5, 0.5, None, None),
        (None, 0.2, 0.7, None, None),  # a score that is missing stays missing
    ],
)
def test_caps_then_floors(
    check, raw: float | None, cap: float, floor: float, expected: float | None, by: str | None
) -> None:
    """A cap lowers, a floor raises, the floor comes last; alone and in a batch."""
    capped, floored = f"cap: {{fraud: {cap}}}", f"floor: {{fraud: {floor}}}"
    rules = f"rules: [{{id: c, when: 'true', {capped}}}, {{id: f, when: 'true', {floored}}}]"
    rule_set = RuleSet.compile(check(rules))
    row = {**dict.fromkeys(TYPES), "scores.fraud": raw}
    adjusted = {} if expected is None else {"fraud": expected}
    verdict = Verdict(adjusted=adjusted, adjusted_by=by, fired=("c", "f"))
    assert rule_set.after(row) == verdict
    assert rule_set.after_batch(as_batch([row])).row(0) == verdict


def test_a_missing_value_can_ask_for_review(check) -> None:
    """`on_unknown: review` decides review in place of what the rule decides, and says that it was open."""
    rules = "  - {id: a, when: amount > 1, decide: block, on_unknown: review, reason: R}"
    expected = Verdict("review", "a", reasons=("R",), fired=("a",), unknown=("a",))
    assert judged(check, rules) == expected


def test_a_cap_left_open_for_review_does_not_bound(check) -> None:
    """A rule that asks for review because it is open does not apply its cap."""
    rules = "  - {id: a, when: amount > 1, cap: {fraud: 0.1}, on_unknown: review}"
    assert judged(check, rules).adjusted == {}


def test_the_same_combination_of_rules_is_worked_out_once(check) -> None:
    """Two records on which the same rules act get the very same verdict."""
    rule_set = RuleSet.compile(check("rules: [{id: a, when: amount > 1, decide: block}]"))
    one, two = ({**dict.fromkeys(TYPES), "amount": amount} for amount in (2.0, 3.0))
    assert rule_set.after(one) is rule_set.after(two)


def test_a_time_zone_is_no_obstacle(check) -> None:
    """A timestamp column and the microseconds of a record are the same moments."""
    rule_set = RuleSet.compile(
        check("rules: [{id: a, when: \"at < timestamp('2026-11-01T00:00:00Z')\", tag: early}]")
    )
    moment = dt.datetime(2026, 10, 31, 23, 59, tzinfo=dt.UTC)
    row = {**dict.fromkeys(TYPES), "at": int(moment.timestamp()) * 1_000_000}
    assert rule_set.after(row).tags == ("early",)
    assert rule_set.after_batch(as_batch([row])).row(0).tags == ("early",)


def test_an_unknown_rule_id_is_a_key_error(check) -> None:
    """`rule` finds by id."""
    rule_set = RuleSet.compile(check("rules: [{id: a, when: amount > 1, decide: block}]"))
    assert rule_set.rule("a").rule.decide == "block"
    with pytest.raises(KeyError):
        rule_set.rule("b")
