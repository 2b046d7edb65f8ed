"""A first project.yaml and rule file from a labelled table: types, nullability, a policy to start from."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from engine.errors import InputError
from engine.project.classifiers import class_words
from engine.project.schemas import modeline
from engine.schema import NAME, RESERVED
from engine.values import Refused, read_value
from rules.errors import nearest

ROWS_LOOKED_AT = 200_000
MOST_CLASSES = 50
FEW_ROWS = 10  # a class with fewer cannot be fitted
LEAST_NAMED = 20  # rows; fewer may well differ in a category
TEXT_LENGTH = 20  # characters in the mean, from which free text is likelier than a category
YES = ("true", "1", "1.0", "yes", "y", "t")
_WHOLE = re.compile(r"[+-]?[0-9]+")
_ANY = re.compile(r".+")
_CODE = re.compile(r"[+-]?0[0-9]")
_ID = re.compile(r"(?:.*_)?(?:id|uuid|key)", re.IGNORECASE)


@dataclass(frozen=True)
class Inferred:
    """The two files of a first project, and what the reader should know."""

    project: str
    rules: str
    notes: tuple[str, ...]


def infer_project(name: str, table: pa.Table, label: str, *, data: str, given: str = "") -> Inferred:
    """Write project.yaml and an example rule file for `table`, whose column `label` is to be predicted.

    `data` is the table's file as seen from the project's folder, `given` the same as messages name it.
    Raises InputError where there is nothing to learn from.
    """
    given = given or data
    if label not in table.column_names:
        raise InputError(f"no column '{label}' in {given}; {nearest(label, table.column_names)}")
    if table.num_rows == 0:
        raise InputError(f"{given}: no rows")
    table = table.slice(0, ROWS_LOOKED_AT)
    classes = _classes(table.column(label), label)
    identity, fields, notes = _columns(table, label)
    if not fields:
        raise InputError(f"{given}: no column besides '{label}' can be a field")
    target = re.sub(r"[^A-Za-z0-9_]", "_", label)
    target = target if NAME.fullmatch(target) and target not in RESERVED else "target"
    many = len(classes) > 2
    positive = None if many else _positive(classes)
    if not many and str(positive).lower() not in YES:
        notes.append(f"label '{label}': {_scalar(positive)} is taken to mean yes; see labels in project.yaml")
    rare = [f"{_scalar(value)} has {count}" for value, count in classes if many and count < FEW_ROWS]
    if rare and table.num_rows < ROWS_LOOKED_AT:
        notes.append(
            f"label '{label}': {', '.join(rare)} of {table.num_rows} rows, and a fit needs {FEW_ROWS} "
            "of each class: merge such classes, or leave their rows and names out"
        )
    notes += _hints(label, classes, fields)
    words = class_words([str(value) for value, _ in classes])
    score = f"{target}.{words[-1]}" if many else target
    lines = [
        modeline("project"),
        f"name: {_scalar(name)}",
        *([f"id: {identity}"] if identity else []),
        "fields:",
        *(f"  {field}: {body}" for field, body in fields.items()),
        "outcomes: [accept, review, reject]  # mildest to most severe",
        "labels:",
        f"  {target}: {{column: {_scalar(label)}, {_meaning(classes, positive)}}}",
        "embedding: {width: 32, seed: 7}",
        "classifiers:",
        f"  {target}: {{label: {target}, candidates: [logistic, naive-bayes, tree]}}",
        "policy:  # what the model alone decides; first match wins",
        f"  - {{when: scores.{score} >= 0.8, decide: reject}}",
        f"  - {{when: scores.{score} >= 0.5, decide: review}}",
        '  - {when: "true", decide: accept}',
        "split: {by: random, validation: 0.15, test: 0.2, seed: 7}",
        f"data: {{train: {_scalar(data)}}}",
        "evaluation:",
        f"  label: {target}",
        "  acted: [review, reject]",
        "",
    ]
    return Inferred("\n".join(lines), _example(target, score), tuple(notes))


def _columns(table: pa.Table, label: str) -> tuple[str | None, dict[str, str], list[str]]:
    """The column that names a record, the fields with what project.yaml says of each, and what to know."""
    notes: list[str] = []
    fields: dict[str, str] = {}
    identity = None
    for column in table.column_names:
        if column == label:
            continue
        if not NAME.fullmatch(column) or column in RESERVED:
            notes.append(f"column '{column}' is left out: a field's name is letters, digits and _")
        elif (kind := _no_field(table.column(column))) is not None:
            notes.append(f"column '{column}' is left out: it holds {kind}, and a field is one plain value")
        elif identity is None and _is_identity(column, table.column(column)):
            identity = column
        else:
            fields[column] = _field(table.column(column))
    for column in [name for name in fields if _names_rows(table.column(name), fields[name])]:
        told = f"column '{column}' has another text in every row, which tells a model nothing"
        if identity is None:
            identity = column
            notes.append(f"{told}: it is taken to name the record ('id'); see project.yaml")
        else:
            notes.append(f"{told}: it is left out")
        del fields[column]
    return identity, fields, notes


def _hints(label: str, classes: list[tuple[Any, int]], fields: dict[str, str]) -> list[str]:
    """What to look at in a first project. Raises InputError for classes that no project can tell apart."""
    notes = []
    if len(classes) > 2:
        _refuse_one_word(classes, label)
        rarest = _scalar(classes[-1][0])
        notes.append(
            f"label '{label}': the policy rejects {rarest}, its rarest class, as an example: edit it"
        )
    moments = [field for field, body in fields.items() if body.startswith("{type: timestamp")]
    if moments:
        notes.append(
            "rows are split at random; to be judged on later rows, as in use, give 'split' in project.yaml "
            f"'by: time, field: {moments[0]}'"
        )
    return notes


def _classes(column: pa.ChunkedArray, label: str) -> list[tuple[Any, int]]:
    """The label's values with their counts, the most frequent first."""
    if (kind := _no_field(column)) is not None:
        raise InputError(f"label '{label}' holds {kind}: name a column with one plain value a row")
    counts = column.drop_null().value_counts()
    found = sorted(((one["values"], one["counts"]) for one in counts.to_pylist()), key=lambda one: -one[1])
    if not found:
        raise InputError(f"label '{label}' is missing in every row: there is nothing to learn")
    if len(found) < 2:
        raise InputError(f"label '{label}' has one value only: there is nothing to learn")
    if len(found) > MOST_CLASSES:
        raise InputError(
            f"label '{label}' has {len(found)} different values, more than {MOST_CLASSES} classes"
        )
    return found


