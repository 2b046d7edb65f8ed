"""Checking sets of rule files: order, sharing, bounds, and that nothing but `CheckFailed` ever comes out."""

from __future__ import annotations

from contextlib import suppress

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from rules.check import check_rules
from rules.errors import CheckFailed
from rules.files import CASE_KEYS, FILE_KEYS, RULE_KEYS, SOURCE_KEYS
from rules.ruleset import RuleSet


def test_files_count_in_the_order_of_their_names(check) -> None:
    """Rules are numbered file by file as written; ranks follow the hit policy of each file."""
    checked = check(
        {
            "b": "rules: [{id: b0, when: amount > 1, tag: x}]",
            "a": "hit_policy: priority\nrules:\n"
            "  - {id: a0, when: amount > 1, tag: x}\n"
            "  - {id: a1, when: amount > 1, tag: x, priority: 9}\n"
            "  - {id: a2, when: amount > 1, tag: x, priority: 9}\n",
        }
    )
    ranked = sorted(checked.rules, key=lambda rule: rule.rank.decides)
    assert [rule.id for rule in ranked] == ["a1", "a2", "a0", "b0"]
    assert [rule.rank.file for rule in checked.rules] == [0, 0, 0, 1]
    assert RuleSet.compile(checked).rules == ("a0", "a1", "a2", "b0")


def test_a_project_may_have_no_rules(check) -> None:
    """No files, or files with no rules, check; they say nothing of any record."""
    for files in ({}, {"a": "rules: []"}):
        rule_set = RuleSet.compile(check(files))
        assert rule_set.after({}) is rule_set.after({})
        assert rule_set.after({}).outcome is None


def test_the_set_says_which_scores_it_bounds(check) -> None:
    """A score that some enforced rule caps or floors is one that decisions show as adjusted."""
    rule_set = RuleSet.compile(
        check(
            "rules:\n"
            "  - {id: a, when: scores.grade.a > 0.5, tag: x}\n"
            "  - {id: b, when: amount > 1, cap: {grade.b: 0.5}}\n"
            "  - {id: c, when: scores.fraud > 0.5, tag: x, mode: 'off'}\n"
        )
    )
    assert rule_set.adjusts == ("grade.b",)


def test_checked_conditions_are_kept(check) -> None:
    """Checking the same text again gives the very same expression: an edit of one rule checks one rule."""
    text = "rules: [{id: a, when: amount > 1234, decide: block}]"
    one, other = check(text), check(text + "\n# edited")
    assert one.rules[0].condition is other.rules[0].condition


def test_a_list_that_cannot_be_read_says_why() -> None:
    """The reader's own words are told at the list's place."""

    def refuse(path: str) -> bytes:
        raise PermissionError(13, "Permission denied")

    with pytest.raises(
        CheckFailed, match=r"a.yaml:1:19: the list file 'lists/a.txt' cannot be read: Permission denied"
    ):
        check_rules(
            {"rules/a.yaml": b"lists: {a: {file: lists/a.txt}}\nrules: []"},
            variables=[], scores=[], outcomes=["block"], read_list=refuse,
        )  # fmt: skip


def test_outcomes_cannot_have_the_words_of_tests(check) -> None:
    """`none`, `fire` and `unknown` mean something else in `expect`, so no rule decides them."""
    with pytest.raises(CheckFailed, match="'none' cannot be decided"):
        check("rules: [{id: a, when: amount > 1, decide: none}]", outcomes=("none", "block"))


WORDS = ["", "a", "true", "amount > 1", "scores.fraud > 0.5", "block", "fraud", "lists/a.txt", "(", "x in a"]
SCALARS = st.none() | st.booleans() | st.integers(-3, 3) | st.floats(0, 2) | st.sampled_from(WORDS)
KEYS = st.sampled_from(
    [*FILE_KEYS, *RULE_KEYS, *CASE_KEYS, *SOURCE_KEYS, "fraud", "amount", "scores", "a", ""]
)
ANYTHING = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=5),
    max_leaves=25,
)
RULE = st.dictionaries(st.sampled_from(RULE_KEYS), ANYTHING, max_size=6)
FILE = st.fixed_dictionaries(
    {},
    optional={
        "rules": st.lists(RULE, max_size=3),
        "lists": ANYTHING,
        "hit_policy": ANYTHING,
        "more": ANYTHING,
    },
)


@settings(max_examples=300, deadline=None)
@given(content=FILE | ANYTHING)
def test_any_content_checks_or_is_refused(check, content: object) -> None:
    """Whatever a rule file holds, it is checked, or refused with places."""
    with suppress(CheckFailed):
        check(yaml.safe_dump(content), lists={"lists/a.txt": b"x\n"})
