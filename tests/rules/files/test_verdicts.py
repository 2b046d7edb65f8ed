"""One meaning, three times: plain Python over the CEL runtime, one record at a time, and whole columns."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st

from rules.cel import Checker
from rules.checked_rules import CheckedRules
from rules.errors import CheckFailed
from rules.expression import Variable
from rules.reference import evaluate
from rules.restore import restore_rules
from rules.ruleset import RuleSet
from rules.verdict import Verdict, join_lists
from tests.rules.files.conftest import OUTCOMES, SCORES, VARIABLES

CHECKER = Checker(
    [
        *VARIABLES,
        *(Variable(f"scores.{score}", "double") for score in SCORES),
        Variable("proposed", "string", values=OUTCOMES),
    ],
    {"embargoed": "string"},
)

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
        "mode": draw(st.sampled_from(["enforce", "enforce", "enforce", "enforce", "shadow", "off"])),
        "on_unknown": draw(st.sampled_from(["skip", "fire", "review"])),
    }
    if draw(st.booleans()):
        written["reason"] = draw(st.sampled_from(["LARGE", "NEW", "ODD", "HIT_POLICY_UNIQUE_VIOLATED"]))
    if draw(st.booleans()):
        written["tag"] = draw(st.lists(st.sampled_from(["a", "b", "c"]), min_size=1, max_size=2, unique=True))
    for key, values in (("stop", st.just(True)), ("effective", PERIOD), ("rollout", ROLLOUT)):
        if draw(st.integers(0, 3)) == 0:
            written[key] = draw(values)
    if draw(st.integers(0, 3)) == 0:
        written["except"] = draw(st.lists(exception(stage), max_size=3))
    return written


DAYS = ["2026-11-01", "2026-11-02T12:00:00+01:00", "2026-11-03", "2026-11-04T00:00:00.000001Z"]
PERIOD = (
    st.sampled_from([(one, other) for one in (None, *DAYS) for other in (*DAYS, None)])
    .filter(lambda ends: any(ends) and (not all(ends) or DAYS.index(ends[0]) < DAYS.index(ends[1])))
    .map(lambda ends: {key: end for key, end in zip(("from", "until"), ends, strict=True) if end})
)
ROLLOUT = st.fixed_dictionaries(
    {
        "percent": st.sampled_from([0, 0.01, 25, 50.5, 75, 100]),
        "key": st.sampled_from(["device", "count", "country"]),
    },
    optional={"salt": st.sampled_from(["winter", "é"])},
)


def exception(stage: str) -> st.SearchStrategy[dict[str, Any]]:
    """Draw an entry of `except:`."""
    about = st.one_of(
        st.sampled_from(CONDITIONS[stage]).map(lambda when: {"when": when}),
        st.dictionaries(st.just("device"), st.sampled_from(["d1", "d2"]), min_size=1),
        st.just({"country": "KP", "is_new": True}),
        st.just({"amount": 10}),
    )
    own = {"owner": "ops", "reason": "cleared"}
    return st.tuples(about, st.sampled_from(DAYS)).map(lambda drawn: drawn[0] | own | {"expires": drawn[1]})


@st.composite
def rule_files(draw) -> dict[str, str]:
    """Draw up to three rule files, of all hit policies, with rules of both stages, in some order."""
    files: dict[str, Any] = {}
    number = 0
    names = draw(st.lists(st.sampled_from(["a", "b", "c"]), min_size=1, max_size=3, unique=True))
    for name in names:
        policy = draw(st.sampled_from(["first", "priority", "unique", "collect"]))
        rules = draw(st.lists(st.one_of(rule("before"), rule("after")), max_size=6))
        stated = draw(st.booleans())
        for written in rules:
            written["id"] = f"{name}{number}"
            if stated:  # outcomes of one severity may share a priority, others not
                low = draw(st.integers(0, 2)) * 3
                written["priority"] = low + ("approve", "review", "block", None).index(written.get("decide"))
            number += 1
        files[name] = {"hit_policy": policy, "rules": rules}
    if draw(st.booleans()):
        for order, name in enumerate(names):
            files[name]["order"] = 10 * order - 5
    files[max(files)]["lists"] = {"embargoed": ["KP", "IR"]}
    return {name: json.dumps(content) for name, content in files.items()}


MOMENTS = [
    int(dt.datetime.fromisoformat(day).replace(tzinfo=dt.UTC).timestamp()) * 1_000_000 + step
    for day in ("2026-10-31", "2026-11-01", "2026-11-02T11:00:00", "2026-11-03", "2026-11-04")
    for step in (-1, 0, 1)
]
SCORE = st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.500001, 0.75, 1.0])
ROW = st.fixed_dictionaries(
    {
        "amount": st.none() | st.sampled_from([0.0, 10.0, 10.5, 49.0, 1e300]),
        "count": st.none() | st.integers(-1, 3) | st.just(2**63 - 1),
        "country": st.none() | st.sampled_from(["GB", "FR", "KP", "IR", ""]),
        "device": st.none() | st.sampled_from(["d1", "d2"]),
        "is_new": st.none() | st.booleans(),
        "at": st.none() | st.sampled_from(MOMENTS),
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


def moment(text: str) -> int:
    """Give microseconds since the epoch of a day or a time, by the standard library."""
    read = dt.datetime.fromisoformat(text)
    read = read if read.tzinfo else read.replace(tzinfo=dt.UTC)
    return (read - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)) // dt.timedelta(microseconds=1)


def kleene(*parts: bool | None) -> bool | None:
    """Join by `&&`: false if one is, else unknown (None) if one is."""
    return False if False in parts else None if None in parts else True


def result(text: str, values: dict[str, Any], entries: dict[str, Any]) -> bool | None:
    """Give what the CEL runtime says of a condition as written; None is unknown."""
    found = evaluate(CHECKER.check(text), values, entries)
    return found if isinstance(found, bool) else None


def in_period(effective: dict[str, str], at: int | None) -> bool | None:
    """Say whether an event's time is in a period, half-open."""
    if at is None:
        return None
    return not (
        ("from" in effective and at < moment(effective["from"]))
        or ("until" in effective and at >= moment(effective["until"]))
    )


