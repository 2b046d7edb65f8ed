"""Hostile and broken YAML: refused with its place named, and only ever by `CheckFailed`."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.errors import CheckFailed
from rules.reader import MAX_BYTES, read_yaml

NESTED = b"a:\n" + b"".join(b" " * i + b"b:\n" for i in range(1, 100))
BOMB = "a: &a [x, x]\n" + "".join(
    f"{chr(98 + i)}: &{chr(98 + i)} [*{chr(97 + i)}, *{chr(97 + i)}]\n" for i in range(20)
)


@pytest.mark.parametrize(
    ("data", "place"),
    [
        (BOMB.encode(), "h.yaml:1:4: YAML anchors"),
        (b"[" * 100_000, "h.yaml:1:41: nested more than 40 deep"),
        (b"- " * 100_000, "h.yaml:1:81: nested more than 40 deep"),
        (b"{a: " * 100_000, "h.yaml:1:161: nested more than 40 deep"),
        (b"? " * 100_000, "h.yaml:1:3: a key must be a plain text"),
        (NESTED, "h.yaml:41:41: nested more than 40 deep"),
        (b"x" * (MAX_BYTES + 1), "h.yaml:1:1: 4,194,305 bytes"),
        (b"a: [" + b"1," * 300_000 + b"1]", "more than 200000 values"),
        (b"{" + b"a: 1, " * 200_000 + b"}", "h.yaml:1:8: key 'a' is repeated"),
        (b"\t- a", "h.yaml:1:1: a tab"),
        (b"a:\n  - b\n\t- c", "h.yaml:3:1: a tab"),
        (b"a: \xff", "h.yaml:1:4: not UTF-8: byte 0xff"),
        ("a: b\nc: é".encode("latin-1"), "h.yaml:2:4: not UTF-8: byte 0xe9"),
        ("a: b".encode("utf-16"), "h.yaml:1:1: not UTF-8: byte 0xff"),
        (b"a: \x00", "h.yaml:1:4: character U+0000"),
        (b"a: \x1b[31m", "h.yaml:1:4: character U+001B"),
        ("a: b\u2028c".encode(), "h.yaml:1:5: character U+2028"),
        ("a: b\u202ec".encode(), "h.yaml:1:5: character U+202E"),
        ("a: \ufeffb".encode(), "h.yaml:1:4: character U+FEFF"),
        (b"a: !!python/object/apply:os.system [ls]", "h.yaml:1:4: YAML tags"),
        (b"!!python/name:os.system", "h.yaml:1:1: YAML tags"),
        (b"!!set {a, b}", "h.yaml:1:1: YAML tags"),
        (b"a: {<<: *b}", "h.yaml:1:9: YAML aliases"),
        (b"a: 1\nb: 2\na: 3", "h.yaml:3:1: key 'a' is repeated; first on line 1"),
        (b"[a, b]: c", "h.yaml:1:1: a key must be a plain text"),
        (b"a: 1\n---\nb: 2", "h.yaml:2:1: a second document"),
        (b"a: 1" + b"0" * 10_000, "h.yaml:1:4: a whole number beyond 64 bits"),
        (b"a: 1e999", "h.yaml:1:4: a number beyond a double"),
        (b"a: 'b", "1:4: the text in quotes does not end"),
        (b"a: [b", "the file ends inside a value"),
        (b"a: b: c", "h.yaml:1:5: a second ':'"),
        (b"a: @b", "h.yaml:1:4: a value cannot start with '@'"),
        (b"a: %b", "h.yaml:1:4: a value cannot start with '%'"),
        (b"%YAML 7.0\n---\na: 1", "h.yaml:1:1: not YAML"),
        (b"a: |x\n  b", "h.yaml:1:5: not YAML"),
        (b"a: \"\\q\"", "h.yaml:1:5: not YAML"),
        (b"a: \"\\ud800\"", "not YAML"),
    ],
)  # fmt: skip
def test_hostile_input_is_refused_at_its_place(data: bytes, place: str) -> None:
    """Each is answered at once, by what is wrong and where."""
    with pytest.raises(CheckFailed) as caught:
        read_yaml(data, "h.yaml")
    assert place in str(caught.value)


@pytest.mark.parametrize(
    "data",
    [
        b"a: '" + b"x " * 2_000_000 + b"'",
        b"# " + b"c" * 4_000_000,
        b"a: x" + b" " * 4_000_000,
        b"\n" * 4_000_000,
        b"a: |\n" + b"  x\n" * 1_000_000,
        b"".join(b"k%d: 1\n" % i for i in range(90_000)),
        b"a: " + b"b:c-" * 1_000_000,
    ],
)
def test_large_files_within_the_bounds_are_read(data: bytes) -> None:
    """Four megabytes of comment, text or lines are a file like any other."""
    assert read_yaml(data, "h.yaml").file == "h.yaml"


def test_the_problems_of_one_file_are_bounded() -> None:
    """A file that is wrong on every line is answered by its first problems."""
    with pytest.raises(CheckFailed) as caught:
        read_yaml(b"a: 1\n" * 100_000, "h.yaml")
    assert len(caught.value.problems) == 51
    assert "50 problems so far" in str(caught.value)


def test_what_is_shown_cannot_drive_a_terminal() -> None:
    """A refused control character is replaced in the line that is shown."""
    with pytest.raises(CheckFailed) as caught:
        read_yaml(b"a: \x1b[2J", "h.yaml")
    assert "\x1b" not in str(caught.value)


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    """Nothing but `CheckFailed` comes out, whatever the bytes are."""
    with suppress(CheckFailed):
        read_yaml(data, "h.yaml")


YAML_PIECES = [
    "- ", "a", ": ", "?", "\n", "  ", "'", '"', "|", ">", "[", "]", "{", "}", ", ", "&x ", "*x", "!t ", "#",
    "\\",    "---\n", "...\n", "%", "1", "é", "\t", "@", "\r", "~", "<<", "2-", "\u2028",
]  # fmt: skip


@given(st.lists(st.sampled_from(YAML_PIECES), max_size=40).map("".join))
def test_any_yaml_like_text_is_read_or_refused(text: str) -> None:
    """Text of YAML's own pieces reaches the parser's corners; what is read has places."""
    try:
        document = read_yaml(text.encode(), "h.yaml")
    except CheckFailed:
        return
    pending = [((), document.root)]
    while pending:
        path, value = pending.pop()
        assert document.position(path) >= (1, 1)
        document.problem_in_text(path, 2, 3, "here")
        if isinstance(value, dict):
            pending += [((*path, key), below) for key, below in value.items()]
        elif isinstance(value, list):
            pending += [((*path, index), below) for index, below in enumerate(value)]
