"""The written form of decision tables: `tables:` of a rule file, and CSV files beside it, as frozen records.

A row's cells stay text here; what they say depends on the types of the inputs (`rules.checked_tables`).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from rules.errors import Problem, nearest
from rules.files import MODES, ON_UNKNOWN, STAGES, Case, read_cases
from rules.form import Form, Path, mistyped, read_moment
from rules.lists import refused_path
from rules.period import Period, read_period
from rules.reader import Document
from rules.rollout import Rollout, read_rollout
from rules.sheets import Sheet, few, read_sheet
from rules.suppressions import Suppression, read_suppressions

TABLE_POLICIES = ("first", "unique", "priority", "collect")
TABLE_KEYS = (
    "id", "description", "stage", "hit_policy", "inputs", "rows", "file", "decide", "cap", "floor", "tag",
    "reason", "owner", "mode", "on_unknown", "effective", "rollout", "except", "tests",
)  # fmt: skip
ROW_KEYS = ("id", "decide", "cap", "floor", "tag", "reason", "priority", "effective", "description")
PERIOD_COLUMNS = ("effective.from", "effective.until")
INPUT_KEYS = ("name", "value")
EFFECTS = ("decide", "cap", "floor")
MOST_INPUTS = 50
_Read = Callable[[dict[str, Any], str, str], None]

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_ID_WORDS = "letters, digits, '-', '_' and '.'"
_WHOLE = re.compile(r"[-+]?[0-9]{1,18}")
_BOUND = re.compile(r"0(?:\.[0-9]+)?|1(?:\.0+)?")


_READ: frozenset[str] = frozenset()


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
    effective: Period | None = None
    unread: frozenset[str] = _READ  # the keys, or columns, that something is wrong with

    @property
    def named_by_cells(self) -> bool:
        """Whether the id is made of the cells, for want of another."""
        return self.id == _generated(self.cells)


@dataclass(frozen=True)
class Table:
    """One decision table as written; `path` is its place in its document, `sheet` the file of its rows.

    It is `whole` where all rows are there and their ids were read: else nothing follows from what is not.
    """

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
    rollout: Rollout | None = None
    suppressions: tuple[Suppression, ...] = ()
    tests: tuple[Case, ...] = ()
    defaults: TableRow = TableRow("", (), -1)
    sheet: Sheet | None = None
    whole: bool = True

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

    @property
    def timed(self) -> Path | None:
        """The place of what goes by the event's time: of the table, or of its first such row."""
        if self.defaults.effective is not None:
            return (*self.path, "effective")
        row = next((row for row in self.rows if row.effective is not None), None)
        if row is None:
            return None
        return (*self.path, "file") if self.sheet else (*self.path, "rows", row.place, "effective")


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
    table: Table, document: Document, read_file: Callable[[str], bytes], fields: Collection[str] = ()
) -> tuple[Table, bytes | None, list[Problem]]:
    """Give a table with the rows of its CSV file, that file's bytes, and what is wrong with it.

    `fields` are what inputs may name, if that is known.
    """
    if not table.file:
        return table, None, []
    at, file = (*table.path, "file"), table.file
    table = replace(table, whole=False)
    if wrong := refused_path(file):
        return table, None, [document.problem(at, f"'{file}': {wrong}", "as lists/limits.csv")]
    try:
        data = read_file(file)
    except (FileNotFoundError, KeyError):
        return table, None, [document.problem(at, f"the table file '{file}' does not exist")]
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        return table, None, [document.problem(at, f"the table file '{file}' cannot be read: {reason}")]
    sheet, problems = read_sheet(data, file)
    refused = list(_refused_columns(table, sheet, fields)) if sheet.header else []
    table = replace(table, sheet=sheet)
    rows, found = _sheet_rows(table, sheet)
    if refused:
        unread = frozenset((*(one.name for one in table.inputs), *ROW_KEYS))
        rows = [replace(row, unread=unread) for row in rows]
    problems += [*refused, *few(found)]
    whole = sheet.whole and not any("id" in row.unread for row in rows)
    return replace(table, rows=tuple(rows), whole=whole), data, problems


