"""A sweep file becomes a sweep, or every problem of it at once: of its form, its keys and its values."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from engine.errors import InputError
from engine.experiments.changes import Maker
from engine.experiments.reading import parse_sweep
from engine.experiments.sweep import Place, Sweep, unknown_label
from engine.project import Project, load_project, read_rules
from rules.errors import CheckFailed, Problem
from rules.folder import read_rule_file
from rules.reader import read_yaml

Targets = list[tuple[str, Place]]


def load_sweep(path: Path) -> Sweep:
    """Read a sweep file and check it against its project.

    Raises InputError where there is no such file, or no project; CheckFailed with every problem of the two.
    """
    if path.is_dir():
        raise InputError(f"{path}: a folder; name the sweep file in it")
    if not path.exists():
        raise InputError(f"{path}: no such file; docs/experiments.md shows what a sweep looks like")
    sweep, problems = parse_sweep(read_yaml(read_rule_file(path, str(path)), str(path)), path)
    try:
        base = load_project(sweep.project)
        problems += _problems(sweep, base)
    except CheckFailed as failed:
        problems += failed.problems
    except InputError:
        if not problems:
            raise
    if problems:
        raise CheckFailed(problems)
    return sweep


def _problems(sweep: Sweep, base: Project) -> Iterator[Problem]:
    """What is wrong with a sweep of well-formed parts: keys, and values while all else is as it is."""
    if sweep.label is not None and sweep.label not in base.labels:
        yield from unknown_label(sweep, base.labels).problems
    if sweep.measure == "value_per_row" and base.evaluation.value is None:
        hint = "say there what a decision is worth, or compare by log_loss"
        message = "'value_per_row' cannot be measured: project.yaml has no evaluation.value"
        yield sweep.document.problem(("measure",), message, hint)
    maker = Maker(sweep, base, read_rules(sweep.project))
    for targets in _settings(sweep):
        yield from _overlaps(sweep, targets)
    for key, path, values in _targets(sweep):
        unknown = list(maker.unknown(key, path))
        yield from unknown
        if not unknown:
            for value, place in values:
                yield from maker.wrong_alone(key, value, place)


def _targets(sweep: Sweep) -> Iterator[tuple[str, Place, tuple[tuple[object, Place], ...]]]:
    """Every key that is changed, with its place and its values."""
    for axis in sweep.axes:
        yield axis.key, axis.path, axis.values
    for one in sweep.named:
        for key, (value, path) in one.changes.items():
            yield key, path, ((value, path),)


def _settings(sweep: Sweep) -> Iterator[Targets]:
    """The keys that are set together: those of 'vary', and those of each variant."""
    yield [(axis.key, axis.path) for axis in sweep.axes]
    for one in sweep.named:
        yield [(key, path) for key, (_, path) in one.changes.items()]


def _overlaps(sweep: Sweep, targets: Targets) -> Iterator[Problem]:
    """Keys that hold others: which of the two is set last decides, and the other says what is not so."""
    keys = [key for key, _ in targets]
    for key, path in targets:
        for outer in keys:
            if key.startswith(f"{outer}."):
                message = f"'{key}' is a part of '{outer}', and both are set"
                yield sweep.document.problem(
                    path, message, f"vary one of them, or say all in '{outer}'", key=True
                )
