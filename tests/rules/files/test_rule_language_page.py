"""docs/rule-language.md is true: its rule files check, its tests pass, its messages are the real ones."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from rules.cases import run_cases
from rules.cel import Checker
from rules.check import check_rules
from rules.errors import CheckFailed
from rules.expression import Variable
from rules.files import MODES, ON_UNKNOWN, RULE_KEYS
from rules.reader import read_yaml

PAGE = (Path(__file__).parents[3] / "docs" / "rule-language.md").read_text("utf-8")
BLOCKS = re.findall(r"^```(\w+) ?([^\n]*)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
KINDS = {
    "float": "double",
    "int": "int",
    "bool": "bool",
    "category": "string",
    "text": "string",
    "timestamp": "timestamp",
}
PROJECT = next(read_yaml(text.encode(), "page").root for _, title, text in BLOCKS if title == "project")
VARIABLES = [
    Variable(name, KINDS[field["type"]], minimum=field.get("min"))
    for name, field in PROJECT["fields"].items()
]
LISTS = {title: text.encode() for _, title, text in BLOCKS if title.startswith("lists/")}


def told(text: str) -> str:
    """Check a rule file of the page and run its tests; give everything that is wrong."""
    try:
        checked = check_rules(
            {"rules/page.yaml": text.encode()},
            variables=VARIABLES,
            scores=PROJECT["scores"],
            outcomes=PROJECT["outcomes"],
            read_list=LISTS.__getitem__,
        )
    except CheckFailed as failed:
        return str(failed)
    return "\n".join(map(str, run_cases(checked)))


def rule_files() -> Iterator[tuple[str, str]]:
    """Give each rule file with the text block that follows it at once: what it is told, or nothing."""
    for block, following in zip(BLOCKS, [*BLOCKS[1:], ("", "", "")], strict=True):
        if block[:2] == ("yaml", ""):
            yield block[2], following[2].strip("\n") if following[:2] == ("text", "") else ""


@pytest.mark.parametrize(("text", "expected"), list(rule_files()))
def test_a_rule_file_of_the_page(text: str, expected: str) -> None:
    """The file checks and its tests pass, or it is told what the page says."""
    assert told(text) == expected


@pytest.mark.parametrize(
    "line", [line for kind, _, text in BLOCKS if kind == "cel" for line in text.splitlines()]
)
def test_a_condition_of_the_page(line: str) -> None:
    """Each line is a condition."""
    variables = [*VARIABLES, Variable("scores.fraud", "double"), Variable("proposed", "string")]
    assert Checker(variables).check(line).type == "bool"


def test_every_key_and_word_is_on_the_page() -> None:
    """What a rule may hold is explained."""
    for word in (*RULE_KEYS, *MODES, *ON_UNKNOWN, "given", "expect", "hit_policy", "column", "type"):
        assert re.search(rf"\b{word}\b", PAGE), word