def excepted(entry: dict[str, Any], values: dict[str, Any], entries: dict[str, Any]) -> bool:
    """Say whether an entry of `except:` holds."""
    own = ("owner", "reason", "expires")
    parts = [values[name] == value for name, value in entry.items() if name not in (*own, "when")]
    if "when" in entry:
        parts.append(result(entry["when"], values, entries))
    return kleene(in_period({"until": entry["expires"]}, values["at"]), *parts) is True


def rolled_out(written: dict[str, Any], values: dict[str, Any]) -> bool:
    """Say whether a record is in a rule's rollout, as docs/rule-language.md says it byte by byte."""
    if "rollout" not in written:
        return True
    rollout = written["rollout"]
    key = values[rollout["key"]]
    if key is None:
        return False
    hashed = hashlib.sha256(f"{rollout.get('salt', written['id'])}\0{key}".encode()).hexdigest()
    return int(hashed[:16], 16) % 10_000 < rollout["percent"] * 100


def fate(written: dict[str, Any], values: dict[str, Any], entries: dict[str, Any]) -> tuple[Any, str]:
    """Give what a rule's condition comes to (None: unknown), and the list that the rule then belongs in."""
    parts = [in_period(written["effective"], values["at"])] if "effective" in written else []
    holds = kleene(*parts, result(written["when"], values, entries))
    if not (holds or (holds is None and written["on_unknown"] in ("fire", "review"))):
        return holds, "nowhere"
    if any(excepted(entry, values, entries) for entry in written.get("except", [])):
        return holds, "suppressed"
    on_trial = written["mode"] == "shadow" or not rolled_out(written, values)
    return holds, "shadow" if on_trial else "fired"


def strength(policy: str, written: dict[str, Any], outcome: str, place: int) -> tuple[int, ...]:
    """Give what the hit policy orders by, the strongest first."""
    severity = -OUTCOMES.index(outcome)
    if policy == "first":
        return (place,)
    return (-written.get("priority", 0), severity, place) if policy == "priority" else (severity, place)


