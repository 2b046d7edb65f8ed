"""A project and a sweep become variants: every combination of changes, each a whole project of its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from engine.experiments.changes import Maker, dumped, put
from engine.experiments.combinations import combinations
from engine.experiments.sweep import Place, Sweep
from engine.project import FILE, Project, load_project, parse_project, read_rules
from engine.training.reuse import canonical_json
from rules.reader import read_yaml

BASE = "as it is"


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
        put(root, ("embedding", "seed"), seed)
        project = parse_project(dumped(root, FILE), root=self.project.root)
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
    for name, changes, path in [(BASE, {}, ()), *combinations(sweep)]:
        variant = Variant(len(made), name, changes, *maker.files_of(name, changes, path), path)
        made.setdefault(_identity(variant), variant)
    return tuple(made.values())


def _identity(variant: Variant) -> bytes:
    """What a variant comes to: its data, however it is laid out."""
    rules = {name: data.decode("utf-8", "replace") for name, data in variant.rules.items()}
    return canonical_json([read_yaml(variant.project.text, FILE).root, rules])
