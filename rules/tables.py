"""The written form of decision tables: `tables:` of a rule file, and CSV files beside it, as frozen records.

A row's cells stay text here; what they say depends on the types of the inputs (`rules.checked_tables`).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any

from rules.errors import Problem, nearest
from rules.files import MODES, ON_UNKNOWN, STAGES, Case, read_cases
from rules.form import Form, Path
from rules.lists import refused_path
from rules.reader import Document
from rules.sheets import MOST_PROBLEMS, Sheet, read_sheet

TABLE_POLICIES = ("first", "unique", "priority", "collect")
TABLE_KEYS = (
    "id", "description", "stage", "hit_policy", "inputs", "rows", "file", "decide", "cap", "floor", "tag",
    "reason", "owner", "mode", "on_unknown", "tests",
)  # fmt: skip
ROW_KEYS = ("id", "decide", "cap", "floor", "tag", "reason", "priority", "description")
INPUT_KEYS = ("name", "value")
EFFECTS = ("decide", "cap", "floor")
MOST_INPUTS = 50

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_ID_WORDS = "letters, digits, '-', '_' and '.'"
_WHOLE = re.compile(r"[-+]?[0-9]{1,18}")
_BOUND = re.compile(r"0(?:\.[0-9]+)?|1(?:\.0+)?")


@dataclass(frozen=True)
class TableInput:
    """A column that rows are found by: its name, and the CEL expression whose value its cells test."""

    name: str
    value: str
    path: Path


@dataclass(frozen=True, slots=True)
class TableRow:
    """One row: its cells as text in the order of the inputs, and what it does, by itself or by its table.

    `place` is its index among the rows of the document, or of the sheet.
    """

    id: str
    cells: tuple[str, ...]
    place: int
    decide: str | None = None
    cap: Mapping[str, float] = field(default_factory=dict)
    floor: Mapping[str, float] = field(default_factory=dict)
    tags: tuple[str, ...] = ()
    reason: str = ""
    priority: int | None = None


@dataclass(frozen=True)
class Table:
    """One decision table as written; `path` is its place in its document, `sheet` the file of its rows."""

    id: str
    path: Path
    inputs: tuple[TableInput, ...]
    rows: tuple[TableRow, ...]
    stage: str = "after"
    hit_policy: str = "unique"
    file: str | None = None
    owner: str = ""
    mode: str = "enforce"
    on_unknown: str = "skip"
    description: str = ""
    tests: tuple[Case, ...] = ()
    defaults: TableRow = TableRow("", (), -1)
    sheet: Sheet | None = None

    def problem(
        self, document: Document, row: int, column: str, offset: int, message: str, hint: str = ""
    ) -> Problem:
        """Say what is wrong in a cell, at an offset in its text; `row` is an index of `rows`."""
        place = self.rows[row].place
        if self.sheet is not None:
            header = self.sheet.header
            at = header.index(column) if column in header else 0
            return self.sheet.problem(place, at, offset, message, hint)
        path = (*self.path, "rows", place, column)
        return document.problem_in_text(path, 1, offset + 1, message, hint)

    def row_id(self, row: TableRow) -> str:
        """Give the id of the rule that a row is."""
        return f"{self.id}.{row.id}"


def read_tables(document: Document) -> tuple[list[Table], list[Problem]]:
    """Read the tables of a rule file as far as they go; rows of CSV files are not there yet."""
    root = document.root if isinstance(document.root, dict) else {}
    if "tables" not in root:
        return [], []
    form = Form(document)
    tables = []
    for index, written in enumerate(form.sequence(("tables",), root["tables"])):
        path: Path = ("tables", index)
        table = form.mapping(path, written, TABLE_KEYS, what="a table")
        if isinstance(written, dict):
            tables.append(_table(form, path, table))
    return tables, form.problems


def read_rows(
    table: Table, document: Document, read_file: Callable[[str], bytes]
) -> tuple[Table, bytes | None, list[Problem]]:
    """Give a table with the rows of its CSV file, that file's bytes, and what is wrong with it."""
    if not table.file:
        return table, None, []
    at = (*table.path, "file")
    if wrong := refused_path(table.file):
        return table, None, [document.problem(at, f"'{table.file}': {wrong}", "as lists/limits.csv")]
    try:
        data = read_file(table.file)
    except (FileNotFoundError, KeyError):
        return table, None, [document.problem(at, f"the table file '{table.file}' does not exist")]
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        return table, None, [document.problem(at, f"the table file '{table.file}' cannot be read: {reason}")]
    sheet, problems = read_sheet(data, table.file)
    problems += _refused_columns(table, sheet)
    if problems:
        return table, data, problems
    table = replace(table, sheet=sheet)
    rows, found = _sheet_rows(table, sheet)
    return replace(table, rows=rows), data, found


