"""The written form of a rule file: a YAML document in, its rules, lists and tests as frozen records out."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from rules import turns
from rules.errors import Problem
from rules.form import Form, Path, mistyped
from rules.period import Period, read_period
from rules.reader import Document
from rules.rollout import Rollout, read_rollout
from rules.suppressions import Suppression, read_suppressions

STAGES = ("before", "after")
HIT_POLICIES = ("first", "priority", "unique", "collect")
MODES = ("enforce", "shadow", "off")
ON_UNKNOWN = ("skip", "fire", "review")
LIST_TYPES = ("string", "int", "double", "cidr")

FILE_KEYS = ("filters", "description", "order", "hit_policy", "variables", "lists", "rules", "tables")
RULE_KEYS = (
    "id", "description", "stage", "when", "decide", "cap", "floor", "tag", "priority", "stop", "reason",
    "owner", "mode", "on_unknown", "effective", "rollout", "except", "tests",
)  # fmt: skip
EFFECTS = ("decide", "cap", "floor", "tag", "stop")
CASE_KEYS = ("given", "expect")
SOURCE_KEYS = ("file", "column", "type")

ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
LIST_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,99}")


@dataclass(frozen=True)
class Case:
    """One inline test: the values given, flat by dotted name, each with its place; and what must follow."""

    given: Mapping[str, tuple[Any, Path]]
    expect: str
    path: Path


@dataclass(frozen=True)
class Rule:
    """One rule as written; `path` is its place in its document."""

    id: str
    when: str
    path: Path
    stage: str = "after"
    decide: str | None = None
    cap: Mapping[str, float] = field(default_factory=dict)
    floor: Mapping[str, float] = field(default_factory=dict)
    tags: tuple[str, ...] = ()
    priority: int | None = None
    stop: bool = False
    reason: str = ""
    owner: str = ""
    mode: str = "enforce"
    on_unknown: str = "skip"
    effective: Period | None = None
    rollout: Rollout | None = None
    suppressions: tuple[Suppression, ...] = ()
    description: str = ""
    tests: tuple[Case, ...] = ()
    unread: frozenset[str] = frozenset()  # the keys that something is wrong with: nothing follows from them

    @property
    def effect(self) -> str:
        """What the rule does where it fires, in words."""
        effects = [f"decide {self.decide}"] if self.decide else []
        effects += [f"cap {score} at {bound:g}" for score, bound in self.cap.items()]
        effects += [f"floor {score} at {bound:g}" for score, bound in self.floor.items()]
        effects += [f"tag {tag}" for tag in self.tags]
        return ", ".join([*effects, *(["stop"] if self.stop else [])])


@dataclass(frozen=True)
class ListSource:
    """A list as declared: its entries, or the file (and column) that holds them."""

    name: str
    path: Path
    entries: tuple[Any, ...] = ()
    file: str | None = None
    column: str | None = None
    type: str = "string"


@dataclass(frozen=True)
class NamedExpression:
    """A variable as written: an expression that the file's conditions name `variables.NAME`."""

    name: str
    text: str
    path: Path


@dataclass(frozen=True)
class Filters:
    """One rule file as written."""

    document: Document
    name: str
    hit_policy: str
    lists: tuple[ListSource, ...]
    rules: tuple[Rule, ...]
    variables: tuple[NamedExpression, ...] = ()
    order: int | None = None


def read_filters(document: Document) -> tuple[Filters, list[Problem]]:
    """Read a rule file as far as it goes; what has a problem is left empty, so that no second one follows."""
    form = Form(document)
    top = form.mapping((), document.root if document.root is not None else {}, FILE_KEYS)
    filters = Filters(
        document=document,
        name=form.text(("filters",), top.get("filters", "")),
        hit_policy=form.choice(("hit_policy",), top.get("hit_policy", "first"), HIT_POLICIES),
        lists=tuple(_lists(form, top.get("lists"))),
        rules=tuple(_rules(form, top)),
        variables=tuple(_variables(form, top.get("variables"))),
        order=form.whole(("order",), top["order"]) if "order" in top else None,
    )
    form.text(("description",), top.get("description", ""))
    return filters, form.problems


def _rules(form: Form, top: Mapping[str, Any]) -> Iterable[Rule]:
    rows = top.get("rules")
    if not isinstance(form.document.root, dict | None):
        return  # that the file is no mapping has been said
    if rows is None and ("tables" in top or mistyped(top, ("rules", "tables"), FILE_KEYS)):
        return
    if rows is None:
        form.note(
            ("rules",), "the file has no rules", "write 'rules:' and a list of rules; 'rules: []' for none"
        )
        return
    for index, row in enumerate(form.sequence(("rules",), rows)):
        turns.step()
        path: Path = ("rules", index)
        written = form.mapping(path, row, RULE_KEYS, what="a rule")
        if isinstance(row, dict):
            yield _rule(form, path, written)


