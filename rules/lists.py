"""The lists that conditions look values up in: written in a rule file, or in a text or CSV file beside it."""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from rules.errors import Problem, nearest
from rules.files import ListSource
from rules.reader import Document

FOLDER = "lists/"
MAX_LIST_BYTES = 64 * 1024 * 1024
MAX_ENTRY = 10_000
MAX_LIST_PROBLEMS = 20

_WHOLE = re.compile(r"[-+]?[0-9]+")
_NUMBER = re.compile(r"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?")


@dataclass(frozen=True)
class ListValues:
    """A list as conditions see it; `type` is the rule language's type of every entry."""

    name: str
    type: str
    entries: frozenset[Any]


def read_list_values(
    source: ListSource, document: Document, read_list: Callable[[str], bytes]
) -> tuple[ListValues, bytes | None, list[Problem]]:
    """Read one declared list: its values, the bytes of its file if it has one, and what is wrong with it."""
    if source.file is None:
        entries, kind, problems = _inline(source, document)
        return ListValues(source.name, kind, entries), None, problems
    empty = ListValues(source.name, source.type, frozenset())
    if not source.file:  # the form has a problem already
        return empty, None, []
    at = (*source.path, "file")
    if wrong := refused_path(source.file):
        return empty, None, [document.problem(at, f"'{source.file}': {wrong}", "as lists/devices.csv")]
    try:
        data = read_list(source.file)
    except (FileNotFoundError, KeyError):
        return empty, None, [document.problem(at, f"the list file '{source.file}' does not exist")]
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        return empty, None, [document.problem(at, f"the list file '{source.file}' cannot be read: {reason}")]
    parsed = _parse(data, source.column, source.type)
    problems = [
        Problem(source.file, line, column, message, hint, text)
        for line, column, message, hint, text in parsed[1]
    ]
    if source.column is None and source.file.endswith(".csv"):
        problems = [
            document.problem(
                at, "a CSV file needs 'column'", "as {file: lists/devices.csv, column: device_id}"
            )
        ]
    return ListValues(source.name, source.type, parsed[0]), data, problems


def refused_path(path: str) -> str:
    """Say why a list file's path is refused, or nothing: it stays inside the project's `lists/` folder.

    >>> refused_path("lists/devices.csv"), refused_path("lists/../secret")
    ('', "a path may not hold '..'")
    """
    parts = path.split("/")
    if any(not character.isprintable() or character in '\\:*?"<>|' for character in path):
        return "a path holds letters, digits, '/', '-', '_' and '.'"
    if ".." in parts:
        return "a path may not hold '..'"
    if not path.startswith(FOLDER) or any(part in ("", ".") for part in parts):
        return f"list files live under {FOLDER}"
    return ""


def _inline(source: ListSource, document: Document) -> tuple[frozenset[Any], str, list[Problem]]:
    problems = []
    kinds: dict[str, int] = {}
    for index, entry in enumerate(source.entries):
        kind = _kind(entry)
        if kind is None:
            message = f"an entry of '{source.name}' must be text or a number"
            problems.append(document.problem((*source.path, index), message, "put it in quotes"))
        else:
            kinds.setdefault(kind, index)
    if "string" in kinds and len(kinds) > 1:
        other = min(index for kind, index in kinds.items() if kind != "string")
        message = f"'{source.name}' holds text and numbers"
        at = (*source.path, max(other, kinds["string"]))
        problems.append(document.problem(at, message, "put every entry in quotes, or none"))
    if "string" in kinds or not kinds:
        return frozenset(e for e in source.entries if isinstance(e, str)), "string", problems
    numbers = [entry for entry in source.entries if _kind(entry)]
    if "double" in kinds:
        return frozenset(map(float, numbers)), "double", problems
    return frozenset(numbers), "int", problems


def _kind(entry: Any) -> str | None:
    if isinstance(entry, bool):
        return None
    return {str: "string", int: "int", float: "double"}.get(type(entry))


_Found = tuple[int, int, str, str, str]


@lru_cache(maxsize=16)
def _parse(data: bytes, column: str | None, kind: str) -> tuple[frozenset[Any], tuple[_Found, ...]]:
    """Read the entries of a list file.

    An edit of a rule leaves the lists as they are, so the last ones read are kept.
    """
    if len(data) > MAX_LIST_BYTES:
        message = f"{len(data):,} bytes, and a list file holds at most {MAX_LIST_BYTES:,}"
        return frozenset(), ((1, 1, message, "", ""),)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = data[: error.start]
        place = before.count(b"\n") + 1, error.start - (before.rfind(b"\n") + 1) + 1
        message = f"not UTF-8: byte 0x{data[error.start]:02x}"
        return frozenset(), ((*place, message, "save the file as UTF-8", ""),)
    problems: list[_Found] = []
    entries = set()
    written = _lines(text) if column is None else _cells(text, column, problems)
    convert = _CONVERSIONS[kind]
    for line, entry in written:
        if len(problems) >= MAX_LIST_PROBLEMS:
            break
        try:
            entries.add(convert(entry))
        except ValueError:
            wanted = {"string": "text", "int": "a whole number", "double": "a number"}[kind]
            problems.append((line, 1, f"an entry must be {wanted}, got '{entry[:60]}'", "", entry[:200]))
    return frozenset(entries), tuple(problems)


def _text(entry: str) -> str:
    if len(entry) > MAX_ENTRY or "\0" in entry:
        raise ValueError(entry)
    return entry


def _whole(entry: str) -> int:
    # The length comes first: a number of a million digits takes long to read.
    if len(entry) > 20 or not _WHOLE.fullmatch(entry) or not -(2**63) <= int(entry) < 2**63:
        raise ValueError(entry)
    return int(entry)


def _number(entry: str) -> float:
    number = float(entry) if len(entry) <= 40 and _NUMBER.fullmatch(entry) else math.inf
    if not math.isfinite(number):
        raise ValueError(entry)
    return number


_CONVERSIONS: dict[str, Callable[[str], Any]] = {"string": _text, "int": _whole, "double": _number}


def _lines(text: str) -> Iterator[tuple[int, str]]:
    """Give the entries of a text file: one a line, without empty lines and `#` comments."""
    for number, line in enumerate(text.split("\n"), 1):
        entry = line.strip()
        if entry and not entry.startswith("#"):
            yield number, entry


def _cells(text: str, column: str, problems: list[_Found]) -> Iterable[tuple[int, str]]:
    """Give the cells of one column of a CSV file with a header; empty cells are left out."""
    rows = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = next(rows, [])
        if column not in header:
            problems.append((1, 1, f"no column '{column}'", nearest(column, header), ",".join(header)))
            return
        at = header.index(column)
        for row in rows:
            if row and len(row) != len(header):
                message = f"{len(row)} cells, and the header has {len(header)}"
                problems.append((rows.line_num, 1, message, "", ",".join(row)[:200]))
                if len(problems) >= MAX_LIST_PROBLEMS:
                    return
            elif row and (cell := row[at].strip()):
                yield rows.line_num, cell
    except csv.Error as error:
        problems.append((rows.line_num, 1, f"not CSV: {error}", "", ""))