def rows_problems(table: Table, document: Document) -> Iterator[Problem]:
    """Refuse rows that are there twice, and rows that do nothing: the first of them."""
    return islice(_rows_problems(table, document), MOST_PROBLEMS)


def _rows_problems(table: Table, document: Document) -> Iterator[Problem]:
    first: dict[str, int] = {}
    for index, row in enumerate(table.rows):
        other = first.setdefault(row.id, index)
        if row.id and other != index:
            same = table.rows[other]
            message = f"the row '{row.id}' is there twice"
            if row.cells == same.cells and _generated(row.cells) == row.id:
                message = "the row is there twice"
            line = table.problem(document, other, "id", 0, "").line
            yield table.problem(document, index, "id", 0, message, f"first on line {line}")
        if row.decide is None and not (row.cap or row.floor or row.tags):
            message = "the row does nothing"
            yield table.problem(document, index, "id", 0, message, "give it one of: decide, cap, floor, tag")


def _table(form: Form, path: Path, written: Mapping[str, Any]) -> Table:
    for key in ("id", "inputs"):
        if key not in written:
            form.note(path, f"a table needs '{key}'")
    if ("rows" in written) == ("file" in written):
        form.note(path, "a table needs 'rows' or 'file', and not both", "as file: lists/limits.csv")
    inputs = tuple(_inputs(form, (*path, "inputs"), written["inputs"])) if "inputs" in written else ()
    defaults = _effects(form, path, written, TableRow("", (), -1))
    stage = form.choice((*path, "stage"), written.get("stage", "after"), STAGES)
    table = Table(
        id=form.matching((*path, "id"), written["id"], _ID, _ID_WORDS) if "id" in written else "",
        path=path,
        inputs=inputs,
        rows=(),
        stage=stage,
        hit_policy=form.choice((*path, "hit_policy"), written.get("hit_policy", "unique"), TABLE_POLICIES),
        file=form.word((*path, "file"), written["file"]) if "file" in written else None,
        owner=form.text((*path, "owner"), written.get("owner", "")),
        mode=form.choice((*path, "mode"), written.get("mode", "enforce"), MODES),
        on_unknown=form.choice((*path, "on_unknown"), written.get("on_unknown", "skip"), ON_UNKNOWN),
        description=form.text((*path, "description"), written.get("description", "")),
        tests=tuple(read_cases(form, (*path, "tests"), written.get("tests", []))),
        defaults=defaults,
    )
    if "rows" in written:
        table = replace(table, rows=tuple(_rows(form, (*path, "rows"), written["rows"], table)))
    return table


def _inputs(form: Form, path: Path, written: Any) -> Iterator[TableInput]:
    names: set[str] = set()
    items = form.sequence(path, written)
    if items == [] and isinstance(written, list):
        form.note(path, "a table needs at least one input", "as inputs: [tier, amount]")
    if len(items) > MOST_INPUTS:
        form.note(path, f"{len(items)} inputs; at most {MOST_INPUTS} are read")
        items = items[:MOST_INPUTS]
    for index, item in enumerate(items):
        at: Path = (*path, index)
        if isinstance(item, Mapping):
            item = form.mapping(at, item, INPUT_KEYS)
            for key in INPUT_KEYS:
                if key not in item:
                    form.note(at, f"an input needs '{key}'", "as {name: ratio, value: amount / limit}")
            name = form.word((*at, "name"), item.get("name", "?"))
            value, at = form.expression((*at, "value"), item.get("value", "null")), (*at, "value")
        else:
            name = value = form.expression(at, item)
        if name in ROW_KEYS:
            hint = f"name it otherwise: {{name: the_{name}, value: {name}}}"
            form.note(at, f"an input cannot be called '{name}': rows have a key of this name", hint)
        elif name in names:
            form.note(at, f"the input '{name}' is there twice")
        names.add(name)
        yield TableInput(name, value, at)