def _rule(form: Form, path: Path, row: Mapping[str, Any]) -> Rule:
    before = len(form.problems)
    for key in ("id", "when"):
        form.needs(path, row, key, RULE_KEYS, "a rule")
    rule = Rule(
        id=form.matching((*path, "id"), row["id"], ID, "letters, digits, '-', '_' and '.'")
        if "id" in row
        else "",
        when=form.expression((*path, "when"), row["when"]) if "when" in row else "",
        path=path,
        stage=form.choice((*path, "stage"), row.get("stage", "after"), STAGES),
        decide=form.word((*path, "decide"), row["decide"]) if "decide" in row else None,
        cap=form.bounds((*path, "cap"), row["cap"]) if "cap" in row else {},
        floor=form.bounds((*path, "floor"), row["floor"]) if "floor" in row else {},
        tags=form.codes((*path, "tag"), row["tag"]) if "tag" in row else (),
        priority=form.whole((*path, "priority"), row["priority"]) if "priority" in row else None,
        stop=form.truth((*path, "stop"), row.get("stop", False)),
        reason=form.code((*path, "reason"), row["reason"]) if "reason" in row else "",
        owner=form.text((*path, "owner"), row.get("owner", "")),
        mode=form.choice((*path, "mode"), row.get("mode", "enforce"), MODES),
        on_unknown=form.choice((*path, "on_unknown"), row.get("on_unknown", "skip"), ON_UNKNOWN),
        effective=read_period(form, (*path, "effective"), row["effective"]) if "effective" in row else None,
        rollout=read_rollout(form, (*path, "rollout"), row["rollout"], str(row.get("id", "")))
        if "rollout" in row
        else None,
        suppressions=tuple(read_suppressions(form, (*path, "except"), row.get("except", []))),
        description=form.text((*path, "description"), row.get("description", "")),
        tests=tuple(read_cases(form, (*path, "tests"), row.get("tests", []))),
    )
    _effects(form, path, row, rule.stage)
    unread = form.unread(path, before) | {key for key in row if key not in RULE_KEYS}
    return replace(rule, unread=unread) if unread else rule


def _effects(form: Form, path: Path, row: Mapping[str, Any], stage: str) -> None:
    effects = [key for key in ("decide", "cap", "floor") if key in row]
    idle = not effects and row.get("tag", []) == [] and row.get("stop", False) is False
    if idle and not mistyped(row, EFFECTS, RULE_KEYS):
        form.note(path, "the rule does nothing", "give it one of: decide, cap, floor, tag, stop")
    for extra in effects[1:]:
        message = f"a rule has one effect, and this one has '{effects[0]}' and '{extra}'"
        form.note((*path, extra), message, "write two rules", key=True)
    if stage == "before" and effects and effects[0] != "decide":
        message = f"a rule of stage 'before' cannot {effects[0]} a score: the model has not run yet"
        form.note((*path, effects[0]), message, "use stage: after", key=True)


def read_cases(form: Form, path: Path, rows: Any) -> Iterable[Case]:
    for index, row in enumerate(form.sequence(path, rows)):
        at = (*path, index)
        case = form.mapping(at, row, CASE_KEYS, what="a test")
        for key in CASE_KEYS:
            if isinstance(row, dict):
                form.needs(at, case, key, CASE_KEYS, "a test", "as {given: {amount: 10}, expect: none}")
        given = form.mapping((*at, "given"), case.get("given", {}), None)
        yield Case(
            flattened(given, (*at, "given")), form.word((*at, "expect"), case.get("expect", "none")), at
        )


def _variables(form: Form, rows: Any) -> Iterable[NamedExpression]:
    for name, written in form.mapping(("variables",), rows if rows is not None else {}, None).items():
        path: Path = ("variables", name)
        if not LIST_NAME.fullmatch(name):
            form.note(path, f"'{name}' cannot name a variable", "use letters, digits and '_'", key=True)
            continue
        number = isinstance(written, int | float) and not isinstance(written, bool)
        yield NamedExpression(name, str(written) if number else form.expression(path, written), path)


def _lists(form: Form, rows: Any) -> Iterable[ListSource]:
    for name, written in form.mapping(("lists",), rows if rows is not None else {}, None).items():
        path: Path = ("lists", name)
        if not LIST_NAME.fullmatch(name):
            form.note(path, f"'{name}' cannot name a list", "use letters, digits and '_'", key=True)
        if isinstance(written, Mapping):
            source = form.mapping(path, written, SOURCE_KEYS, what="a list")
            if "file" not in source:
                if not mistyped(source, ("file",), SOURCE_KEYS):
                    form.note(path, "a list needs 'file', or its entries in [ ]")
                yield ListSource(name, path, file="", type=str(source.get("type", "string")))
                continue
            column = source.get("column")
            yield ListSource(
                name=name,
                path=path,
                file=form.word((*path, "file"), source["file"]),
                column=form.text((*path, "column"), column) if column is not None else None,
                type=form.choice((*path, "type"), source.get("type", "string"), LIST_TYPES),
            )
        else:
            yield ListSource(name, path, tuple(form.sequence(path, written)))


def flattened(given: Mapping[str, Any], path: Path, prefix: str = "") -> dict[str, tuple[Any, Path]]:
    """Write `{scores: {fraud: 0.7}}` as `{"scores.fraud": 0.7}`, each value with its place."""
    flat: dict[str, tuple[Any, Path]] = {}
    for name, value in given.items():
        at = (*path, name)
        if isinstance(value, Mapping):
            flat.update(flattened(value, at, f"{prefix}{name}."))
        else:
            flat[prefix + name] = value, at
    return flat
