"""From the YAML document of a sweep to a `Sweep`: every section read, every problem gathered."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from engine.experiments.sweep import MEASURES, Axis, Budget, Named, Place, Race, Sweep
from engine.project.folder import FILE
from engine.project.form import Form
from rules.errors import CheckFailed, Problem
from rules.reader import Document

KEYS = ("experiment", "base", "measure", "label", "vary", "variants", "draw", "seeds", "race", "budget")
VARIANT_KEYS = ("name", "set")
RANGE_KEYS = ("from", "to", "count", "scale", "seed")
DRAW_KEYS = ("count", "seed")
RACE_KEYS = ("risk", "rungs", "tolerance")
BUDGET_KEYS = ("evaluations", "minutes")
SCALES = ("linear", "log")
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
MOST_VALUES = 1_000
MOST_SEED = 2**63 - 1


def read_sweep(document: Document, path: Path) -> Sweep:
    """Read every section of a sweep; `path` is the file's, beside which the project is looked for.

    Raises CheckFailed with every problem of its form. Its project is not looked at.
    """
    sweep, problems = parse_sweep(document, path)
    if problems:
        raise CheckFailed(problems)
    return sweep


def parse_sweep(document: Document, path: Path) -> tuple[Sweep, list[Problem]]:
    """Read every section of a sweep as far as it can be read, and say what is wrong with its form."""
    form = Form(document)
    top = dict(form.mapping((), document.root, KEYS))
    name = form.matching(
        ("experiment",),
        top.get("experiment") or path.stem,
        NAME,
        "letters, digits and . _ -, a letter first,",
    )
    base = form.name(("base",), top, FILE)
    if Path(base).name != FILE:
        form.note(("base",), f"'base' must name a {FILE}, got '{base}'")
    axes, named = _axes(form, top), _named(form, top)
    if not (form.problems or axes or named or top.get("seeds")):
        form.note((), "nothing to vary", "as vary: {embedding.width: [32, 64]}")
    sweep = Sweep(
        name,
        path.parent / Path(base).parent,
        form.one_of(("measure",), top, MEASURES, MEASURES[0]),
        form.name(("label",), top) or None,
        axes,
        named,
        _draw(form, top),
        _seeds(form, top),
        _race(form, top),
        _budget(form, top),
        document,
    )
    return sweep, list(form.problems)


def _axes(form: Form, top: Mapping[str, Any]) -> tuple[Axis, ...]:
    found = []
    for key, value in form.section(("vary",), top).items():
        path: Place = ("vary", key)
        if isinstance(value, dict):
            numbers = _range(form, path, value)
            values = [(one, path) for one in numbers]
        else:
            values = [(one, (*path, at)) for at, one in enumerate(form.sequence(path, value))]
            if value == []:
                form.note(path, f"'{key}' has no values", "list them, or leave the key out")
        found.append(Axis(key, path, tuple(values)))
    return tuple(found)


def _range(form: Form, path: Place, value: Mapping[str, Any]) -> list[float]:
    """Evenly spaced numbers from one end to the other; with a seed, drawn between them."""
    body = form.mapping(path, value, RANGE_KEYS)
    for key in ("from", "to", "count"):
        if body.get(key) is None:
            form.note(path, f"a range needs '{key}'", "as {from: 0.001, to: 0.1, count: 5, scale: log}")
            return []
    low = form.number((*path, "from"), body, 0.0, between=(-1e300, 1e300))
    high = form.number((*path, "to"), body, 0.0, between=(-1e300, 1e300))
    count = int(form.number((*path, "count"), body, 1, between=(1, MOST_VALUES), whole=True))
    scale = form.one_of((*path, "scale"), body, SCALES, SCALES[0])
    seed = form.number((*path, "seed"), body, 0, between=(0, MOST_SEED), whole=True)
    if not low < high:
        form.note((*path, "to"), f"'to' must be above 'from', got {body['from']} to {body['to']}")
        return []
    if scale == "log" and low <= 0:
        form.note((*path, "from"), f"on a log scale 'from' must be above 0, got {body['from']}")
        return []
    first, last = (math.log(low), math.log(high)) if scale == "log" else (low, high)
    if body.get("seed") is None:
        numbers = np.linspace(first, last, count)
    else:
        numbers = np.sort(np.random.default_rng(int(seed)).uniform(first, last, count))
    numbers = np.exp(numbers) if scale == "log" else numbers
    if type(body["from"]) is int and type(body["to"]) is int:
        return list(dict.fromkeys(round(number) for number in numbers.tolist()))
    # Six digits: a setting is read by people, and no result hangs on more.
    return list(dict.fromkeys(float(f"{number:.6g}") for number in numbers.tolist()))


def _named(form: Form, top: Mapping[str, Any]) -> tuple[Named, ...]:
    found: list[Named] = []
    for at, value in enumerate(form.sequence(("variants",), top.get("variants") or [])):
        path: Place = ("variants", at)
        body = form.mapping(path, value, VARIANT_KEYS, what="a variant")
        name = form.name((*path, "name"), body) if body else ""
        if body and not name:
            form.note(path, "a variant needs a 'name'", "as {name: small, set: {embedding.width: 16}}")
        if name and name in [one.name for one in found]:
            form.note((*path, "name"), f"'{name}' names two variants")
        changes = form.section((*path, "set"), body)
        if body and not changes:
            form.note(path, f"variant '{name}' sets nothing", "as set: {embedding.width: 16}")
        found.append(Named(name, {key: (one, (*path, "set", key)) for key, one in changes.items()}))
    return tuple(found)


def _draw(form: Form, top: Mapping[str, Any]) -> tuple[int, int] | None:
    if top.get("draw") is None:
        return None
    body = form.section(("draw",), top, DRAW_KEYS)
    if body.get("count") is None:
        form.note(("draw",), "'draw' needs 'count'", "as draw: {count: 20, seed: 1}")
    count = form.number(("draw", "count"), body, 1, between=(1, 1e6), whole=True)
    return int(count), int(form.number(("draw", "seed"), body, 0, between=(0, MOST_SEED), whole=True))


def _seeds(form: Form, top: Mapping[str, Any]) -> tuple[int, ...]:
    seeds: list[int] = []
    for at, value in enumerate(form.sequence(("seeds",), top.get("seeds") or [])):
        if type(value) is not int or not 0 <= value <= MOST_SEED:
            form.wrong(("seeds", at), "a seed", "a whole number from 0", value)
        elif value in seeds:
            form.note(("seeds", at), f"{value} is listed twice")
        else:
            seeds.append(value)
    return tuple(seeds)


def _race(form: Form, top: Mapping[str, Any]) -> Race | None:
    if top.get("race") is False:
        return None
    if top.get("race") is True:
        return Race()
    body = form.section(("race",), top, RACE_KEYS)
    risk = form.number(("race", "risk"), body, Race.risk, between=(1e-6, 0.5))
    rungs = form.number(("race", "rungs"), body, Race.rungs, between=(1, 8), whole=True)
    told = body.get("tolerance")
    tolerance = form.number(("race", "tolerance"), body, 0.0, between=(0.0, 1e9))
    return Race(risk, int(rungs), None if told is None else tolerance)


def _budget(form: Form, top: Mapping[str, Any]) -> Budget:
    body = form.section(("budget",), top, BUDGET_KEYS)
    bounds: dict[str, float | None] = {}
    for key in BUDGET_KEYS:
        told = body.get(key)
        bounds[key] = None if told is None else form.number(("budget", key), body, 1.0, between=(1e-9, 1e9))
    if (evaluations := bounds["evaluations"]) is not None and evaluations < 1:
        form.note(
            ("budget", "evaluations"),
            f"a budget of {evaluations:g} evaluations is too small for one run: 1 is one variant on all rows",
            "give 1 or more",
        )
    return Budget(**bounds)
