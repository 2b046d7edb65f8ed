"""What an embedding is to be: the slots it reads, its size, and how it is trained."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from difflib import get_close_matches
from typing import Any

from embeddings.errors import SpecError, SpecProblem

KINDS = ("number", "flag", "category", "text", "timestamp", "vector")
NUMERIC = ("piecewise-linear", "standardised")
BODIES = ("auto", "tower", "ensemble")
PAIRS = ("auto", "none")

_MANY: dict[str, Any] = {"hidden": (128, 128), "bins": 32, "dropout": 0.1}
# With fewer training rows an embedding is smaller and more strictly held, unless it is told otherwise.
_SIZES: tuple[tuple[int, dict[str, Any]], ...] = (
    (5_000, {"hidden": (64,), "bins": 12, "dropout": 0.2}),
    (20_000, _MANY | {"bins": 16}),
)


@dataclass(frozen=True)
class Slot:
    """One field as the embedding sees it; `kind` is one of `KINDS`."""

    name: str
    kind: str


@dataclass(frozen=True)
class Spec:
    """The settings of an embedding. What `from_mapping` accepts is what `RANGES` and `_check` allow.

    Parameters
    ----------
    slots: the fields, in their order.
    numeric: `piecewise-linear` gives each numeric column `bins` bins besides its value, `standardised` none.
    body: `tower` learns from the labels; `ensemble` learns from an ensemble that did; `auto` trains both and
        keeps the tower where the ensemble gains no more than one standard error on validation rows.
    members: of the ensemble.
    distil_steps: steps of a tower that learns from an ensemble.
    width: dimensions of the embedding.
    hidden, bins, dropout: widths of the hidden layers, bins a numeric field, share of their outputs that is
        left out in training; None chooses by the number of rows (see `sized`).
    rare: a category level seen fewer times in training counts as never seen.
    levels: at most so many levels a field, the most frequent ones.
    statistics_above: a category of more levels also enters by what its levels say about the labels.
    pairs: pairs of categories that also enter by what their levels say together: `auto` those that pay,
        `none`, or their names.
    text_scores: whether a text also enters by the margin of a logistic model on its tokens.
    text_tokens: at most so many tokens of a text are used; the training texts may ask for fewer.
    text_buckets, text_width: so many hash buckets of tokens a field, and dimensions of each.
    epochs, patience: at most so many passes, and so many without progress on validation rows.
    batch_size: rows a step; None chooses by the number of rows, for about a hundred steps a pass.
    average: decay of the exponential moving average of the weights.
    max_rows: a larger training table is sampled down to this many rows.
    """

    slots: tuple[Slot, ...] = ()
    numeric: str = "piecewise-linear"
    body: str = "tower"
    members: int = 8
    distil_steps: int = 3_000
    width: int = 64
    hidden: tuple[int, ...] | None = None
    bins: int | None = None
    rare: int = 3
    levels: int = 10_000
    statistics_above: int = 12
    pairs: str | tuple[tuple[str, str], ...] = "auto"
    text_scores: bool = True
    text_tokens: int = 96
    text_buckets: int = 8_192
    text_width: int = 16
    epochs: int = 40
    patience: int = 5
    batch_size: int | None = None
    learning_rate: float = 1e-3
    weight_decay: float = 1e-2
    dropout: float | None = None
    average: float = 0.99
    max_rows: int = 500_000
    seed: int = 7

    @classmethod
    def from_mapping(cls, data: Mapping[str, Any], slots: Iterable[Slot] = ()) -> Spec:
        """Read settings as written. Raises `SpecError` with every problem."""
        problems = list(_check(data))
        slots = tuple(slots)
        problems += _check_slots(slots)
        problems += _check_names(data.get("pairs"), slots)
        if problems:
            raise SpecError(problems)
        settings: dict[str, Any] = {
            key: tuple(value) if key == "hidden" and value is not None else value
            for key, value in data.items()
        }
        if not isinstance(settings.get("pairs", ""), str):
            settings["pairs"] = tuple((str(one), str(other)) for one, other in settings["pairs"])
        return cls(slots=slots, **settings)

    def to_mapping(self) -> dict[str, Any]:
        """Give the settings, without the slots, as `from_mapping` reads them."""
        settings = {field.name: getattr(self, field.name) for field in fields(self) if field.name != "slots"}
        pairs = self.pairs if isinstance(self.pairs, str) else [list(names) for names in self.pairs]
        return settings | {"hidden": None if self.hidden is None else list(self.hidden), "pairs": pairs}

    def sized(self, rows: int) -> Spec:
        """The same with `hidden`, `bins` and `dropout` settled for so many training rows.

        Fewer than 5,000: [64], 12 and 0.2; fewer than 20,000: [128, 128], 16 and 0.1; more: [128, 128], 32
        and 0.1. What was given stays.
        """
        chosen = next((sizes for fewer, sizes in _SIZES if rows < fewer), _MANY)
        return replace(self, **{key: value for key, value in chosen.items() if getattr(self, key) is None})

    @property
    def layers(self) -> tuple[int, ...]:
        """Widths of the hidden layers; where nothing settles them, those for many rows."""
        return self.hidden or _MANY["hidden"]

    @property
    def dropped(self) -> float:
        """Share of a layer's outputs left out in training; where nothing settles it, that for many rows."""
        return float(_MANY["dropout"] if self.dropout is None else self.dropout)


