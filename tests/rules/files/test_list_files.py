"""List files: read all at once as they would be line by line, a million entries, and whatever is hostile."""

from __future__ import annotations

import csv
import io
import math
import sys
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rules import list_lines, list_values
from rules.bitmap import BitSet
from rules.list_cuts import MAX_PROBLEMS
from rules.list_lines import seems_commented
from rules.listfiles import read_entries
from rules.number_sets import NumberSet
from rules.ranges import RangeSet
from rules.text_sets import TextSet

SETTINGS = settings(max_examples=150, deadline=None)
PIECES = [
    "a",
    "bc",
    "#",
    ",",
    '"',
    '""',
    "\r\n",
    "\r",
    "\n",
    "\n",
    " ",
    "\t",
    "\u00a0",
    "\u3000",
    "\x1c",
    "é",
    "\ufeff",
]
SOURCES = st.lists(st.sampled_from(PIECES), max_size=24).map("".join)
NUMBERS = [
    "0",
    "1",
    "-",
    "+",
    ".",
    "e",
    "E5",
    "9223372036854775807",
    "\n",
    "\n",
    "inf",
    "nan",
    "_",
    "00000000",
]


def line_by_line(text: str) -> set[str]:
    """Read a text file in the plainest way."""
    stripped = (line.strip() for line in text.replace("\r\n", "\n").replace("\r", "\n").split("\n"))
    return {line for line in stripped if line and not line.startswith("#")}


def cell_by_cell(text: str, column: str) -> set[str] | None:
    """Read a CSV file in the plainest way; None for what is no such file."""
    try:
        header, *rows = list(csv.reader(io.StringIO(text, newline=""), strict=True)) or [[]]
    except csv.Error:
        return None
    if column not in header or any(row and len(row) != len(header) for row in rows):
        return None
    cells = {row[header.index(column)].strip() for row in rows if row}
    return cells - {""}


