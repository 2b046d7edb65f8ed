"""Reading YAML with positions: what is read, and where each key, value and embedded text stands."""

from __future__ import annotations

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from rules.errors import CheckFailed
from rules.reader import read_yaml


def read(text: str):
    return read_yaml(text.encode(), "rules/a.yaml")


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("NO", "NO"), ("yes", "yes"), ("off", "off"), ("On", "On"), ("y", "y"), ("true", True),
        ("False", False), ("null", None), ("~", None), ("", None), ("12", 12), ("-3", -3), ("+3", 3),
        ("0", 0), ("007", "007"),
        ("0x1f", "0x1f"), ("1_000", "1_000"), ("12:30", "12:30"), ("2026-11-01", "2026-11-01"), ("1.5", 1.5),
        (".5", 0.5), ("1.", 1.0), ("1e3", 1000.0), (".inf", ".inf"), (".nan", ".nan"), ("1.2.3", "1.2.3"),
        ("=", "="), ("<<", "<<"), ("'12'", "12"), ('"true"', "true"),
        ("9223372036854775807", 2**63 - 1),
    ],
)  # fmt: skip
def test_plain_scalars_follow_yaml_1_2(written: str, expected: object) -> None:
    """Country codes, switches, dates and codes with leading zeros stay text; numbers are JSON's."""
    value = read(f"value: {written}\n").root["value"]
    assert (value, type(value)) == (expected, type(expected))


def test_positions_are_of_keys_and_of_values() -> None:
    """A path leads to the value's place, or with `key` to its key's; lines and columns count from 1."""
    document = read("rules:\n  - id: a\n    when: amount > 1\n  - {id: b, when: x}\n")
    assert document.position(("rules", 0, "when")) == (3, 11)
    assert document.key_position(("rules", 0, "when")) == (3, 5)
    assert document.position(("rules", 1)) == (4, 5)
    assert document.key_position(("rules", 1, "when")) == (4, 13)
    assert document.position(()) == (1, 1)


def test_a_path_that_leads_nowhere_has_the_place_of_its_nearest_parent() -> None:
    """A missing key is reported where it is missing."""
    document = read("rules:\n  - id: a\n")
    assert document.position(("rules", 0, "when")) == (2, 5)
    assert document.key_position(("rules", 0, "when")) == (2, 5)
    assert document.position(("rules", 7, "when", 3)) == (2, 3)
    assert document.position(("rules", 0, "id", "deeper")) == (2, 9)


def test_a_problem_shows_its_line() -> None:
    """The problem carries file, place, message, hint and the source line."""
    problem = read("a: 1\nb: é two\n").problem(("b",), "no", "try 2")
    assert str(problem) == "rules/a.yaml:2:4: no; try 2\n    b: é two\n       ^"


def test_line_breaks_of_other_systems_count_as_one() -> None:
    """CRLF and CR files have the lines and texts of LF files."""
    plain = "a: 1\nb: |\n  x\n  y\n"
    for written in (plain.replace("\n", "\r\n"), plain.replace("\n", "\r"), "\ufeff" + plain):
        document = read(written)
        assert document.root == {"a": 1, "b": "x\ny\n"}
        assert document.position(("b",)) == (2, 4)


def test_an_empty_file_is_nothing() -> None:
    """A file without a document has the root None and a place at its start."""
    for text in ("", "\n\n", "# only a comment\n", "---\n", "\ufeff"):
        document = read(text)
        assert document.root is None
        assert document.position(("rules", 0))[1] == 1


TEXTS = st.text(st.sampled_from("ab é😀\n'\"\\:#&|>-{}[],\t"), min_size=1, max_size=60)


@given(
    text=TEXTS, style=st.sampled_from([None, "'", '"', "|", ">"]), width=st.integers(5, 40), data=st.data()
)
@example(text="a\n\n b\n  c\n\nd", style=">", width=10, data=None)
def test_embedded_text_leads_back_to_the_file(text: str, style: str | None, width: int, data) -> None:
    """However YAML writes a text, a line and column in it lead to the character in the file."""
    file = yaml.dump({"k": [{"when": text}]}, default_style=style, allow_unicode=True, width=width)
    document = read(file)
    value = document.root["k"][0]["when"]
    assert value == text
    lines = file.split("\n")
    for at in range(len(value)) if data is None else [data.draw(st.integers(0, len(value) - 1))]:
        before = value[:at]
        line, column = before.count("\n") + 1, at - (before.rfind("\n") + 1) + 1
        problem = document.problem_in_text(("k", 0, "when"), line, column, "here")
        written = lines[problem.line - 1][problem.column - 1 :]
        # A folded break is written as a line break, a quote in quotes twice, an escape with a backslash.
        assert written[:1] in (value[at], "\\") or (value[at] in " \n" and not written)


@pytest.mark.parametrize(
    "file",
    [
        "w: amount > 1 && X\n",
        "w: amount > 1\n  && X\n",
        "w: 'amount > ''1'' && X'\n",
        'w: "\\x61mount > \\"1\\" && X"\n',
        'w: "amount > 1 &&\n\n    X"\n',
        'w: "amount \\\n    > 1 && X"\n',
        "w: |\n  amount > 1\n    && X\n",
        "w: |2-\n    amount > 1\n    && X\n",
        "w: |  # why\n\n  amount > 1\n\n  && X\n",
        "w: >\n  amount > 1\n  && X\n",
        "w: >+\n  amount > 1\n\n   more\n  && X\n\n\n",
        "- - w: >-\n      amount\n      && X\n",
        "- - w: >2-\n      amount\n      && X\n",
        "w:\n  amount > 1 &&\n\n  X\n",
        "? w\n: |\n  amount X\n",
    ],
)
def test_a_mark_is_found_in_every_style(file: str) -> None:
    """The X of an expression is found in the file, whatever the style of its scalar."""
    document = read(file)
    path: tuple = (0, 0, "w") if file.startswith("-") else ("w",)
    value = document.root
    for step in path:
        value = value[step]
    before = value[: value.index("X")]
    problem = document.problem_in_text(
        path, before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1, "here"
    )
    assert file.split("\n")[problem.line - 1][problem.column - 1] == "X"


def test_a_place_beyond_the_text_is_its_end() -> None:
    """An expression that ends too early is marked after its last character."""
    document = read("w: amount >\n")
    assert (
        document.problem_in_text(("w",), 1, 99, "m").line,
        document.problem_in_text(("w",), 1, 99, "m").column,
    ) == (
        1,
        12,
    )


def test_all_refusals_of_a_file_come_at_once() -> None:
    """Repeated keys, anchors, tags and aliases are all listed."""
    with pytest.raises(CheckFailed) as caught:
        read("a: 1\na: 2\nb: &x 1\nc: *x\nd: !t 1\n")
    assert [(p.line, p.column) for p in caught.value.problems] == [(2, 1), (3, 4), (4, 4), (5, 4)]
