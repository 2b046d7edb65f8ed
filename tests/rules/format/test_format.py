"""The canonical form: it says what was written, with every comment, and is its own canonical form."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import assume, given

from rules.errors import CheckFailed
from rules.format import format_document
from rules.reader import read_yaml
from rules.scalars import WIDTH
from rules.shape import Shape
from rules.written import read_written
from tests.rules.format.written_files import written_files

TEXT = Shape()
CASE = Shape(keys={"given": Shape(each=TEXT), "expect": TEXT})
RULE = Shape(keys={"id": TEXT, "when": TEXT, "decide": TEXT, "tests": Shape(many=True, each=CASE)})
FILE = Shape(keys={"filters": TEXT, "lists": Shape(each=TEXT), "rules": Shape(many=True, each=RULE)})


def formatted(text: str) -> str:
    return format_document(read_yaml(text.encode(), "f.yaml"), FILE)


def unordered(value: object) -> object:
    """The data, without the order of keys, and with 1, 1.0 and true told apart."""
    if isinstance(value, dict):
        return {key: unordered(one) for key, one in value.items()}
    return [unordered(one) for one in value] if isinstance(value, list) else repr(value)


@given(written_files())
def test_the_same_is_said_with_every_comment(text: str) -> None:
    """Any file keeps its data and its comments, and a second time changes nothing."""
    try:
        document = read_yaml(text.encode(), "f.yaml")
    except CheckFailed:
        assume(False)
    once = format_document(document, FILE)
    again = read_yaml(once.encode(), "f.yaml")
    assert unordered(again.root) == unordered(document.root)
    assert Counter(read_written(once).comments) == Counter(read_written(document.text).comments)
    assert format_document(again, FILE) == once
    assert not once or (once.endswith("\n") and not once.endswith("\n\n"))


UNTIDY = """\
# What this file is for.

rules:
- when:   "amount > 1000"   # too much
  id: 'large'    # for ever
  decide: review
  # decide: block
# The next one is off.
- {id: small, when: "true", decide: approve}
- { when: true , 'id':tiny , decide: approve }


-   id: long
    tests:
    - expect: none
      given:
         amount: 1.50
    when: country in eu && amount > 1000 && account_age_days < 7 && (is_new || memo == 'gifts' || count > 3)
      && old_enough_to_know_better
    decide: !!str x
lists: {a: [ KP,IR ], # sanctions
  b: [NO, "no"]}
filters: cards
"""
TIDY = """\
# What this file is for.

filters: cards
lists:
  a: [KP, IR]  # sanctions
  b: [NO, "no"]
rules:
  - id: large            # for ever
    when: amount > 1000  # too much
    decide: review
    # decide: block

  # The next one is off.
  - {id: small, when: "true", decide: approve}
  - {id: tiny, when: true, decide: approve}

  - id: long
    when: >-
      country in eu && amount > 1000 && account_age_days < 7 && (is_new || memo == 'gifts' || count > 3)
      && old_enough_to_know_better
    decide: x
    tests:
      - given:
          amount: 1.50
        expect: none
"""


def test_an_untidy_file_becomes_a_tidy_one() -> None:
    """Order, indent, quotes, blank lines, a long condition folded; comments stay with what they are about."""
    untidy = UNTIDY.replace("!!str ", "").replace("'id':tiny", "'id': tiny")
    assert formatted(untidy) == TIDY
    assert formatted(TIDY) == TIDY


@pytest.mark.parametrize(
    ("written", "tidy"),
    [
        ("", ""),
        ("# only a comment", "# only a comment\n"),
        ("\n\n# a\n\n\n# b\n\n", "# a\n\n# b\n"),
        ("\ufeffa: b\r\nc: d\r\n", "a: b\nc: d\n"),
        ("---\na: b\n...\n", "a: b\n"),
        ("# vim: sw=2\nrules: []\nfilters: a", "# vim: sw=2\nfilters: a\nrules: []\n"),
        ("a: {}\nb: []\nc:\nd: ~\ne: True", "a: {}\nb: []\nc: null\nd: null\ne: true\n"),
        ("a: [ # why\n]", "a: []  # why\n"),
        ("a:\n- # one\n  b: 1\n- 2", "a:\n  # one\n  - b: 1\n  - 2\n"),
        ("a: |  # text\n    x\n\n    y\n", "a: |  # text\n  x\n\n  y\n"),
        ("a: |+\n  x\n\n\nb: 1", 'a: "x\\n\\n\\n"\n\nb: 1\n'),
        ("a: >\n  x\n  y\n", "a: |\n  x y\n"),
        ("a: 'it''s'\nb: \"'x' in y\"\nc: '\"'", "a: it's\nb: \"'x' in y\"\nc: '\"'\n"),
        ("a: 'no'\nb: no\nc: '2026-01-01'", 'a: "no"\nb: no\nc: "2026-01-01"\n'),
        ("a: 1 # x\nbcd: 2 # y\ne: 3\nf: 4 # z", "a: 1    # x\nbcd: 2  # y\ne: 3\nf: 4  # z\n"),
        ("- a\n-\n  - b\n  - c: 1\n    d: 2", "- a\n- - b\n  - c: 1\n    d: 2\n"),
    ],
)  # fmt: skip
def test_a_detail_of_the_form(written: str, tidy: str) -> None:
    """Each is written one way."""
    assert formatted(written) == tidy
    assert formatted(tidy) == tidy


def test_a_long_list_fills_its_lines() -> None:
    """Lists of plain values stay in brackets, as wide as a line may be."""
    tidy = formatted(f"lists: {{a: [{', '.join(f'C{n}' for n in range(200))}]}}")
    assert max(map(len, tidy.splitlines())) <= WIDTH
    assert len(tidy.splitlines()) < 14
    assert formatted(tidy) == tidy


@pytest.mark.parametrize(
    "text",
    [
        "[" + ",".join("1" for _ in range(20_000)) + "]",
        "a: [" + ", # c\n  ".join("1" for _ in range(8_000)) + "]",
        "".join(f"k{n}: 1 # c\n# d\n\n" for n in range(5_000)),
        "a: '" + "x " * 1_000_000 + "'",
        "a:\n" + "  - b: {c: [1, 2]} # x\n" * 5_000,
    ],
)
def test_a_large_file_is_laid_out_in_time_that_grows_with_it(text: str) -> None:
    """Whatever is large in it: a line, the comments, a text."""
    assert formatted(text)