def _refuse_one_word(classes: list[tuple[Any, int]], label: str) -> None:
    """Refuse classes whose scores would have one name. Raises InputError."""
    names = [str(value) for value, _ in classes]
    alike: dict[str, list[str]] = {}
    for (name, count), word in zip(classes, class_words(names), strict=True):
        alike.setdefault(word, []).append(f"'{name}' ({count:,})")
    for word, told in alike.items():
        if len(told) > 1:
            listed = f"{', '.join(told[:-1])} and {told[-1]}"
            raise InputError(
                f"label '{label}': the scores of its classes {listed} would all be called '{word}'; where "
                "they mean the same write them alike in the table, else give each a name that differs in "
                "letters or digits"
            )


def _positive(classes: list[tuple[Any, int]]) -> Any:
    """The value that means yes: one that says so, else the rarer one."""
    said = [value for value, _ in classes if str(value).lower() in YES]
    return said[0] if said else classes[-1][0]


def _meaning(classes: list[tuple[Any, int]], positive: Any) -> str:
    if positive is not None:
        return f"positive: {_scalar(positive)}"
    return f"classes: [{', '.join(_scalar(str(value)) for value, _ in classes)}]"


def _no_field(column: pa.ChunkedArray) -> str | None:
    """What a column holds, where that can be no field; None where it can."""
    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    if pa.types.is_nested(kind):
        return f"lists or records ({kind})"
    try:
        column.slice(0, 0).cast(pa.string())
        if pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
            column.cast(pa.string())
    except (pa.ArrowNotImplementedError, pa.ArrowInvalid):
        return f"what is no text ({kind})"
    return None


