"""YAML bytes in, a document out: plain data that knows the file, line and column of every key and value.

The subset that is read: one document of UTF-8 mappings, lists and scalars by YAML 1.2's core rules, so that
`NO`, `yes`, `off`, `2026-11-01` and `007` are text. Anchors, aliases, tags, repeated keys and control
characters are refused, and so is what is too large or too deep.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import accumulate, islice
from typing import Any

from rules.composer import Branch, compose, problem_at
from rules.errors import CheckFailed, Problem
from rules.places import offsets

MAX_BYTES = 4 * 1024 * 1024
MAX_PLACED = 100_000
"""Characters of a text within which a place is looked up: no expression has as many."""
MOST_REFUSED = 20  # characters that are not read and are told

# Control characters, YAML's other line breaks (they would shift line numbers), marks that reorder shown text.
REFUSED = re.compile(
    "[^\t\n\x20-\x7e\xa0-\u2027\u202f-\u2065\u206a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]"
)


def read_yaml(data: bytes, file: str, *, numbers: bool = False) -> Document:
    """Read one YAML file.

    With `numbers`, numbers too large to be any are problems of the document, and the rest of it is read.
    Raises `CheckFailed` with what is wrong and where: it is the only exception, whatever the bytes are.

    >>> read_yaml(b"lists: {where: [NO, SE]}", "rules/a.yaml").root
    {'lists': {'where': ['NO', 'SE']}}
    """
    text = clean_text(data, file)
    root, places, problems = compose(text, file, numbers=numbers)
    return Document(file, text, root, places, tuple(problems))


@dataclass(frozen=True)
class Document:
    """What one YAML file holds, and where.

    A path is the keys and indices from the top: `("rules", 0, "when")`.
    """

    file: str
    text: str
    root: Any
    places: Any = field(repr=False, compare=False)
    problems: tuple[Problem, ...] = ()

    def position(self, path: Sequence[str | int]) -> tuple[int, int]:
        """Give line and column, from 1, of the value at `path`, or of its nearest parent that exists."""
        return _position(self._place(path))

    def key_position(self, path: Sequence[str | int]) -> tuple[int, int]:
        """Give line and column, from 1, of the key that leads to `path`; of the value where none does."""
        parent = self._place(path[:-1])
        keys = parent.keys if isinstance(parent, Branch) else {}
        return _position(keys[path[-1]]) if path and path[-1] in keys else self.position(path)

    def problem(
        self, path: Sequence[str | int], message: str, hint: str = "", *, key: bool = False
    ) -> Problem:
        """Say what is wrong at the value, or with `key=True` at the key, of `path`."""
        line, column = self.key_position(path) if key else self.position(path)
        return self._problem(line, column, message, hint)

    def problem_in_text(
        self, path: Sequence[str | int], line: int, column: int, message: str, hint: str = ""
    ) -> Problem:
        """Say what is wrong at a line and column, from 1, of the text at `path`, however YAML wrote it."""
        place = self._place(path)
        if isinstance(place, Branch):
            return self.problem(path, message, hint)
        start, text = place.start_mark.index, place.value[:MAX_PLACED]
        end = min(place.end_mark.index, start + 2 * MAX_PLACED)
        written = offsets(self.text, start, end, place.style or "", text)
        at = written[_offset(text, line, column)]
        line = bisect_right(self._starts, at)
        return self._problem(line, at - self._starts[line - 1] + 1, message, hint)

    def _place(self, path: Sequence[str | int]) -> Any:
        place = self.places
        for step in path:
            if not isinstance(place, Branch):
                break
            try:
                place = place.children[step]
            except (KeyError, IndexError, TypeError):
                break
        return place

    def _problem(self, line: int, column: int, message: str, hint: str) -> Problem:
        source = self._lines[line - 1] if line <= len(self._lines) else ""
        return Problem(self.file, line, column, message, hint, source)

    @cached_property
    def _lines(self) -> list[str]:
        return self.text.split("\n")

    @cached_property
    def _starts(self) -> list[int]:
        """Where each line begins."""
        return [0, *accumulate(len(line) + 1 for line in self._lines)]


def clean_text(data: bytes, file: str) -> str:
    """Give the text with every line ended by one line feed, or refuse what is no clean UTF-8."""
    if len(data) > MAX_BYTES:
        message = f"{len(data):,} bytes, and a file holds at most {MAX_BYTES:,}"
        raise CheckFailed([Problem(file, 1, 1, message, "split the file")])
    try:
        text = _one_break(data.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        before = _one_break(data[: error.start].decode("utf-8-sig", "replace"))
        message = f"not UTF-8: byte 0x{data[error.start]:02x}"
        problem = problem_at(file, before, len(before), message, "save the file as UTF-8")
        raise CheckFailed([problem]) from None
    refused = list(islice(REFUSED.finditer(text), MOST_REFUSED))
    if refused:
        shown = REFUSED.sub("\ufffd", text)
        hint = "delete it; it may be invisible"
        raise CheckFailed(
            problem_at(file, shown, one.start(), f"character U+{ord(one.group()):04X} is not read", hint)
            for one in refused
        )
    return text


def _one_break(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _position(place: Any) -> tuple[int, int]:
    mark = place.start_mark
    return (mark.line + 1, mark.column + 1) if mark else (1, 1)


def _offset(text: str, line: int, column: int) -> int:
    """Give the offset in `text` of a line and column, both from 1, held inside the text."""
    start = 0
    for _ in range(line - 1):
        following = text.find("\n", start) + 1
        if not following:
            break
        start = following
    return max(0, min(start + column - 1, len(text)))