@pytest.fixture(params=[list_values.SMALL, 0], ids=["plain", "compact"])
def small(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Read lists into plain sets, and into compact ones however few entries they have."""
    monkeypatch.setattr(list_values, "SMALL", request.param)


@given(text=SOURCES, spaces=st.sampled_from([1_000, 1]), small=st.sampled_from([10, 0]))
@SETTINGS
def test_lines_are_read_as_one_by_one(text: str, spaces: int, small: int) -> None:
    """Line ends, white space of Unicode, comments, repeated entries."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(list_lines, "_ROUNDS", spaces)
        patch.setattr(list_values, "SMALL", small)
        entries, problems = read_entries(text.encode(), None, "string")
    assert problems == []
    assert entries == line_by_line(text.removeprefix("\ufeff"))


@given(text=st.one_of(SOURCES, SOURCES.map("a,bc\n".__add__), SOURCES.map("a\n".__add__)))
@SETTINGS
def test_cells_are_read_as_one_by_one(text: str) -> None:
    """With and without quotes; what is no CSV file of the column is refused."""
    expected = cell_by_cell(text.removeprefix("\ufeff"), "a")
    entries, problems = read_entries(text.encode(), "a", "string")
    assert (None if problems else entries) == expected


@given(
    text=st.lists(st.sampled_from(NUMBERS), max_size=12).map("".join), kind=st.sampled_from(["int", "double"])
)
@SETTINGS
def test_numbers_are_read_as_one_by_one(text: str, kind: str) -> None:
    """Whole numbers of 64 bits, decimal ones that are finite; of anything else, its line."""

    def number(entry: str) -> Any:
        if len(entry) > (20 if kind == "int" else 40):
            return None
        if kind == "int":
            found = list_values._WHOLE.fullmatch(entry)
            return int(entry) if found and -(2**63) <= int(entry) < 2**63 else None
        value = float(entry) if list_values._NUMBER.fullmatch(entry) else math.inf
        return value if math.isfinite(value) else None

    lines = [(place, line) for place, line in enumerate(text.split("\n"), 1) if line]
    entries, problems = read_entries(text.encode(), None, kind)
    assert [problem[0] for problem in problems] == [place for place, line in lines if number(line) is None]
    if not problems:
        assert entries == {number(line) for _, line in lines}


@pytest.mark.usefixtures("small")
def test_comments_after_entries() -> None:
    """A number may be followed by one; a text holds what stands on its line, and may have a `#`."""
    assert read_entries(b"# all\n13 # bad luck\n-4\t#x\n7#\n", None, "int") == ({13, -4, 7}, [])
    assert read_entries(b"1.5 # half\n", None, "double") == ({1.5}, [])
    assert read_entries(b"C#\nunit #5\nurgent # old\n", None, "string")[0] == {
        "C#",
        "unit #5",
        "urgent # old",
    }
    assert seems_commented(b"# a # b\nC#\nunit #5\n") is None
    told = seems_commented("C# 8\n\u00e9urgent # old\r\nx\t#\ty\n".encode())
    assert told == (2, 9, "\u00e9urgent # old", 2)


@pytest.mark.usefixtures("small")
def test_what_is_wrong_with_a_text_is_said() -> None:
    """Too long an entry, and one with a NUL, by its column."""
    entries, problems = read_entries(b"a\n" + b"x" * 10_001 + b"\nb\0c\n", None, "string")
    assert not entries
    assert [problem[:4] for problem in problems] == [
        (2, 1, "an entry of 10,001 bytes; at most 10,000 characters are read", "one entry a line"),
        (3, 2, "an entry holds the character U+0000", "the file may be no text"),
    ]


@pytest.mark.usefixtures("small")
def test_networks_are_read_with_comments() -> None:
    """Networks, addresses, comments on lines of their own and after an entry; both families."""
    data = b"# bad\n10.0.0.0/8 # office\n\n192.0.2.1\n2001:db8::/32\t# more\n ::1 \n0.0.0.0/0#\n"
    entries, problems = read_entries(data, None, "cidr")
    assert problems == []
    assert isinstance(entries, RangeSet)
    assert list(entries) == ["0.0.0.0/0", "::1/128", "2001:db8::/32"]
    entries, problems = read_entries(b"net,why\n10.0.0.0/8,x\n,y\n", "net", "cidr")
    assert (list(entries), problems) == (["10.0.0.0/8"], [])


def test_every_wrong_network_is_named() -> None:
    """The line, and what is wrong with it."""
    data = b"10.0.0.0/8\n10.0.0.1/8\n1.2.3\n1.2.3.4/33\n::1/129\n1.2.3.4/\n01.2.3.4\n1.2.3.4/x\n::1/-1\n::\n"
    problems = read_entries(data, None, "cidr")[1]
    assert [(line, hint) for line, _, _, hint, _ in problems] == [
        (2, "bits are set beyond the prefix: the network is 10.0.0.0/8"),
        (3, ""),
        (4, "a prefix of 33 bits, where an address has 32"),
        (5, "a prefix of 129 bits, where an address has 128"),
        *((line, "") for line in (6, 7, 8, 9)),
    ]
    assert problems[1][2] == "an entry must be an IP address or network, got '1.2.3'"


def test_a_million_entries_are_small() -> None:
    """Within three times the file, its own bytes counted; nothing is repeated beside it."""
    data = "\n".join(map(str, range(10**6, 2 * 10**6))).encode()
    texts, _ = read_entries(data, None, "string")
    assert isinstance(texts, TextSet)
    assert texts.data is data
    assert sys.getsizeof(data) + texts.nbytes <= 3 * len(data)
    numbers, _ = read_entries(data, None, "int")
    assert isinstance(numbers, BitSet)
    assert sys.getsizeof(data) + numbers.nbytes <= 2 * len(data)
    apart = "\n".join(str(number * 1_000_003) for number in range(10**6)).encode()
    hashed, _ = read_entries(apart, None, "int")
    assert isinstance(hashed, NumberSet)
    assert sys.getsizeof(apart) + hashed.nbytes <= 3 * len(apart)
    assert len(texts) == len(numbers) == 10**6
    assert "1999999" in texts
    assert 1_999_999 in numbers
    again, _ = read_entries(bytes(bytearray(data)), None, "string")
    assert again is texts


HOSTILE: dict[str, tuple[Callable[[], bytes], str | None, str]] = {
    "one line": (lambda: b"x" * 100_000_000, None, "string"),
    "one row": (lambda: b"a," * 50_000_000, "b", "string"),
    "one quoted cell": (lambda: b'a\n"' + b"x" * 100_000_000, "a", "string"),
    "too large": (lambda: b"x\n" * (65 * 1024 * 1024), None, "string"),
    "too many lines": (lambda: b"x\n" * 2_500_000, None, "string"),
    "no text": (lambda: b"x\n" * 1_000_000 + b"\xff", None, "string"),
    "NUL": (lambda: b"x\n" * 1_000_000 + b"a\0b", None, "string"),
    "a long entry": (lambda: b"x" * 10_001, None, "string"),
    "no numbers": (lambda: b"1x\n" * 1_900_000, None, "int"),
    "no decimals": (lambda: b"1_0\n" * 1_900_000, None, "double"),
    "no networks": (lambda: b"1.2.3.4.5\n" * 1_900_000, None, "cidr"),
    "ragged": (lambda: b"a,b\n" + b"x\n" * 1_900_000, "a", "string"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_files_are_refused(name: str) -> None:
    """With at most twenty problems, short ones that name a line."""
    make, column, kind = HOSTILE[name]
    entries, problems = read_entries(make(), column, kind)
    assert len(entries) == 0
    assert 1 <= len(problems) <= MAX_PROBLEMS
    assert all(len(text) < 500 for problem in problems for text in map(str, problem))


@pytest.mark.parametrize("header", [b"k,k", b'"k",k'])
def test_a_column_that_is_there_twice_is_refused(header: bytes) -> None:
    """Nothing says which of the two holds the entries; another column may be there twice."""
    _, problems = read_entries(header + b"\na,b\n", "k", "string")
    assert [problem[:3] for problem in problems] == [(1, 3, "the column 'k' is there twice")]
    entries, problems = read_entries(header + b",j\na,b,c\n", "j", "string")
    assert (set(entries), problems) == ({"c"}, [])
