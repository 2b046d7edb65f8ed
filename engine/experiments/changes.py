"""Changes by key become the files of a variant; what is wrong with one is told at its place in the sweep."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import yaml

from engine.errors import TandemError
from engine.experiments.sweep import Place, Sweep
from engine.project import FILE, Project, parse_project
from engine.project.forms import PROJECT_FILE
from rules.errors import CheckFailed, Problem, nearest
from rules.files import read_filters
from rules.forms import RULE
from rules.reader import read_yaml
from rules.shape import Shape

# Variants are judged on the same rows by the same measure: these are the project's, and stay.
FIXED = ("name", "id", "labels", "split", "data", "evaluation")
RULES = "rules"

Changes = dict[str, Any]
Step = tuple[str | int, ...]


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

    def files_of(self, name: str, changes: Changes, path: Place) -> tuple[Project, dict[str, bytes]]:
        """Make the project and rule files of the variant `name`; `path` is where it stands in the sweep."""
        try:
            return self._files(changes)
        except CheckFailed as failed:
            raise CheckFailed(
                [self._problem(path, f"{name}: {one.message}", one.hint) for one in failed.problems]
            ) from None

    def _files(self, changes: Changes) -> tuple[Project, dict[str, bytes]]:
        if not changes:
            return self.base, dict(self.files)
        root, documents = copy.deepcopy(self.root), copy.deepcopy(self.documents)
        touched: set[str] = set()
        for key, value in changes.items():
            rule = self._rule(key)
            if rule is None:
                put(root, _steps(key, root), value)
                continue
            name, at = self.rules[rule]
            rules = documents[name]["rules"]
            changed = copy.deepcopy(rules[at])
            put(changed, _steps(key[len(RULES) + 1 + len(rule) + 1 :], changed), value)
            # What comes to the same stays as it is written: another layout would be another digest.
            if not _reads_alike(changed, rules[at]):
                rules[at] = changed
                touched.add(name)
        text = self.base.text if root == self.root else dumped(root, FILE)
        project = parse_project(text, root=self.base.root)
        return project, {**self.files, **{name: dumped(documents[name], name) for name in sorted(touched)}}

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


def _reads_alike(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Whether two rules as written say the same, as one does that states a default; no rule with mistakes."""
    if one == other:
        return True
    read = [read_filters(read_yaml(dumped({RULES: [rule]}, FILE), FILE)) for rule in (one, other)]
    return not any(problems for _, problems in read) and read[0][0].rules == read[1][0].rules


def put(root: Any, steps: Step, value: Any) -> None:
    """Set a value; mappings on the way that are not there are made."""
    at = root
    for step, following in itertools.pairwise(steps):
        if isinstance(at, dict) and at.get(step) is None and isinstance(following, str):
            at[step] = {}
        at = at[step]
    at[steps[-1]] = copy.deepcopy(value)


def dumped(root: Any, name: str) -> bytes:
    """Data as a YAML file that reads as the same data."""
    dumped = yaml.safe_dump(root, sort_keys=False, allow_unicode=True, width=110, default_flow_style=None)
    data = dumped.encode()
    if read_yaml(data, name).root != root:
        raise TandemError(f"{name}: a variant of it cannot be written so that it reads as the same")
    return data