def _rows(form: Form, path: Path, written: Any, table: Table) -> Iterator[TableRow]:
    names = [one.name for one in table.inputs]
    rows = form.sequence(path, written)
    if rows == [] and isinstance(written, list):
        form.note(path, "a table needs at least one row")
    for index, row in enumerate(rows):
        at: Path = (*path, index)
        cells = form.mapping(at, row, (*names, *ROW_KEYS), what="a row")
        if not cells:
            continue
        texts = tuple(_cell(form, (*at, name), cells[name]) if name in cells else "" for name in names)
        if "id" in cells:
            row_id = form.matching((*at, "id"), _id(cells["id"]), _ID, _ID_WORDS)
        else:
            row_id = _generated(texts)
        found = _effects(form, at, cells, table.defaults)
        priority = form.whole((*at, "priority"), cells["priority"]) if "priority" in cells else None
        _refuse_stage(form, at, cells, table.stage)
        yield replace(found, id=row_id, cells=texts, place=index, priority=priority)


def _id(value: Any) -> Any:
    return str(value) if type(value) is int else value


def _cell(form: Form, path: Path, value: Any) -> str:
    """Give a cell's text as a CSV file would hold it: YAML's own numbers and truths are literals, too."""
    if isinstance(value, str):
        return value
    if value is None:
        form.note(path, "the cell is empty", 'write - for any value, or "null" in quotes for a missing one')
        return ""
    if isinstance(value, list | dict):
        form.wrong(path, f"'{path[-1]}'", "a cell", value, "put it in quotes, as \"'a', 'b'\" or \"[1..5)\"")
        return ""
    return str(value).lower() if isinstance(value, bool) else repr(value)


def _effects(form: Form, path: Path, written: Mapping[str, Any], defaults: TableRow) -> TableRow:
    """Read what a row, or a table for all its rows, does."""
    effects = [key for key in EFFECTS if key in written]
    for extra in effects[1:]:
        message = f"a row has one effect, and this one has '{effects[0]}' and '{extra}'"
        form.note((*path, extra), message, "write two tables", key=True)
    changes: dict[str, Any] = dict.fromkeys(("decide",)) | {"cap": {}, "floor": {}} if effects else {}
    if "decide" in written:
        changes["decide"] = form.word((*path, "decide"), written["decide"])
    for key in ("cap", "floor"):
        if key in written:
            changes[key] = form.bounds((*path, key), written[key])
    if "tag" in written:
        changes["tags"] = form.codes((*path, "tag"), written["tag"])
    if "reason" in written:
        changes["reason"] = form.code((*path, "reason"), written["reason"])
    return replace(defaults, **changes)


def _refuse_stage(form: Form, path: Path, written: Mapping[str, Any], stage: str) -> None:
    for key in ("cap", "floor"):
        if stage == "before" and key in written:
            message = f"a row of stage 'before' cannot {key} a score: the model has not run yet"
            form.note((*path, key), message, "use stage: after", key=True)


def _generated(cells: Sequence[str]) -> str:
    """Name a row by its cells: the name stays when rows move, and goes when the row asks something else."""
    written = "\0".join(cell.strip() for cell in cells)
    return hashlib.sha256(written.encode("utf-8", "replace")).hexdigest()[:10]


def _refused_columns(table: Table, sheet: Sheet) -> list[Problem]:
    if not sheet.header:
        return []
    names = [one.name for one in table.inputs]
    problems = []
    for column, name in enumerate(sheet.header):
        if name in sheet.header[:column]:
            problems.append(sheet.problem(-1, column, 0, f"the column '{name}' is there twice"))
        elif name not in names and name not in ROW_KEYS and not name.startswith(("cap.", "floor.")):
            hint = nearest(name, (*names, *ROW_KEYS)) if name else "name it, or delete it"
            problems.append(sheet.problem(-1, column, 0, f"unknown column '{name}'", hint))
    for name in names:
        if name not in sheet.header:
            hint = nearest(name, sheet.header)
            problems.append(sheet.problem(-1, 0, 0, f"no column '{name}', which is an input", hint))
    if not problems and not sheet.rows:
        problems.append(sheet.problem(-1, 0, 0, "the table has no rows"))
    return problems


