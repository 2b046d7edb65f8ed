"""The policy: the first row that holds proposes, alone and in a batch, and it is kept as JSON."""

from __future__ import annotations

import json
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rules.errors import CheckFailed, RulesError
from rules.expression import Variable
from rules.policy import Policy
from rules.reader import read_yaml

VARIABLES = (Variable("amount", "double"), Variable("scores.fraud", "double", nullable=False))
OUTCOMES = ("approve", "review", "block")
TEXT = """
policy:
  - {when: scores.fraud >= 0.9, decide: block}
  - {when: scores.fraud >= 0.5 && amount > 100, decide: review}
  - {when: "true", decide: approve}
"""


def policy(text: str = TEXT) -> Policy:
    document = read_yaml(text.encode(), "project.yaml")
    return Policy.check(
        document.root["policy"], document, ("policy",), variables=VARIABLES, outcomes=OUTCOMES
    )


def refusal(text: str) -> str:
    with pytest.raises(CheckFailed) as caught:
        policy(text)
    return str(caught.value)


ROWS = st.lists(
    st.fixed_dictionaries(
        {"amount": st.none() | st.floats(0, 200), "scores.fraud": st.none() | st.floats(0, 1)}
    ),
    max_size=20,
)


@settings(deadline=None)
@given(ROWS)
def test_record_and_batch_propose_the_same(rows: list[dict[str, Any]]) -> None:
    """The first row that holds wins; an unknown row does not hold."""
    one = policy()
    columns = {
        name: pa.array([row[name] for row in rows], pa.float64()) for name in ("amount", "scores.fraud")
    }
    codes = one.propose_batch(pa.RecordBatch.from_pydict(columns))
    expected = []
    for row in rows:
        fraud, amount = row["scores.fraud"], row["amount"]
        if fraud is not None and fraud >= 0.9:
            expected.append("block")
        elif fraud is not None and amount is not None and fraud >= 0.5 and amount > 100:
            expected.append("review")
        else:
            expected.append("approve")
    assert [OUTCOMES[code] for code in codes] == expected
    assert [one.propose(row) for row in rows] == expected


def test_a_policy_comes_back_from_json() -> None:
    """What is kept proposes the same, without a compiler."""
    kept = json.loads(json.dumps(policy().to_json()))
    restored = Policy.restore(kept)
    assert restored == policy()
    assert restored.propose({"amount": 200.0, "scores.fraud": 0.6}) == "review"


def test_a_bare_true_is_a_condition() -> None:
    """`when: true` needs no quotes."""
    assert (
        policy("policy: [{when: true, decide: block}]").propose({"amount": 1.0, "scores.fraud": 0.0})
        == "block"
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("policy: []", "project.yaml:1:9: the policy has no rows"),
        ("policy: {a: b}", "project.yaml:1:9: 'policy' must be a list, got keys and values"),
        ("policy: [3]", "project.yaml:1:10: a row of the policy must be keys and values, got 3"),
        ("policy: [{when: amount > 1, decide: block}]", "1:17: the last row of the policy must always hold"),
        ("policy: [{decide: block}]", "1:10: a row of the policy needs 'when'"),
        ("policy: [{when: 'true'}]", "1:10: a row of the policy needs 'decide'"),
        ("policy: [{when: 'true', decide: blok}]", "1:33: unknown outcome 'blok'; did you mean 'block'?"),
        ("policy: [{when: 'true', decide: block, id: 3}]", "1:40: unknown key 'id'"),
        ("policy: [{when: score.fraud > 1, decide: block}]", "1:17: unknown field 'score.fraud'"),
    ],
)
def test_a_wrong_policy_is_refused_at_its_place(text: str, message: str) -> None:
    """Each mistake is named with its place."""
    assert message in refusal(text)


def test_all_mistakes_of_a_policy_come_at_once() -> None:
    """Form, expressions and outcomes are reported together."""
    told = refusal(
        "policy:\n  - {when: amout > 1, decide: blok}\n  - {when: amount > , decide: block, x: 1}\n"
    )
    assert [line.split(":")[1] for line in told.splitlines() if line.startswith("project")] == [
        "2",
        "2",
        "3",
        "3",
    ]


@pytest.mark.parametrize(
    "change",
    [
        lambda kept: kept.pop("rows"),
        lambda kept: kept.update(rows=[]),
        lambda kept: kept.update(rows=[7]),
        lambda kept: kept.update(outcomes=["approve"]),
        lambda kept: kept["rows"].pop(),
        lambda kept: kept["rows"][0].update(checked="AAAA"),
        lambda kept: kept["rows"][0].update(checked="é"),
        lambda kept: kept["rows"][0].update(checked=None),
    ],
)
def test_a_policy_that_was_tampered_with_is_refused(change) -> None:
    """Only `RulesError` comes out, whatever was done to the JSON."""
    kept = json.loads(json.dumps(policy().to_json()))
    change(kept)
    with pytest.raises(RulesError):
        Policy.restore(kept)
