"""The lists that conditions look values up in: written in a rule file, or in a text or CSV file beside it."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

from rules.errors import Problem
from rules.files import ListSource
from rules.listfiles import read_entries
from rules.reader import Document
from rules.text_sets import TextSet

FOLDER = "lists/"


@dataclass(frozen=True)
class ListValues:
    """A list as conditions see it; `type` is the rule language's type of every entry, or `cidr`.

    `entries` is a frozenset, or a compact set where there are many; a `RangeSet` for `cidr`.
    """

    name: str
    type: str
    entries: Collection[Any]


def read_list_values(
    source: ListSource, document: Document, read_list: Callable[[str], bytes]
) -> tuple[ListValues, bytes | None, list[Problem]]:
    """Read one declared list: its values, the bytes of its file if it has one, and what is wrong with it."""
    if source.file is None:
        written, kind, problems = _inline(source, document)
        return ListValues(source.name, kind, written), None, problems
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
    entries, found = read_entries(data, source.column, source.type)
    problems = [
        Problem(source.file, line, column, message, hint, text) for line, column, message, hint, text in found
    ]
    if source.column is None and source.file.endswith(".csv"):
        problems = [
            document.problem(
                at, "a CSV file needs 'column'", "as {file: lists/devices.csv, column: device_id}"
            )
        ]
    if isinstance(entries, TextSet) and entries.data == data:
        data = entries.data  # kept once, where the set was made of an equal file before
    return ListValues(source.name, source.type, entries), data, problems


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