def rows_problems(table: Table, document: Document) -> list[Problem]:
    """Refuse rows that are there twice, and rows that do nothing."""
    return few(_rows_problems(table, document))


def _rows_problems(table: Table, document: Document) -> Iterator[Problem]:
    first: dict[str, int] = {}
    for index, row in enumerate(table.rows):
        generated = (row.id in first or bool(row.unread)) and _generated(row.cells) == row.id
        if generated and row.unread:
            continue  # what cannot be read may be what tells it from others
        other = first.setdefault(row.id, index)
        if row.id and other != index:
            same = row.cells == table.rows[other].cells and generated
            message = "the row is there twice" if same else f"the row '{row.id}' is there twice"
            line = table.problem(document, other, "id", 0, "").line
            yield table.problem(document, index, "id", 0, message, f"first on line {line}")
        idle = row.decide is None and not (row.cap or row.floor or row.tags)
        if idle and not row.unread.intersection((*EFFECTS, "tag")):
            message = "the row does nothing"
            yield table.problem(document, index, "id", 0, message, "give it one of: decide, cap, floor, tag")


def _table(form: Form, path: Path, written: Mapping[str, Any]) -> Table:
    for key in ("id", "inputs"):
        form.needs(path, written, key, TABLE_KEYS, "a table")
    given = [key for key in ("rows", "file") if key in written]
    if len(given) == 2 or not (given or mistyped(written, ("rows", "file"), TABLE_KEYS)):
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
        rollout=read_rollout(form, (*path, "rollout"), written["rollout"], str(written.get("id", "")))
        if "rollout" in written
        else None,
        suppressions=tuple(read_suppressions(form, (*path, "except"), written.get("except", []))),
        tests=tuple(read_cases(form, (*path, "tests"), written.get("tests", []))),
        defaults=defaults,
    )
    if "rows" in written:
        rows = tuple(_rows(form, (*path, "rows"), written["rows"], table))
        whole = isinstance(written["rows"], list) and len(rows) == len(written["rows"])
        table = replace(table, rows=rows, whole=whole and not any("id" in row.unread for row in rows))
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
        before = len(form.problems)
        # Without inputs that were read, what stands in a row is not known: the inputs have been told.
        cells = form.mapping(at, row, (*names, *ROW_KEYS) if names else None, what="a row")
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
        keys = (*names, *ROW_KEYS)
        unread = form.unread(at, before)
        unread |= set() if names else {"inputs"}
        unread |= {key for key in (*EFFECTS, "tag", "id") if mistyped(cells, (key,), keys)}
        yield replace(found, id=row_id, cells=texts, place=index, priority=priority, unread=unread)


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
    if "effective" in written:
        changes["effective"] = read_period(form, (*path, "effective"), written["effective"])
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


def _refused_columns(table: Table, sheet: Sheet, fields: Collection[str]) -> Iterator[Problem]:
    """Compare the header with the inputs; of two names that are meant to be one, one is told."""
    names = [one.name for one in table.inputs]
    lacking = {name for name in names if name not in sheet.header}
    for column, name in enumerate(sheet.header):
        if name in sheet.header[:column]:
            yield sheet.problem(-1, column, 0, f"the column '{name}' is there twice")
        elif name not in (*names, *ROW_KEYS, *PERIOD_COLUMNS) and not _is_bound(name) and names:
            known = (*names, *ROW_KEYS, *PERIOD_COLUMNS)
            hint = nearest(name, known) if name else "name it, or delete it"
            meant = next((one for one in lacking if hint == f"did you mean '{one}'?"), None)
            lacking.discard(meant or "")
            # Where the field is called as the column is, the input is what is mistyped: that is told there.
            if not (meant and name in fields and meant not in fields):
                yield sheet.problem(-1, column, 0, f"unknown column '{name}'", hint)
    for name in names:
        if name in lacking:
            hint = nearest(name, sheet.header)
            yield sheet.problem(-1, 0, 0, f"no column '{name}', which is an input", hint)
    if not sheet.rows and sheet.whole:
        yield sheet.problem(-1, 0, 0, "the table has no rows")


def _is_bound(name: str) -> bool:
    return name.startswith(("cap.", "floor."))


