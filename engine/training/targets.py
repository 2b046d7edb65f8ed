"""A label column to class codes: `(n,)` int64, 0 … classes − 1, and −1 where the label is missing.

Two classes: 1 is the positive value, 0 everything else that is there. More: the place in the label's list
of classes.
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from engine.errors import InputError, shown
from rules.errors import nearest

if TYPE_CHECKING:
    from engine.project import Label

MISSING = -1
LEAST_ROWS = 10
SHOWN = 5
_YES, _NO = frozenset({"true", "1", "yes", "t", "y"}), frozenset({"false", "0", "no", "f", "n"})


def class_names(label: Label) -> tuple[str, ...]:
    """Names of a label's classes, by code."""
    return label.classes or ("no", "yes")


def label_codes(label: Label, table: pa.Table, source: str) -> np.ndarray:
    """Read one label.

    `source` names the table in messages. Raises InputError where the column is missing, or holds what is no
    class.
    """
    if label.column not in table.column_names:
        hint = nearest(label.column, table.column_names)
        raise InputError(f"{source}: no column '{label.column}' for label '{label.name}'; {hint}")
    column = table.column(label.column)
    if isinstance(column.type, pa.DictionaryType):
        column = column.cast(column.type.value_type)
    refuse_nested(column.type, f"{source}: label '{label.name}' (column '{label.column}')")
    encoded = pa.chunked_array([column.combine_chunks()]).dictionary_encode().combine_chunks()
    encoded = encoded.chunk(0) if isinstance(encoded, pa.ChunkedArray) else encoded
    values = encoded.dictionary.to_pylist()
    meanings, unknown = _meanings(label, values)
    if unknown:
        raise InputError(_unknown_message(label, unknown, source))
    codes = np.append(np.array(meanings, np.int64), MISSING)
    places = encoded.indices.fill_null(len(values)).to_numpy(zero_copy_only=False).astype(np.int64)
    return np.asarray(codes[places])


def refuse_nested(kind: pa.DataType, place: str) -> None:
    """Refuse a column whose values are lists or records; `place` names it. Raises InputError."""
    if pa.types.is_nested(kind):
        raise InputError(f"{place}: a column of {kind}; each row must have one text, number, true or false")


def label_weights(label: Label, table: pa.Table, codes: np.ndarray, source: str) -> np.ndarray | None:
    """How much each row counts: `(n,)` float64, 0 where the label is missing; None where it has no weights.

    Raises InputError where the column is missing, or holds what is no finite number from 0 on.
    """
    if label.weight is None:
        return None
    place = f"{source}: label '{label.name}' (weight '{label.weight}')"
    if label.weight not in table.column_names:
        hint = nearest(label.weight, table.column_names)
        raise InputError(f"{source}: no column '{label.weight}', the weight of label '{label.name}'; {hint}")
    column = table.column(label.weight)
    if not (pa.types.is_integer(column.type) or pa.types.is_floating(column.type)):
        raise InputError(f"{place}: a column of {column.type}; weights are numbers from 0 on")
    weights = column.cast(pa.float64()).fill_null(np.nan).to_numpy()
    known = codes != MISSING
    wrong = np.flatnonzero(known & ~(np.isfinite(weights) & (weights >= 0)))
    if len(wrong):
        value = column[int(wrong[0])].as_py()
        raise InputError(
            f"{place}: {len(wrong):,} of {len(codes):,} rows have no finite weight from 0 on; the first is "
            f"row {wrong[0]}: {shown(value)}. Give it a number, 0 to leave the row out, 1 to count it once"
        )
    largest = weights[known].max(initial=0.0)
    if largest and (weights[known] / largest).sum() > np.finfo(float).max / largest:
        raise InputError(f"{place}: they add up to more than a number can be; divide all by the largest")
    return np.where(known, weights, 0.0)


