"""A project and a sweep become variants: every combination of changes, each a whole project of its own."""

from __future__ import annotations

import copy
import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import yaml

from engine.errors import TandemError
from engine.experiments.sweep import Place, Sweep
from engine.project import FILE, Project, load_project, parse_project, read_rules
from engine.project.forms import PROJECT_FILE
from engine.training.reuse import canonical_json
from rules.errors import CheckFailed, Problem, nearest
from rules.forms import RULE
from rules.reader import read_yaml
from rules.shape import Shape

BASE = "as it is"
MOST_VARIANTS = 10_000
# Variants are judged on the same rows by the same measure: these are the project's, and stay.
FIXED = ("name", "id", "labels", "split", "data", "evaluation")
RULES = "rules"

Changes = dict[str, Any]
Step = tuple[str | int, ...]


@dataclass(frozen=True)
class Variant:
    """One variant: `changes` by key as the sweep names them, and the files that they make.

    `text` is its project.yaml, `rules` are its rule files by name.
    """

    number: int
    name: str
    changes: Mapping[str, Any]
    project: Project = field(repr=False)
    rules: Mapping[str, bytes] = field(repr=False)
    place: Place = ()  # in the sweep

    def place_of(self, section: str) -> Place:
        """Where in the sweep it changes a section of the project; its own place where it does not."""
        key = next((key for key in self.changes if key.split(".")[0] == section), None)
        if key is None:
            return self.place
        return (*self.place, key) if self.place == ("vary",) else (*self.place, "set", key)

    def seeded(self, seed: int | None) -> Variant:
        """The variant with another seed of the embedding; as it is where None."""
        if seed is None or seed == self.project.embedding.seed:
            return self
        root = read_yaml(self.project.text, FILE).root
        _put(root, ("embedding", "seed"), seed)
        project = parse_project(_dumped(root, FILE), root=self.project.root)
        return replace(self, project=project)

    def to_json(self) -> dict[str, Any]:
        """The variant as results name it."""
        return {"number": self.number, "name": self.name, "changes": dict(self.changes)}


def variants_of(sweep: Sweep) -> tuple[Variant, ...]:
    """Give the project as it is, then every variant of a checked sweep; two that come to the same are one.

    Raises CheckFailed: problems of the project at their place there, values that do not go together at the
    place of their variant in the sweep.
    """
    maker = Maker(sweep, load_project(sweep.project), read_rules(sweep.project))
    made: dict[bytes, Variant] = {}
    for name, changes, path in [(BASE, {}, ()), *_combinations(sweep)]:
        variant = maker.make(len(made), name, changes, path)
        made.setdefault(_identity(variant), variant)
    return tuple(made.values())


def _identity(variant: Variant) -> bytes:
    """What a variant comes to: its data, however it is laid out."""
    rules = {name: data.decode("utf-8", "replace") for name, data in variant.rules.items()}
    return canonical_json([read_yaml(variant.project.text, FILE).root, rules])


def _combinations(sweep: Sweep) -> Iterator[tuple[str, Changes, Place]]:
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