def _reader(name: str) -> _Read | None:
    """Give what reads the cells of a column that is no input."""
    return _bound if _is_bound(name) else _READERS.get(name)


def _sheet_rows(table: Table, sheet: Sheet) -> tuple[list[TableRow], list[Problem]]:
    """Read the rows as far as they go; of a column that is there twice the first counts."""
    at: dict[str, int] = {}
    for column, name in enumerate(sheet.header):
        at.setdefault(name, column)
    inputs = [at.get(one.name, -1) for one in table.inputs]
    own = {one.name for one in table.inputs} | {"description"}
    others = [
        (column, name, read)
        for name, column in at.items()
        if name not in own and (read := _reader(name)) is not None
    ]
    problems: list[Problem] = []
    rows = []
    for place, row in enumerate(sheet.rows):
        cells = tuple([row[column] if column >= 0 else "" for column in inputs])
        changes: dict[str, Any] = {}
        try:
            for column, name, read in others:
                if text := row[column].strip():
                    read(changes, name, text)
            _refuse_effects(changes, table.stage)
            _join_period(changes)
        except ValueError:
            changes, wrong = _read_singly(row, others, table.stage)
            problems += [sheet.problem(place, column, 0, message) for column, message in wrong]
            changes["unread"] = frozenset(sheet.header[column] for column, _ in wrong)
        rows.append(_changed(table.defaults, changes.get("id") or _generated(cells), cells, place, changes))
    return rows, problems


def _read_singly(
    row: Sequence[str], others: Sequence[tuple[int, str, _Read]], stage: str
) -> tuple[dict[str, Any], list[tuple[int, str]]]:
    """Read a row in which something is wrong: everything that is, by its column, and what the rest says."""
    changes: dict[str, Any] = {}
    wrong: list[tuple[int, str]] = []
    for column, name, read in others:
        try:
            if text := row[column].strip():
                read(changes, name, text)
        except ValueError as error:
            wrong.append((column, str(error)))
    try:
        _refuse_effects(changes, stage)
    except ValueError as error:
        effects = [column for column, name, _ in others if name.partition(".")[0] in EFFECTS]
        wrong.append((max(column for column in effects if row[column].strip()), str(error)))
    try:
        _join_period(changes)
    except ValueError as error:
        wrong.append((max(column for column, name, _ in others if name in PERIOD_COLUMNS), str(error)))
    return changes, sorted(wrong)


def _refuse_effects(changes: Mapping[str, Any], stage: str) -> None:
    if stage == "before" and (changes.get("cap") or changes.get("floor")):
        raise ValueError("a row of stage 'before' cannot bound a score: the model has not run yet")
    if sum(bool(changes.get(key)) for key in EFFECTS) > 1:
        raise ValueError("a row has one effect, and this one has several")


def _join_period(changes: dict[str, Any]) -> None:
    start, end = (changes.get(column) for column in PERIOD_COLUMNS)
    if start is not None or end is not None:
        if start is not None and end is not None and start >= end:
            raise ValueError("'effective.from' is not before 'effective.until': the row could never fire")
        changes["effective"] = Period(start, end)


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
        changes.get("effective", defaults.effective),
        changes.get("unread", _READ),
    )


_NONE: Mapping[str, float] = {}


def _row_id(changes: dict[str, Any], _: str, text: str) -> None:
    changes["id"] = text
    if not _ID.fullmatch(text):
        raise ValueError(f"'id' may hold {_ID_WORDS} only, got '{text[:60]}'")


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


def _moment(changes: dict[str, Any], name: str, text: str) -> None:
    if name not in PERIOD_COLUMNS:
        raise ValueError("name the end: effective.from or effective.until as the column's name")
    moment = read_moment(text)
    if moment is None:
        wanted = "a day as 2026-11-01 or a time as 2026-11-01T12:00:00Z"
        raise ValueError(f"'{name}' must be {wanted}, got '{text[:60]}'")
    changes[name] = moment


_READERS: dict[str, _Read] = {
    "id": _row_id, "decide": _decide, "tag": _tags, "reason": _reason, "priority": _priority,
    "cap": _bound, "floor": _bound, **dict.fromkeys(("effective", *PERIOD_COLUMNS), _moment),
}  # fmt: skip