def _sheet_rows(table: Table, sheet: Sheet) -> tuple[tuple[TableRow, ...], list[Problem]]:
    at = {name: column for column, name in enumerate(sheet.header)}
    inputs = [at[one.name] for one in table.inputs]
    others = [(column, name, _READERS.get(name, _bound)) for name, column in at.items() if name not in
              {one.name for one in table.inputs} and name not in ("id", "description")]  # fmt: skip
    problems: list[Problem] = []
    rows = []
    for place, row in enumerate(sheet.rows):
        cells = tuple([row[column] for column in inputs])
        row_id = row[at["id"]].strip() if "id" in at else ""
        changes: dict[str, Any] = {}
        try:
            column = at.get("id", 0)
            if row_id and not _ID.fullmatch(row_id):
                raise ValueError(f"'id' may hold {_ID_WORDS} only, got '{row_id[:60]}'")
            for column, name, read in others:
                if text := row[column].strip():
                    read(changes, name, text)
            column = 0
            if table.stage == "before" and (changes.get("cap") or changes.get("floor")):
                raise ValueError("a row of stage 'before' cannot bound a score: the model has not run yet")
            if sum(bool(changes.get(key)) for key in EFFECTS) > 1:
                raise ValueError("a row has one effect, and this one has several")
        except ValueError as wrong:
            problems.append(sheet.problem(place, column, 0, str(wrong)))
            if len(problems) >= MOST_PROBLEMS:
                break
            continue
        rows.append(_changed(table.defaults, row_id or _generated(cells), cells, place, changes))
    return tuple(rows), problems


def _changed(
    defaults: TableRow, row_id: str, cells: tuple[str, ...], place: int, changes: Mapping[str, Any]
) -> TableRow:
    """Give a row: by its constructor, which is quicker than `replace`, ten thousand times."""
    own = any(key in changes for key in EFFECTS)
    return TableRow(
        row_id,
        cells,
        place,
        changes.get("decide") if own else defaults.decide,
        changes.get("cap", _NONE) if own else defaults.cap,
        changes.get("floor", _NONE) if own else defaults.floor,
        changes.get("tags", defaults.tags),
        changes.get("reason", defaults.reason),
        changes.get("priority"),
    )


_NONE: Mapping[str, float] = {}


def _decide(changes: dict[str, Any], _: str, text: str) -> None:
    changes["decide"] = text


def _tags(changes: dict[str, Any], _: str, text: str) -> None:
    """Read tags, parted by `|`."""
    tags = tuple(dict.fromkeys(tag.strip() for tag in text.split("|")))
    if not all(tags) or any(len(tag) > 200 for tag in tags):
        raise ValueError("tags are words, parted by '|'")
    changes["tags"] = tags


def _reason(changes: dict[str, Any], _: str, text: str) -> None:
    if "|" in text or "\n" in text or "\t" in text or len(text) > 200:
        raise ValueError("'reason' may hold one line of up to 200 characters without '|' only")
    changes["reason"] = text


def _priority(changes: dict[str, Any], _: str, text: str) -> None:
    if not _WHOLE.fullmatch(text):
        raise ValueError(f"'priority' must be a whole number, got '{text[:60]}'")
    changes["priority"] = int(text)


def _bound(changes: dict[str, Any], name: str, text: str) -> None:
    effect, _, score = name.partition(".")
    if not score:
        raise ValueError(f"name the score: {effect}.fraud as the column's name")
    if not _BOUND.fullmatch(text):
        raise ValueError(f"'{name}' must be a number from 0 to 1, got '{text[:60]}'")
    changes.setdefault(effect, {})[score] = float(text)


_READERS: dict[str, Callable[[dict[str, Any], str, str], None]] = {
    "decide": _decide, "tag": _tags, "reason": _reason, "priority": _priority,
}  # fmt: skip
