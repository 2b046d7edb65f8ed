"""The axes of a sweep become combinations of changes, each with a name that tells it from the others."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from engine.experiments.changes import Changes
from engine.experiments.sweep import Place, Sweep
from rules.errors import CheckFailed

MOST_VARIANTS = 10_000


def combinations(sweep: Sweep) -> Iterator[tuple[str, Changes, Place]]:
    """Every combination of the axes, or those that are drawn, then the named variants."""
    sizes = [len(axis.values) for axis in sweep.axes]
    count = int(np.prod(sizes, dtype=object)) if sizes else 0
    numbers: Sequence[int] = range(count)
    if sweep.draw is not None and sweep.draw[0] < count:
        wanted, seed = sweep.draw
        # Of astronomically many, distinct ones are drawn without listing them.
        drawn: dict[int, None] = {}
        random = np.random.default_rng(seed)
        while len(drawn) < wanted:
            place = 0
            for size in sizes:
                place = place * size + int(random.integers(size))
            drawn.setdefault(place)
        numbers = sorted(drawn)
    if len(numbers) > MOST_VARIANTS:
        message = f"{count:,} combinations are more than {MOST_VARIANTS:,}"
        raise CheckFailed([sweep.document.problem(("vary",), message, "add draw: {count: 20, seed: 1}")])
    short = _short_names([axis.key for axis in sweep.axes])
    told = {axis.key: _told_apart([value for value, _ in axis.values]) for axis in sweep.axes}
    for number in numbers:
        places = _picked(sizes, number)
        named = [
            f"{short[axis.key]} {told[axis.key][at]}" for axis, at in zip(sweep.axes, places, strict=True)
        ]
        picked = {axis.key: axis.values[at][0] for axis, at in zip(sweep.axes, places, strict=True)}
        yield ", ".join(named), picked, ("vary",)
    for at, one in enumerate(sweep.named):
        yield one.name, {key: value for key, (value, _) in one.changes.items()}, ("variants", at)


def _picked(sizes: Sequence[int], number: int) -> list[int]:
    """The places of one combination's values, by axis; the last axis turns fastest."""
    places = []
    for size in reversed(sizes):
        number, place = divmod(number, size)
        places.append(place)
    return places[::-1]


def _short_names(keys: Sequence[str]) -> dict[str, str]:
    """The fewest last steps of each key that no other key shares; a list's row is named with its list.

    >>> _short_names(["embedding.width", "classifiers.a.candidates", "classifiers.b.candidates"])
    {'embedding.width': 'width', 'classifiers.a.candidates': 'a.candidates', 'classifiers.b.candidates': 'b.candidates'}
    >>> _short_names(["policy.0.when"])
    {'policy.0.when': 'policy.0.when'}
    """  # noqa: E501
    short = {}
    for key in keys:
        steps = key.split(".")
        for count in range(1, len(steps) + 1):
            end = ".".join(steps[-count:])
            shared = sum(other == end or other.endswith("." + end) for other in keys) > 1
            in_list = any(step.isdigit() for step in steps[-count - 1 : len(steps) - count + 1])
            if not shared and not in_list:
                break
        short[key] = end
    return short


def _told_apart(values: Sequence[Any]) -> list[str]:
    """Values as names show them: of texts of several words, what is not the same in all of them.

    >>> _told_apart(["scores.risk >= 0.5", "scores.risk >= 0.9"])
    ['… 0.5', '… 0.9']
    """
    if len(values) < 2 or not all(isinstance(value, str) for value in values):
        return [_shown(value) for value in values]
    texts = [value.split() for value in values]
    least = min(map(len, texts))
    first = _alike(texts, least - 1)
    last = _alike([words[::-1] for words in texts], least - 1 - first)
    cut = [" ".join(words[first : len(words) - last]) for words in texts]
    return [f"{'… ' if first else ''}{text}{' …' if last else ''}" for text in cut]


def _alike(texts: Sequence[Sequence[str]], most: int) -> int:
    """How many first words, up to `most`, are the same in all texts."""
    count = 0
    while count < most and len({words[count] for words in texts}) == 1:
        count += 1
    return count


def _shown(value: Any) -> str:
    if isinstance(value, list):
        return "[" + ", ".join(map(_shown, value)) + "]"
    return value if isinstance(value, str) else json.dumps(value)