def check_codes(label: Label, codes: np.ndarray, values: str, source: str) -> None:
    """Refuse a label that nothing can be learned from; raises InputError with the counts and what to try."""
    counts = np.bincount(codes[codes != MISSING], minlength=len(class_names(label)))
    place = f"{source}: label '{label.name}' (column '{label.column}')"
    if counts.sum() == 0:
        raise InputError(f"{place}: every row's label is missing")
    named = ", ".join(f"{name}: {count:,}" for name, count in zip(class_names(label), counts, strict=True))
    if np.count_nonzero(counts) < 2:
        hint = f" 'positive' is {shown(label.positive)}; the column holds {values}." if label.binary else ""
        raise InputError(
            f"{place}: constant, all {counts.sum():,} labelled rows are of one class ({named}).{hint} "
            "Give rows of both kinds, or mend the label in project.yaml"
        )
    if counts.min() < LEAST_ROWS:
        raise InputError(
            f"{place}: a class has fewer than {LEAST_ROWS} rows ({named}); "
            "give more rows of it, merge it into another class, or leave these rows and the class out"
        )


def label_notes(label: Label, table: pa.Table) -> list[str]:
    """Say which values of a label of yes and no mean no by differing from the one that means yes; of two
    values in all each has a meaning of its own.
    """
    if not label.binary or isinstance(label.positive, bool):
        return []
    counts = table.column(label.column).value_counts().to_pylist()
    yes = _text(label.positive)
    others = [(_text(one["values"]), one["counts"]) for one in counts if _meaning(label, one["values"]) == 0]
    place = f"label '{label.name}' (column '{label.column}')"
    if len({text for text, _ in others}) < 2:
        return []
    near = [(text, count) for text, count in others if _alike(text) == _alike(yes)]
    if near:
        listed = ", ".join(f"{shown(text)} ({count:,} rows)" for text, count in near[:SHOWN])
        return [f"{place}: only {shown(yes)} means yes; {listed} means no: write them alike if they are one"]
    listed = ", ".join(shown(text) for text, _ in others[:SHOWN]) + (", …" if len(others) > SHOWN else "")
    return [f"{place}: {shown(yes)} means yes, each of {len(others):,} other values no: {listed}"]


def values_shown(label: Label, table: pa.Table) -> str:
    """A few of a label column's values, for messages."""
    distinct = table.column(label.column).unique().to_pylist()
    return ", ".join(shown(value) for value in distinct[:SHOWN]) + (", …" if len(distinct) > SHOWN else "")


def _meanings(label: Label, values: list[Any]) -> tuple[list[int], list[Any]]:
    meanings = [_meaning(label, value) for value in values]
    unknown = [value for value, meaning in zip(values, meanings, strict=True) if meaning is None]
    return [MISSING if meaning is None else meaning for meaning in meanings], unknown


def _meaning(label: Label, value: Any) -> int | None:
    """The class code of one value; None where it is no class."""
    if value is None or value == "" or (isinstance(value, float) and math.isnan(value)):
        return MISSING
    if not label.binary:
        text = _text(value)
        return label.classes.index(text) if text in label.classes else None
    if isinstance(label.positive, bool):
        text = _text(value).lower()
        truth = 1 if text in _YES else 0 if text in _NO else None
        return truth if truth is None or label.positive else 1 - truth
    return int(_text(value) == _text(label.positive))


def _text(value: Any) -> str:
    """One text for one value, however the file stored it: 1, 1.0 and "1" are the same; so are true and
    "true".
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value).strip()


def _alike(text: str) -> str:
    """A text without what is overlooked in it: case, blanks, hyphens between letters. A sign is none, nor is
    what parts two numbers.
    """
    spaced = re.sub(r"[\s_]+", " ", text.casefold()).strip()
    closed = re.sub(r"(?<!\d) | (?!\d)", "", spaced)
    return re.sub(r"(?<=[^\W\d])-(?=[^\W\d])", "", closed)


def _unknown_message(label: Label, unknown: list[Any], source: str) -> str:
    listed = ", ".join(shown(value) for value in unknown[:SHOWN]) + (", …" if len(unknown) > SHOWN else "")
    place = f"{source}: label '{label.name}' (column '{label.column}')"
    if label.binary:
        return f"{place}: neither true nor false: {listed}; say in project.yaml which value is 'positive'"
    hint = nearest(_text(unknown[0]), label.classes)
    return f"{place}: not among its classes ({', '.join(label.classes)}): {listed}; {hint}"
