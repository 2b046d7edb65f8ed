"""Reason codes: fields that count against a record under their codes, the rule that decided before them."""

from __future__ import annotations

import json

import pytest

from engine.contributions import Contributions
from engine.errors import BundleError
from engine.explain import NO_REFERENCES, NOT_RUN, explain_record
from engine.explanation import Explanation
from engine.reasons import REASONS, AdverseReason, ReasonCodes, against, read_reasons, write_reasons
from engine.references import REFERENCES
from engine.runtime import Runtime
from tests.engine.core.explained import explained_bundle
from tests.engine.core.tiny import NOW, bundle, runtime, table

RECORD = {"amount": 40, "channel": "web", "at_time": "2026-03-01T12:00:00Z", "memo": "gift", "age_days": 900}
MOVED = Contributions("fraud", -2.0, 0.5, {"a": 2.0, "b": -1.5, "c": 1.0, "d": 0.75, "e": 0.25})


def explained(stated: dict[str, object] | None = None, **more: object) -> Explanation:
    parts = {} if stated is None else {REASONS: json.dumps(stated).encode()}
    if stated:
        parts["model/scores.json"] = json.dumps(
            {
                "scores": ["fraud", "grade.a", "grade.b", "grade.c"],
                "classifiers": [
                    {"name": "fraud", "scores": ["fraud"]},
                    {"name": "grade", "scores": ["grade.a", "grade.b", "grade.c"]},
                ],
                "pad_single_rows": False,
            }
        ).encode()
    opened = Runtime.open(explained_bundle(**parts))
    return explain_record(opened, {**RECORD, **more}, now=NOW)


def test_the_strongest_come_first_and_what_speaks_for_the_record_is_none() -> None:
    """Fields that raised the score, in order, under their codes; a field without a code under its name."""
    found = against(MOVED, ReasonCodes("high", {"a": "A_HIGH", "d": "D_HIGH"}))
    assert [(one.code, one.fields, one.added) for one in found] == [
        ("A_HIGH", ("a",), 2.0),
        ("c", ("c",), 1.0),
        ("D_HIGH", ("d",), 0.75),
        ("e", ("e",), 0.25),
    ]


def test_fields_of_one_code_count_together() -> None:
    """A code is as strong as its fields in sum, and none where they speak for the record on balance."""
    found = against(
        MOVED, ReasonCodes("high", {"c": "HISTORY", "d": "HISTORY", "e": "HISTORY", "b": "X", "a": "X"})
    )
    assert [(one.code, one.fields, one.added) for one in found] == [
        ("HISTORY", ("c", "d", "e"), 2.0),
        ("X", ("a",), 0.5),
    ]
    assert against(MOVED, ReasonCodes("high", dict.fromkeys("be", "Y"))) == against(
        MOVED, ReasonCodes("high", dict.fromkeys("b", "Y") | {"e": "Y"})
    )


def test_where_a_low_score_is_adverse_what_lowered_it_counts() -> None:
    """`adverse: low` turns the direction round."""
    assert [one.code for one in against(MOVED, ReasonCodes("low"))] == ["b"]


def test_by_the_policy_the_score_that_it_looked_at_is_told() -> None:
    """The line of the policy that proposed, or the lines before it, name the scores that count."""
    explanation = explained({"fraud": {"adverse": "high", "codes": {"amount": "AMOUNT"}}})
    assert explanation.decision.decided_by == "policy"
    assert set(explanation.decided_on) <= {"fraud", "grade.c"}
    reasons = explanation.adverse_reasons(score="fraud", n=10)
    up = [name for name, added in explanation.contributions["fraud"].fields.items() if added > 1e-6]
    assert [one.fields for one in reasons] == [(name,) for name in up]
    assert [one.code for one in reasons] == ["AMOUNT" if name == "amount" else name for name in up]
    assert len(explanation.adverse_reasons(score="fraud", n=2)) <= 2
    assert all(one.rule is None for one in reasons)


def test_a_rule_that_decided_without_the_model_is_the_only_reason() -> None:
    """What the model says was not weighed, so it is not told."""
    explanation = explained(country="KP")
    assert explanation.contributions == {}
    assert explanation.unexplained == NOT_RUN
    assert explanation.adverse_reasons() == (AdverseReason("EMBARGO", ("country",), rule="embargo"),)
    after = explained(amount=800, is_new=True)
    assert after.decision.decided_by == "new-large"
    assert after.decided_on == ()
    assert [one.code for one in after.adverse_reasons()] == ["LARGE"]