class Maker:
    """Makes the files of a variant, and says what is wrong with a change at its place in the sweep."""

    def __init__(self, sweep: Sweep, base: Project, files: Mapping[str, bytes]) -> None:
        self.sweep, self.base, self.files = sweep, base, files
        self.root = read_yaml(base.text, FILE).root
        self.documents = {name: read_yaml(data, name).root for name, data in files.items()}
        self.rules = {
            str(rule["id"]): (name, at)
            for name, root in self.documents.items()
            for at, rule in enumerate(root.get("rules") or [] if isinstance(root, dict) else [])
            if isinstance(rule, dict) and "id" in rule
        }

    def unknown(self, key: str, path: Place) -> Iterator[Problem]:
        """What is wrong with a key itself."""
        if key.split(".")[0] == RULES:
            rule = self._rule(key)
            if rule is None and key.removeprefix(f"{RULES}.") in {*self.rules, RULES}:
                rule = key.removeprefix(f"{RULES}.") if key != RULES else next(iter(self.rules), "ID")
                yield self._problem(path, f"'{key}' names no key of a rule", f"as rules.{rule}.when")
                return
            if rule is None:
                name = key.removeprefix(f"{RULES}.").rpartition(".")[0] or key
                yield self._problem(path, f"no rule '{name}'", nearest(name, self.rules))
                return
            name, at = self.rules[rule]
            rest = key[len(RULES) + 1 + len(rule) + 1 :].split(".")
            yield from self._walk(key, rest, RULE, self.documents[name]["rules"][at], path)
            return
        steps = key.split(".")
        if steps[0] in FIXED:
            message = f"'{steps[0]}' cannot be varied: variants are compared on the same rows and measure"
            yield self._problem(path, message)
            return
        if key == "embedding.seed":
            yield self._problem(path, "vary the embedding's seed by 'seeds'", "as seeds: [1, 2, 3]")
            return
        yield from self._walk(key, steps, PROJECT_FILE, self.root, path)

    def wrong_alone(self, key: str, value: Any, path: Place) -> Iterator[Problem]:
        """What is wrong with one value, everything else being as it is."""
        try:
            self._files({key: value})
        except CheckFailed as failed:
            for problem in failed.problems:
                yield self._problem(path, f"{key}: {problem.message}", problem.hint, key=False)

    def make(self, number: int, name: str, changes: Changes, path: Place) -> Variant:
        """Make a variant; `path` is where it stands in the sweep."""
        try:
            project, files = self._files(changes)
        except CheckFailed as failed:
            raise CheckFailed(
                [self._problem(path, f"{name}: {one.message}", one.hint) for one in failed.problems]
            ) from None
        return Variant(number, name, changes, project, files, path)

    def _files(self, changes: Changes) -> tuple[Project, dict[str, bytes]]:
        if not changes:
            return self.base, dict(self.files)
        root, documents = copy.deepcopy(self.root), copy.deepcopy(self.documents)
        touched: dict[str, Any] = {}
        for key, value in changes.items():
            rule = self._rule(key)
            if rule is None:
                _put(root, _steps(key, root), value)
            else:
                name, at = self.rules[rule]
                rest = key[len(RULES) + 1 + len(rule) + 1 :]
                _put(documents[name]["rules"][at], _steps(rest, documents[name]["rules"][at]), value)
                touched[name] = documents[name]
        text = self.base.text if root == self.root else _dumped(root, FILE)
        project = parse_project(text, root=self.base.root)
        # What comes to the same stays as it is written: another layout would be another digest.
        changed = {name: one for name, one in touched.items() if one != self.documents[name]}
        files = {**self.files, **{name: _dumped(one, name) for name, one in changed.items()}}
        return project, files

    def _rule(self, key: str) -> str | None:
        """The longest rule id that a key begins with after 'rules.', and more of the key after it."""
        if not key.startswith(f"{RULES}."):
            return None
        rest = key[len(RULES) + 1 :]
        ids = [one for one in self.rules if rest.startswith(f"{one}.")]
        return max(ids, key=len, default=None)

    def _walk(self, key: str, steps: Sequence[str], shape: Shape, at: Any, path: Place) -> Iterator[Problem]:
        """Follow a key through the declared form of its file, as far as it is known."""
        for place, step in enumerate(steps):
            before = ".".join(key.split(".")[: len(key.split(".")) - len(steps) + place])
            if shape.many:
                rows = len(at) if isinstance(at, list) else 0
                if not step.isdigit() or int(step) >= rows:
                    hint = f"it has {rows}, counted from 0"
                    yield self._problem(path, f"no item '{step}' in '{before}'", hint)
                    return
                shape, at = shape.below(None), at[int(step)]
                continue
            known: Sequence[str] = ()
            if shape.keys:
                known = shape.names()
            elif shape.each is not None:
                known = list(at) if isinstance(at, dict) else ()
            elif shape.schema or shape.either:
                yield self._problem(path, f"'{before}' holds a value, not keys", "vary the whole value")
                return
            if (known and step not in known) or (shape.each is not None and not known and not shape.keys):
                what = f"unknown key '{key}'" if shape.keys else f"unknown name '{step}' in '{key}'"
                yield self._problem(path, what, nearest(step, known))
                return
            shape = shape.below(step)
            at = at.get(step) if isinstance(at, dict) else None

    def _problem(self, path: Place, message: str, hint: str = "", *, key: bool = True) -> Problem:
        return self.sweep.document.problem(path, message, hint, key=key)


def _steps(key: str, root: Any) -> Step:
    """A dotted key as steps; a step into a list is a number."""
    steps: list[str | int] = []
    at = root
    for step in key.split("."):
        steps.append(int(step) if isinstance(at, list) else step)
        at = at[int(step)] if isinstance(at, list) else at.get(step) if isinstance(at, dict) else None
    return tuple(steps)


def _put(root: Any, steps: Step, value: Any) -> None:
    """Set a value; mappings on the way that are not there are made."""
    at = root
    for step, following in itertools.pairwise(steps):
        if isinstance(at, dict) and at.get(step) is None and isinstance(following, str):
            at[step] = {}
        at = at[step]
    at[steps[-1]] = copy.deepcopy(value)


def _dumped(root: Any, name: str) -> bytes:
    """Data as a YAML file that reads as the same data."""
    dumped = yaml.safe_dump(root, sort_keys=False, allow_unicode=True, width=110, default_flow_style=None)
    data = dumped.encode()
    if read_yaml(data, name).root != root:
        raise TandemError(f"{name}: a variant of it cannot be written so that it reads as the same")
    return data