# Least and most of each numeric setting, by its type.
RANGES: dict[str, tuple[type, float, float]] = {
    "members": (int, 2, 64),
    "distil_steps": (int, 1, 1_000_000),
    "width": (int, 2, 1_024),
    "bins": (int, 2, 128),
    "rare": (int, 1, 1_000_000),
    "levels": (int, 1, 1_000_000),
    "statistics_above": (int, 0, 1_000_000),
    "text_tokens": (int, 1, 1_024),
    "text_buckets": (int, 16, 1 << 22),
    "text_width": (int, 1, 256),
    "epochs": (int, 1, 10_000),
    "patience": (int, 1, 10_000),
    "batch_size": (int, 1, 1 << 20),
    "learning_rate": (float, 1e-6, 1.0),
    "weight_decay": (float, 0.0, 10.0),
    "dropout": (float, 0.0, 0.9),
    "average": (float, 0.0, 0.9999),
    "max_rows": (int, 10, 1 << 31),
    "seed": (int, 0, (1 << 63) - 1),
}
MOST_PAIRS = 32
UNSETTLED = ("batch_size", "hidden", "bins", "dropout")
"""Settings that may be null: the number of training rows then settles them."""
_KEYS = ("numeric", "body", "hidden", "pairs", "text_scores", *RANGES)


def _check(data: Mapping[str, Any]) -> Iterable[SpecProblem]:
    for key, value in data.items():
        if key in UNSETTLED and value is None:
            continue
        if key == "numeric":
            if value not in NUMERIC:
                yield SpecProblem(
                    key, f"{value!r} is not an encoding of numbers", f"known: {', '.join(NUMERIC)}"
                )
        elif key == "text_scores":
            if not isinstance(value, bool):
                yield SpecProblem(key, f"got {value!r}", "give true or false")
        elif key == "body":
            if value not in BODIES:
                yield SpecProblem(key, f"{value!r} is no body", f"known: {', '.join(BODIES)}")
        elif key == "hidden":
            yield from _check_hidden(value)
        elif key == "pairs":
            yield from _check_pairs(value)
        elif key not in RANGES:
            near = get_close_matches(str(key), _KEYS, n=1)
            hint = f"did you mean '{near[0]}'?" if near else f"known: {', '.join(_KEYS)}"
            yield SpecProblem(str(key), "unknown setting of an embedding", hint)
        else:
            yield from _check_range(key, value)


def _check_hidden(value: Any) -> Iterable[SpecProblem]:
    sizes = value if isinstance(value, list | tuple) else ()
    if not 1 <= len(sizes) <= 8 or not all(type(size) is int and 1 <= size <= 4_096 for size in sizes):
        yield SpecProblem(
            "hidden", f"got {value!r}", "give one to eight layer widths from 1 to 4096: [128, 128]"
        )


def _check_pairs(value: Any) -> Iterable[SpecProblem]:
    hint = "give auto, none, or names of two categories each: [[country, device]]"
    if isinstance(value, str):
        if value not in PAIRS:
            yield SpecProblem("pairs", f"got {value!r}", hint)
        return
    if not isinstance(value, list | tuple) or len(value) > MOST_PAIRS:
        yield SpecProblem("pairs", f"got {value!r}", f"{hint}; {MOST_PAIRS} at most")
        return
    before: set[frozenset[str]] = set()
    for place, pair in enumerate(value):
        if not _is_two_names(pair):
            told = "give names of two categories, as [country, device]"
            yield SpecProblem("pairs", f"got {pair!r}", told, (place,))
        elif pair[0] == pair[1]:
            told = "name another category beside it"
            yield SpecProblem("pairs", f"'{pair[0]}' is named twice: a pair is of two", told, (place, 1))
        elif frozenset(pair) in before:
            told = f"'{pair[0]}' and '{pair[1]}' are a pair already"
            yield SpecProblem("pairs", told, "name every pair once", (place,))
        else:
            before.add(frozenset(pair))


def _is_two_names(value: Any) -> bool:
    return isinstance(value, list | tuple) and len(value) == 2 and all(isinstance(one, str) for one in value)


def _check_names(pairs: Any, slots: tuple[Slot, ...]) -> Iterable[SpecProblem]:
    """That pairs are of categories, where the fields are known."""
    if not slots or not isinstance(pairs, list | tuple) or len(pairs) > MOST_PAIRS:
        return
    categories = [slot.name for slot in slots if slot.kind == "category"]
    for place, pair in enumerate(pairs):
        for at, name in enumerate(dict.fromkeys(pair) if _is_two_names(pair) else ()):
            if name not in categories:
                near = get_close_matches(name, categories, n=1)
                hint = f"did you mean '{near[0]}'?" if near else f"known: {', '.join(categories) or 'none'}"
                told = f"'{name}' is no category that the embedding reads"
                yield SpecProblem("pairs", told, hint, (place, at))


def _check_range(key: str, value: Any) -> Iterable[SpecProblem]:
    kind, least, most = RANGES[key]
    sort = "a whole number" if kind is int else "a number"
    # bool is an int to Python, and no setting here is one
    if isinstance(value, bool) or not isinstance(value, int if kind is int else (int, float)):
        yield SpecProblem(key, f"got {value!r}", f"give {sort} from {least:g} to {most:g}")
    elif not least <= value <= most:
        yield SpecProblem(key, f"{value} is out of range", f"give {sort} from {least:g} to {most:g}")


def _check_slots(slots: tuple[Slot, ...]) -> Iterable[SpecProblem]:
    for slot in slots:
        if slot.kind not in KINDS:
            yield SpecProblem(
                f"slots.{slot.name}", f"unknown kind '{slot.kind}'", f"known: {', '.join(KINDS)}"
            )
    for name, count in Counter(slot.name for slot in slots).items():
        if count > 1:
            yield SpecProblem(f"slots.{name}", f"named {count} times", "give every slot a name of its own")
