"""Checked expressions kept as JSON restore the same rules without a compiler; nothing else is accepted."""

from __future__ import annotations

import json
from typing import Any

import pytest

from rules.check import restore_rules
from rules.errors import CheckFailed
from rules.ruleset import RuleSet

TEXT = """
lists:
  embargoed: [KP, IR]
  devices: {file: lists/devices.txt}
rules:
  - {id: a, when: country in embargoed && scores.fraud > 0.5, decide: block, reason: EMBARGO}
  - {id: b, when: device in devices, cap: {fraud: 0.2}, on_unknown: fire}
  - id: c
    stage: before
    when: |
      amount > 1000
        && is_new
    decide: review
    tests:
      - {given: {amount: 2000, is_new: true}, expect: review}
"""
LISTS = {"lists/devices.txt": b"d1\nd2\n"}
VALUES = {
    "amount": 2000.0,
    "country": "KP",
    "is_new": True,
    "device": None,
    "scores.fraud": 0.7,
    "proposed": "approve",
}


@pytest.fixture
def kept(check) -> tuple[dict[str, bytes], dict[str, Any]]:
    checked = check(TEXT, lists=LISTS)
    return dict(checked.files), json.loads(json.dumps(checked.expressions()))


def restore(files: dict[str, bytes], expressions: Any, lists: dict[str, bytes] = LISTS, **others: Any):
    names = {"scores": ("fraud",), "outcomes": ("approve", "review", "block"), **others}
    return restore_rules(files, lists, expressions, **names)


def refusal(*arguments: Any, **others: Any) -> str:
    with pytest.raises(CheckFailed) as caught:
        restore(*arguments, **others)
    return str(caught.value)


def test_restored_rules_are_the_checked_rules(check, kept) -> None:
    """Conditions, order, ranks and lists come back equal, and so do verdicts."""
    checked, restored = check(TEXT, lists=LISTS), restore(*kept)
    assert [(r.id, r.condition, r.rank) for r in restored.rules] == [
        (r.id, r.condition, r.rank) for r in checked.rules
    ]
    assert (restored.lists, restored.list_files) == (checked.lists, checked.list_files)
    one, other = RuleSet.compile(checked), RuleSet.compile(restored)
    assert one.after(VALUES) == other.after(VALUES)
    assert one.before(VALUES) == other.before(VALUES)
    assert restored.expressions() == checked.expressions()


def test_a_rule_without_its_expression_is_refused(kept) -> None:
    """The rule's place is named."""
    files, expressions = kept
    del expressions["rules"]["b"]
    assert "rules/cards.yaml:7:19: no checked expression of 'b'" in refusal(files, expressions)


def test_an_expression_of_another_text_is_refused(kept) -> None:
    """A rule file edited behind the bundle's back does not run the old expression."""
    files, expressions = kept
    edited = {name: data.replace(b"> 0.5", b"> 0.9") for name, data in files.items()}
    assert "rules/cards.yaml:6:19: the checked expression of 'a' is of another text" in refusal(
        edited, expressions
    )


def test_an_expression_without_a_rule_is_refused(kept) -> None:
    """Nothing is kept that no rule uses."""
    files, expressions = kept
    expressions["rules"]["z"] = expressions["rules"]["a"]
    assert "no rule 'z'" in refusal(files, expressions)


@pytest.mark.parametrize("checked", ["", "!!!", "AAAA", "c2hvcnQ=", 7, None, ["x"], "////" * 1000])
def test_bytes_that_are_no_expression_are_refused(kept, checked: Any) -> None:
    """Garbage in place of a checked expression is a problem at its rule."""
    files, expressions = kept
    expressions["rules"]["a"]["checked"] = checked
    assert "rules/cards.yaml:6:19: " in refusal(files, expressions)


@pytest.mark.parametrize(
    "expressions", [{}, [], None, 7, {"rules": None}, {"rules": []}, {"rules": {"a": 1}}]
)
def test_other_shapes_are_refused(kept, expressions: Any) -> None:
    """What is not a mapping of rules to expressions restores nothing."""
    assert "no checked expression of 'a'" in refusal(kept[0], expressions)


def test_a_swapped_expression_must_still_fit(kept) -> None:
    """An expression that needs a list of another type, an unknown score or gives no bool is refused."""
    files, expressions = kept
    lists = {"lists/devices.txt": b"1\n2\n"}
    typed = {name: data.replace(b"devices.txt}", b"devices.txt, type: int}") for name, data in files.items()}
    assert "needs the list 'devices' of string" in refusal(typed, expressions, lists)
    renamed = {name: data.replace(b"cap: {fraud: 0.2}", b"tag: x") for name, data in files.items()}
    assert "needs 'scores.fraud'" in refusal(renamed, expressions, scores=("other",))


def test_a_missing_list_file_is_refused(kept) -> None:
    """The bundle must hold every list file that its rules name."""
    assert "the list file 'lists/devices.txt' does not exist" in refusal(*kept, {})


def test_inline_tests_are_the_authors(kept) -> None:
    """Tests ran when the rules were checked; restoring does not read them again."""
    assert all(rule.cases == () for rule in restore(*kept).rules)