def plainly(
    files: dict[str, str], checked: CheckedRules, stage: str, values: dict[str, Any]
) -> tuple[Verdict, list[str]]:
    """Say what the rules say, as the documentation puts it, with no thought for speed.

    Also gives the rules on trial that were left open.
    """
    where: dict[str, list[Any]] = {name: [] for name in ("fired", "shadow", "suppressed", "nowhere")}
    unknown, on_trial, deciders = [], [], []
    violated = stopped = False
    contents = {name: json.loads(text) for name, text in files.items()}
    order = sorted(contents, key=lambda name: (contents[name].get("order", 0), name))
    for file_number, content in enumerate(contents[name] for name in order):
        candidates = []
        for place, written in enumerate(content["rules"]):
            if written["stage"] != stage or written["mode"] == "off" or stopped:
                continue
            holds, listed = fate(written, values, checked.list_entries)
            where[listed].append((written, holds is None))
            if holds is None:
                (unknown if written["mode"] == "enforce" else on_trial).append(written["id"])
            if listed == "fired":
                asks = holds is None and written["on_unknown"] == "review"
                candidates.append((place, "review" if asks else written.get("decide"), written))
                stopped = "stop" in written
        policy = content["hit_policy"]
        candidates = [one for one in candidates if one[1] is not None]
        for place, outcome, written in candidates:
            deciders.append((file_number, *strength(policy, written, outcome, place), outcome, written))
        violated = violated or (policy == "unique" and len(candidates) > 1)
    fired = where["fired"]
    deciders.sort(key=lambda decider: decider[:-2])
    marks = ["HIT_POLICY_UNIQUE_VIOLATED"] if violated else []
    adjusted, makers = {}, []
    for score in checked.scores:
        bounding = [one for one, is_open in fired if not (is_open and one["on_unknown"] == "review")]
        caps = [(one["cap"][score], one["id"]) for one in bounding if score in one.get("cap", ())]
        floors = [(one["floor"][score], one["id"]) for one in bounding if score in one.get("floor", ())]
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
    adjusted_by = min(makers, key=ids.index) if makers else None
    decider = deciders[0][-1]["id"] if deciders else adjusted_by
    told = [*(one for one, _ in fired if one["id"] == decider), *(one for one, _ in fired)]
    tags = [one.get("tag", []) for one, _ in fired]
    verdict = Verdict(
        outcome=deciders[0][-2] if deciders else None,
        decided_by=deciders[0][-1]["id"] if deciders else None,
        adjusted=adjusted,
        adjusted_by=adjusted_by,
        reasons=tuple(dict.fromkeys([*(one["reason"] for one in told if "reason" in one), *marks])),
        fired=tuple(one["id"] for one, _ in fired),
        shadow=tuple(one["id"] for one, _ in where["shadow"]),
        suppressed=tuple(one["id"] for one, _ in where["suppressed"]),
        unknown=tuple(unknown),
        tags=tuple(dict.fromkeys(tag for some in tags for tag in ([some] if some == "quiet" else some))),
    )
    return verdict, on_trial


@settings(max_examples=150, deadline=None)
@given(files=rule_files(), rows=st.lists(ROW, max_size=12))
def test_record_batch_and_plain_meaning_agree(
    check, files: dict[str, str], rows: list[dict[str, Any]]
) -> None:
    """For any rule files and any rows, the three ways give the same verdicts, and so do rules restored."""
    try:
        checked = check(files)
    except CheckFailed:  # two deciding rules of one condition
        reject()
    kept = json.loads(json.dumps(checked.expressions()))
    restored = restore_rules(checked.files, {}, kept, scores=checked.scores, outcomes=checked.outcomes)
    assert restored.expressions() == checked.expressions()
    again = RuleSet.compile(restored)
    rule_set = RuleSet.compile(checked)
    batch = as_batch(rows)
    for stage, one, many, other in (
        ("before", rule_set.before, rule_set.before_batch(batch.select(NAMES)), again.before),
        ("after", rule_set.after, rule_set.after_batch(batch), again.after),
    ):
        assert len(many) == len(rows)
        said = [plainly(files, checked, stage, row) for row in rows]
        verdicts = [verdict for verdict, _ in said]
        assert [one(row) for row in rows] == verdicts
        assert [other(row) for row in rows] == verdicts
        assert [many.row(index) for index in range(len(rows))] == verdicts
        for index, rule_id in enumerate(rule_set.rules):
            for name in ("fired", "shadow", "suppressed"):
                counted = sum(rule_id in getattr(verdict, name) for verdict in verdicts)
                assert getattr(many, f"{name}_counts")[index] == counted
            counted = sum(rule_id in (*verdict.unknown, *on_trial) for verdict, on_trial in said)
            assert many.unknown_counts[index] == counted


LISTS = st.lists(st.lists(st.integers(0, 2), max_size=3), max_size=8)


@given(first=LISTS, data=st.data())
def test_joined_lists_are_the_lists_joined(first: list[list[int]], data) -> None:
    """The after-lists of some rows follow the before-lists of the same rows, or come first where told."""
    names = pa.array(["x", "y", "z"])
    rows = sorted(data.draw(st.sets(st.integers(0, len(first) - 1), max_size=len(first)))) if first else []
    second = [data.draw(st.lists(st.integers(0, 2), max_size=3)) for _ in rows]
    expected = [list(one) for one in first]
    leading = [data.draw(st.booleans()) for _ in rows]
    for row, more, leads in zip(rows, second, leading, strict=True):
        expected[row] = more + expected[row] if leads else expected[row] + more

    def as_lists(codes: list[list[int]]) -> pa.ListArray:
        offsets = np.concatenate([[0], np.cumsum([len(one) for one in codes])]).astype(np.int32)
        flat = pa.DictionaryArray.from_arrays(
            pa.array([code for one in codes for code in one], pa.int32()), names
        )
        return pa.ListArray.from_arrays(pa.array(offsets), flat)

    joined = join_lists(
        as_lists(first), as_lists(second), np.array(rows, dtype=np.int64), np.array(leading, bool)
    )
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
