"""How each field is encoded, as frozen records, and their written form: plain JSON, checked when read.

The written form is public: `docs/encoding-format.md` is its specification.
"""

from __future__ import annotations

import reprlib
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from embeddings.errors import EncodingError

FORMAT = 1
FORMAT_WITH_VECTORS = 2
"""Written where a text has an encoder of its own: readers of format 1 would leave its columns out."""
BOUND = 1e6
"""Standardised values are clipped to ±BOUND, so that float32 and the graph never meet an infinity."""
CLOCK_COLUMNS = 4
"""Columns of a timestamp: sine and cosine of the minute of the day, the same of the day of the week."""
MISSING_TOKEN = 1
FIRST_TOKEN = 2
"""Token 0 is padding, 1 a missing text, the hashed ones begin here."""

_MOST_FIELDS = 10_000
_MOST_EDGES = 1_024
_MOST_LEVELS = 1_000_000
_LONGEST_TEXT = 65_536
_LARGEST = sys.float_info.max


@dataclass(frozen=True)
class Number:
    """A number: `(value - mean) * inverse_scale` in float64; `edges` of its bins ascend, in those units."""

    name: str
    mean: float
    inverse_scale: float
    edges: tuple[float, ...]


@dataclass(frozen=True)
class Clock:
    """A timestamp: four cyclic columns, each with its own bins."""

    name: str
    edges: tuple[tuple[float, ...], ...]


@dataclass(frozen=True)
class Category:
    """A category, or a flag: rows of the shared table: unseen, missing, then one a level."""

    name: str
    flag: bool
    levels: tuple[str, ...]

    @property
    def rows(self) -> int:
        return 2 + (2 if self.flag else len(self.levels))

    def index(self, first: int) -> dict[Any, int]:
        """Row of the shared table by value, for a field whose rows begin at `first`."""
        keys: tuple[Any, ...] = (False, True) if self.flag else self.levels
        return {None: first + 1} | {key: first + 2 + place for place, key in enumerate(keys)}


@dataclass(frozen=True)
class Text:
    """A text: `tokens` places for hashed tokens of `buckets` buckets."""

    name: str
    tokens: int
    buckets: int

    @property
    def rows(self) -> int:
        return FIRST_TOKEN + self.buckets


@dataclass(frozen=True)
class Vector:
    """A text with an encoder of its own: each of its dimensions standardised in float64.

    The other settings are those of `embeddings.textmodel.TextModel`, whose files stand beside the encoding.
    """

    name: str
    tokens: int
    output: str
    lower: bool
    pool: str
    mean: tuple[float, ...]
    inverse_scale: tuple[float, ...]

    @property
    def width(self) -> int:
        return len(self.mean)


Fields = tuple[
    tuple[Number, ...], tuple[Clock, ...], tuple[Category, ...], tuple[Text, ...], tuple[Vector, ...]
]


def write(
    numbers: tuple[Number, ...],
    clocks: tuple[Clock, ...],
    categories: tuple[Category, ...],
    texts: tuple[Text, ...],
    vectors: tuple[Vector, ...] = (),
) -> dict[str, Any]:
    """Give the written form."""
    written = [
        {
            "name": v.name,
            "tokens": v.tokens,
            "output": v.output,
            "lower": v.lower,
            "pool": v.pool,
            "mean": list(v.mean),
            "inverse_scale": list(v.inverse_scale),
        }
        for v in vectors
    ]
    return {
        "format": FORMAT_WITH_VECTORS if vectors else FORMAT,
        **({"vectors": written} if vectors else {}),
        "numbers": [
            {"name": n.name, "mean": n.mean, "inverse_scale": n.inverse_scale, "edges": list(n.edges)}
            for n in numbers
        ],
        "timestamps": [{"name": c.name, "edges": [list(edges) for edges in c.edges]} for c in clocks],
        "categories": [
            {"name": c.name} | ({"flag": True} if c.flag else {"levels": list(c.levels)}) for c in categories
        ],
        "texts": [{"name": t.name, "tokens": t.tokens, "buckets": t.buckets} for t in texts],
    }


def read(data: Mapping[str, Any]) -> Fields:
    """Read a written form. Raises `EncodingError` naming the place of what `write` would not give."""
    place = "encoding"
    more = ("vectors",) if isinstance(data, Mapping) and "vectors" in data else ()
    _keys(data, ("format", "numbers", "timestamps", "categories", "texts", *more), place)
    wanted = FORMAT_WITH_VECTORS if more else FORMAT
    if data["format"] != wanted or isinstance(data["format"], bool):
        with_or_without = f"format {wanted} {'with' if more else 'without'} vectors"
        raise EncodingError(
            f"{place}.format: got {reprlib.repr(data['format'])}; this version reads {with_or_without}"
        )
    numbers = _each(data, "numbers", _number)
    clocks = _each(data, "timestamps", _clock)
    categories = _each(data, "categories", _category)
    texts = _each(data, "texts", _text)
    vectors = _each(data, "vectors", _vector) if more else ()
    names = [field.name for group in (numbers, clocks, categories, texts, vectors) for field in group]
    if not names:
        raise EncodingError(f"{place}: no fields")
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise EncodingError(f"{place}: field '{twice}' is encoded twice")
    return numbers, clocks, categories, texts, vectors