def _is_identity(name: str, column: pa.ChunkedArray) -> bool:
    if not _ID.fullmatch(name) or column.null_count or pa.types.is_floating(column.type):
        return False
    return bool(pc.count_distinct(column).as_py() == len(column))


def _names_rows(column: pa.ChunkedArray, field: str) -> bool:
    """Whether a category has another value in every row, and enough rows to tell."""
    if not field.startswith("{type: category") or column.null_count or len(column) < LEAST_NAMED:
        return False
    return bool(pc.count_distinct(column).as_py() == len(column))


def _field(column: pa.ChunkedArray) -> str:
    kind = _type(column)
    nullable = column.null_count > 0
    if pa.types.is_floating(column.type):
        nullable = nullable or bool(pc.any(pc.is_nan(column)).as_py())
    elif kind not in ("category", "text") and _is_text(column.type):
        nullable = nullable or any(read_value(kind, text) is None for text in pc.unique(column).to_pylist())
    return f"{{type: {kind}{', nullable: true' if nullable else ''}}}"


def _type(column: pa.ChunkedArray) -> str:
    kind = column.type
    if pa.types.is_boolean(kind):
        return "bool"
    if pa.types.is_integer(kind):
        return "int"
    if pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return "float"
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        return "timestamp"
    texts = column.cast(pa.string()).drop_null()
    if len(texts) == 0:
        return "category"
    written = _written_type(pc.unique(texts).to_pylist())
    if written is not None:
        return written
    length = pc.mean(pc.utf8_length(texts)).as_py()
    repeated = pc.count_distinct(texts).as_py() <= 0.5 * len(texts)
    return "category" if repeated or length < TEXT_LENGTH else "text"


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def _written_type(texts: list[str]) -> str | None:
    """What all the texts write out, as in a CSV, whose cells are all text; None where that is no type.

    `007` is a code, not a number.
    """
    filled = [text.strip() for text in texts if text.strip() and text.strip().lower() != "nan"]
    if not filled:
        return None
    if all(text.lower() in ("true", "false") for text in filled):
        return "bool"
    if all(len(text) >= 10 and _reads_as("timestamp", text) for text in filled):
        return "timestamp"
    if any(_CODE.match(text) for text in filled):
        return None
    for kind, form in (("int", _WHOLE), ("float", _ANY)):
        if all(form.fullmatch(text) and _reads_as(kind, text) for text in filled):
            return kind
    return None


def _reads_as(kind: str, text: str) -> bool:
    try:
        return read_value(kind, text) is not None
    except Refused:
        return False


def _scalar(value: Any) -> str:
    """A YAML scalar: plain where that reads back as the same text, else in JSON's quotes, which YAML has."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    text = str(value)
    plain = re.fullmatch(r"[A-Za-z_./][A-Za-z0-9_./ -]*[A-Za-z0-9_]|[A-Za-z_]", text)
    return text if plain and text.lower() not in ("true", "false", "null") else json.dumps(text)


def _example(target: str, score: str) -> str:
    return f"""\
{modeline("rules", 1)}
filters: example
rules:
  # A filter on top of the model. In mode shadow it is noted in every decision and changes none; try enforce.
  - id: close-call
    when: scores.{score} >= 0.4 && proposed == 'accept'
    decide: review
    reason: CLOSE_CALL
    mode: shadow
    tests:
      - {{given: {{scores: {{{score}: 0.45}}, proposed: accept}}, expect: review}}
      - {{given: {{scores: {{{score}: 0.10}}, proposed: accept}}, expect: none}}
"""
