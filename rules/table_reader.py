"""The `tables:` of a rule file in, decision tables as written out, or what is wrong with them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from rules.errors import Problem
from rules.files import MODES, ON_UNKNOWN, STAGES, read_cases
from rules.form import Form, Path, mistyped
from rules.period import read_period
from rules.reader import Document
from rules.rollout import read_rollout
from rules.suppressions import read_suppressions
from rules.tables import (
    EFFECTS,
    ID_WORDS,
    INPUT_KEYS,
    ROW_ID,
    ROW_KEYS,
    TABLE_KEYS,
    TABLE_POLICIES,
    Table,
    TableInput,
    TableRow,
    generated_id,
)

MOST_INPUTS = 50


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
        id=form.matching((*path, "id"), written["id"], ROW_ID, ID_WORDS) if "id" in written else "",
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
            row_id = form.matching((*at, "id"), _id(cells["id"]), ROW_ID, ID_WORDS)
        else:
            row_id = generated_id(texts)
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