def _each(data: Mapping[str, Any], key: str, read_one: Callable[[Any, str], Any]) -> tuple[Any, ...]:
    items = _list(data[key], _MOST_FIELDS, f"encoding.{key}")
    return tuple(read_one(item, f"encoding.{key}[{place}]") for place, item in enumerate(items))


def _number(item: Any, place: str) -> Number:
    _keys(item, ("name", "mean", "inverse_scale", "edges"), place)
    inverse = _finite(item["inverse_scale"], f"{place}.inverse_scale")
    if inverse <= 0:
        raise EncodingError(f"{place}.inverse_scale: got {reprlib.repr(inverse)}; it is above 0")
    mean = _finite(item["mean"], f"{place}.mean")
    return Number(_name(item, place), mean, inverse, _edges(item["edges"], f"{place}.edges"))


def _clock(item: Any, place: str) -> Clock:
    _keys(item, ("name", "edges"), place)
    columns = _list(item["edges"], CLOCK_COLUMNS, f"{place}.edges")
    if len(columns) != CLOCK_COLUMNS:
        raise EncodingError(f"{place}.edges: got {len(columns)} columns; a timestamp has {CLOCK_COLUMNS}")
    return Clock(_name(item, place), tuple(_edges(column, f"{place}.edges") for column in columns))


def _category(item: Any, place: str) -> Category:
    flag = isinstance(item, Mapping) and "flag" in item
    _keys(item, ("name", "flag" if flag else "levels"), place)
    if flag:
        if item["flag"] is not True:
            raise EncodingError(f"{place}.flag: got {reprlib.repr(item['flag'])}; it is true or absent")
        return Category(_name(item, place), True, ())
    levels = _list(item["levels"], _MOST_LEVELS, f"{place}.levels")
    for level in levels:
        if not isinstance(level, str) or len(level) > _LONGEST_TEXT:
            raise EncodingError(f"{place}.levels: a level is a string of at most {_LONGEST_TEXT} characters")
    if len(set(levels)) < len(levels):
        raise EncodingError(f"{place}.levels: a level is named twice")
    return Category(_name(item, place), False, tuple(levels))


def _text(item: Any, place: str) -> Text:
    _keys(item, ("name", "tokens", "buckets"), place)
    tokens = _whole(item["tokens"], 1, 1_024, f"{place}.tokens")
    return Text(_name(item, place), tokens, _whole(item["buckets"], 1, 1 << 22, f"{place}.buckets"))


def _vector(item: Any, place: str) -> Vector:
    keys = ("name", "tokens", "output", "lower", "pool", "mean", "inverse_scale")
    _keys(item, keys, place)
    tokens = _whole(item["tokens"], 3, 512, f"{place}.tokens")
    if not isinstance(item["output"], str) or not isinstance(item["lower"], bool):
        raise EncodingError(f"{place}: 'output' is a name, 'lower' is true or false")
    if item["pool"] not in ("mean", "first"):
        raise EncodingError(f"{place}.pool: got {reprlib.repr(item['pool'])}; it is mean or first")
    mean, scale = (
        tuple(_finite(one, f"{place}.{key}") for one in _list(item[key], 4_096, f"{place}.{key}"))
        for key in ("mean", "inverse_scale")
    )
    if not mean or len(mean) != len(scale) or min(scale) <= 0:
        raise EncodingError(f"{place}: a mean and an inverse_scale above 0 for each dimension")
    return Vector(_name(item, place), tokens, item["output"], item["lower"], item["pool"], mean, scale)


def _keys(item: Any, keys: tuple[str, ...], place: str) -> None:
    if not isinstance(item, Mapping) or set(item) != set(keys):
        got = sorted(map(str, item)) if isinstance(item, Mapping) else type(item).__name__
        raise EncodingError(f"{place}: got {got}; expected the keys {sorted(keys)}")


def _list(value: Any, most: int, place: str) -> list[Any]:
    if not isinstance(value, list) or len(value) > most:
        raise EncodingError(f"{place}: expected a list of at most {most} entries")
    return value


def _name(item: Mapping[str, Any], place: str) -> str:
    name = item["name"]
    if not isinstance(name, str) or not 0 < len(name) <= 1_000:
        raise EncodingError(f"{place}.name: expected a name of 1 to 1000 characters")
    return name


def _finite(value: Any, place: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not -_LARGEST <= value <= _LARGEST:
        raise EncodingError(f"{place}: got {reprlib.repr(value)}; expected a finite number")
    return float(value)


def _whole(value: Any, least: int, most: int, place: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise EncodingError(
            f"{place}: got {reprlib.repr(value)}; expected a whole number from {least} to {most}"
        )
    return value


def _edges(value: Any, place: str) -> tuple[float, ...]:
    edges = tuple(_finite(edge, place) for edge in _list(value, _MOST_EDGES, place))
    for low, high in pairwise(edges):
        if not low < high:
            raise EncodingError(f"{place}: {low!r}, {high!r} do not ascend")
    if any(abs(edge) > BOUND or float(np.float32(edge)) != edge for edge in edges):
        raise EncodingError(f"{place}: an edge is a float32 within ±{BOUND:g}")
    return edges