def test_a_rule_that_looked_at_a_score_comes_before_the_fields_that_moved_it() -> None:
    """`young` asks for scores.fraud: its reason is first, then the fields behind that score."""
    opened = Runtime.open(explained_bundle())
    records = table(200).to_pylist()
    young = [
        one for one in (explain_record(opened, record, now=NOW) for record in records) if by(one) == "young"
    ]
    assert young
    for one in young:
        assert one.decided_on == ("fraud",)
        first, *rest = one.adverse_reasons(n=20)
        assert (first.code, first.rule, first.fields) == ("YOUNG", "young", ("age_days",))
        assert rest == against(one.contributions["fraud"], ReasonCodes())


def test_a_rule_against_a_mild_proposal_is_the_only_reason() -> None:
    """One that goes by a severe proposal is followed by the fields behind it; by `approve`, by none."""
    text = b"""
filters: first
rules:
  - {id: never-approve, when: "proposed == 'approve'", decide: review, reason: NEVER}
  - {id: harder, when: "proposed == 'review'", decide: decline, reason: HARDER}
"""
    opened = Runtime.open(bundle(text, **{REFERENCES: explained_bundle().parts[REFERENCES]}))
    found = [explain_record(opened, record, now=NOW) for record in table(200).to_pylist()]
    told = {by(one): one for one in found}
    assert told["never-approve"].adverse_reasons(n=20) == (AdverseReason("NEVER", (), rule="never-approve"),)
    assert told["never-approve"].decided_on == ()
    assert told["harder"].decided_on == ("fraud", "grade.c")
    assert len(told["harder"].adverse_reasons(n=20)) > 1


def by(explanation: Explanation) -> str:
    return explanation.decision.decided_by


def test_a_bundle_without_references_says_so_and_still_gives_the_rules() -> None:
    """An old bundle explains its rules, and tells what is missing for the rest."""
    explanation = explain_record(runtime(), {**RECORD, "amount": 800, "is_new": True}, now=NOW)
    assert explanation.contributions == {}
    assert explanation.unexplained == NO_REFERENCES
    assert NO_REFERENCES in str(explanation)
    assert [one.code for one in explanation.adverse_reasons()] == ["LARGE"]


def test_it_is_told_as_text_and_as_data() -> None:
    """Log-odds, the fields with their values, the reasons; all of it JSON."""
    explanation = explained({"fraud": {"adverse": "high", "codes": {}}})
    text = str(explanation)
    assert "log-odds" in text
    assert "of reference rows" in text
    assert "other fields" in text
    data = json.loads(explanation.to_json())
    assert set(data["contributions"]) == {"fraud", "grade.a", "grade.b", "grade.c"}
    assert data["contributions"]["fraud"]["fields"].keys() == explanation.contributions["fraud"].fields.keys()
    assert data["unexplained"] == ""
    assert isinstance(data["adverse_reasons"], list)


def test_only_what_was_said_is_written() -> None:
    """A classifier of which project.yaml says nothing is not in the part."""
    stated = {"one": ReasonCodes(), "two": ReasonCodes("low"), "three": ReasonCodes("high", {"a": "A"})}
    assert write_reasons(stated) == {
        "two": {"adverse": "low", "codes": {}},
        "three": {"adverse": "high", "codes": {"a": "A"}},
    }
    assert write_reasons({"one": ReasonCodes()}) == {}


@pytest.mark.parametrize(
    "stated",
    [
        [],
        {"nobody": {"adverse": "high", "codes": {}}},
        {"fraud": {"adverse": "up", "codes": {}}},
        {"fraud": {"adverse": "high"}},
        {"fraud": {"adverse": "high", "codes": {"amount": 5}}},
        {"fraud": {"adverse": "high", "codes": []}},
        {"fraud": "high"},
    ],
)
def test_reasons_of_a_wrong_form_are_refused(stated: object) -> None:
    """A part that nobody of ours wrote is refused by its name."""
    made = explained_bundle(**{REASONS: json.dumps(stated).encode()})
    with pytest.raises(BundleError) as refused:
        read_reasons(made, [{"name": "fraud", "scores": ["fraud"]}])
    assert refused.value.part == REASONS
