"""Test files: records with what must become of each, judged by the whole set of rules at once.

A case names fixtures (records that cases share) and overrides them, scores included: no model is run. What it
expects may be part of the verdict only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from rules.cases import NONE
from rules.errors import CheckFailed, Problem, nearest
from rules.expression import TIMESTAMP, Variable
from rules.files import flattened
from rules.form import Form, Path
from rules.forms import GIVEN, text
from rules.given import check_value
from rules.reach import EVENT_TIME
from rules.reader import Document, read_yaml
from rules.ruleset import RuleSet
from rules.shape import Shape

LISTS = ("reasons", "fired", "shadow", "suppressed", "unknown", "tags")
SUITE_KEYS = ("description", "now", "fixtures", "cases")
CASE_KEYS = ("name", "use", "given", "expect")
EXPECT_KEYS = ("outcome", "proposed", "decided_by", "adjusted", *LISTS)

Decide = Callable[[dict[str, Any]], Mapping[str, Any]]
"""Judges a record in the rule language's types: gives `EXPECT_KEYS`, as far as they are known."""

_NAMES = Shape(many=True, each=text(""))
_EXPECTED = {
    "outcome": text("The outcome; none: no rule decides, and there is no policy.", minLength=1),
    "proposed": text("What the policy proposes.", minLength=1),
    "decided_by": text("The rule that decides, or policy.", minLength=1),
    "adjusted": Shape("Scores that caps and floors changed.", each=Shape(schema={"type": "number"})),
    "reasons": replace(_NAMES, about="The reason codes, all of them, in any order."),
    "fired": replace(_NAMES, about="The rules that fire, all of them, in any order."),
    "shadow": replace(_NAMES, about="The rules that would have fired."),
    "suppressed": replace(_NAMES, about="The rules that an exception kept from firing."),
    "unknown": replace(_NAMES, about="The rules that a missing value left open."),
    "tags": replace(_NAMES, about="The tags, all of them, in any order."),
}
_CASE = {
    "name": text("What the case shows; once in a file.", minLength=1),
    "use": Shape(
        "A fixture, or several: later ones override earlier ones.",
        either=(text("", minLength=1), replace(_NAMES, least=1)),
    ),
    "given": GIVEN,
    "expect": Shape(
        "An outcome, or what of the verdict must hold.",
        either=(text("", minLength=1), Shape(keys=_EXPECTED, schema={"minProperties": 1})),
    ),
}
_SUITE = {
    "description": text("For people."),
    "now": text("The event's time where a case gives none, as 2026-11-01T12:00:00Z."),
    "fixtures": Shape("Records that cases share, by name.", each=GIVEN),
    "cases": Shape(
        "The cases.",
        many=True,
        each=Shape("A case.", _CASE, needed=("name", "expect")),
    ),
}
SUITE_FILE = Shape("A test file of Tandem.", _SUITE, needed=("cases",))


@dataclass(frozen=True)
class SuiteCase:
    """One case: the values given, flat and typed; what is expected, by key, each with its place."""

    name: str
    document: Document
    path: Path
    values: Mapping[str, Any]
    expect: Mapping[str, tuple[Any, Path]]


@dataclass(frozen=True)
class SuiteResult:
    """What became of a case; no problems: it passed."""

    case: SuiteCase
    problems: tuple[Problem, ...]


def read_suites(
    files: Mapping[str, bytes],
    *,
    variables: Sequence[Variable],
    outcomes: Sequence[str],
    rules: Sequence[str],
) -> tuple[SuiteCase, ...]:
    """Read test files, given by name.

    `variables` are what conditions may use, scores and `proposed` included; `rules` are the ids of all rules.

    Raises CheckFailed with every problem of every file.
    """
    cases: list[SuiteCase] = []
    problems: list[Problem] = []
    known = {variable.name: variable for variable in variables}
    for name in sorted(files):
        try:
            document = read_yaml(files[name], name)
        except CheckFailed as failed:
            problems += failed.problems
            continue
        reading = _Reading(document, known, outcomes, rules)
        cases += reading.cases()
        problems += reading.form.problems
    if problems:
        raise CheckFailed(problems)
    return tuple(cases)


def run_suites(cases: Sequence[SuiteCase], decide: Decide, names: Sequence[str]) -> tuple[SuiteResult, ...]:
    """Judge every case; `names` are those of all variables: what a case does not give is missing."""
    missing = dict.fromkeys(names)
    results = []
    for case in cases:
        got = decide({**missing, **case.values})
        results.append(SuiteResult(case, tuple(_differences(case, got))))
    return tuple(results)


def by_rules(rules: RuleSet) -> Decide:
    """Judge by rules alone, without a policy: both stages, the second where the first does not decide."""
    from rules.judged import both

    def decide(values: dict[str, Any]) -> Mapping[str, Any]:
        verdict = rules.before(values)
        if verdict.outcome is None:
            after = rules.after(values)
            verdict = both(verdict, after, after_decides=after.outcome is not None)
        return {key: getattr(verdict, key) for key in EXPECT_KEYS if hasattr(verdict, key)}

    return decide


class _Reading:
    """One test file being read."""

    def __init__(
        self,
        document: Document,
        variables: Mapping[str, Variable],
        outcomes: Sequence[str],
        rules: Sequence[str],
    ) -> None:
        self.form = Form(document)
        self._document = document
        self._variables = variables
        self._outcomes = outcomes
        self._rules = rules

    def cases(self) -> Iterator[SuiteCase]:
        form = self.form
        top = form.mapping((), self._document.root, SUITE_KEYS)
        form.text(("description",), top.get("description", ""))
        now = self._now(top["now"]) if "now" in top else {}
        written = form.mapping(("fixtures",), top.get("fixtures", {}), None)
        fixtures = {name: self._values(("fixtures", name), one) for name, one in written.items()}
        if isinstance(self._document.root, dict) and "cases" not in top:
            form.note((), "the file has no cases", "write 'cases:' and a list of them")
        first: dict[str, int] = {}
        for index, row in enumerate(form.sequence(("cases",), top.get("cases", []))):
            path: Path = ("cases", index)
            case = form.mapping(path, row, CASE_KEYS, what="a case")
            for key in ("name", "expect"):
                if isinstance(row, dict) and key not in case:
                    form.note(path, f"a case needs '{key}'")
            name = form.word((*path, "name"), case["name"]) if "name" in case else ""
            line = self._document.position((*path, "name"))[0]
            if name and first.setdefault(name, line) != line:
                form.note((*path, "name"), f"the name '{name}' is taken", f"first on line {first[name]}")
            values = dict(now)
            for fixture in self._used((*path, "use"), case.get("use", []), fixtures):
                values |= fixtures[fixture]
            values |= self._values((*path, "given"), case.get("given", {}))
            yield SuiteCase(name, self._document, path, values, self._expected(path, case.get("expect")))

    def _now(self, value: Any) -> dict[str, Any]:
        variable = self._variables.get(EVENT_TIME)
        if variable is None or variable.type != TIMESTAMP:
            message = f"'now' needs a timestamp field '{EVENT_TIME}' that holds the event's time"
            self.form.note(("now",), message, "give each case its time under its own field", key=True)
            return {}
        typed, message = check_value(self.form.text(("now",), value) or None, variable)
        if message:
            self.form.note(("now",), message)
        return {EVENT_TIME: typed}

    def _values(self, path: Path, written: Any) -> dict[str, Any]:
        values = {}
        for name, (value, at) in flattened(self.form.mapping(path, written, None), path).items():
            variable = self._variables.get(name)
            if variable is None:
                self.form.note(at, f"unknown field '{name}'", nearest(name, self._variables), key=True)
                continue
            values[name], message = check_value(value, variable)
            if message:
                self.form.note(at, message)
        return values

    def _used(self, path: Path, written: Any, fixtures: Mapping[str, Any]) -> Iterator[str]:
        names = [(path, written)] if isinstance(written, str) else []
        if not names:
            names = [((*path, index), name) for index, name in enumerate(self.form.sequence(path, written))]
        for at, name in names:
            if not isinstance(name, str) or name not in fixtures:
                self.form.note(at, f"unknown fixture '{name}'", nearest(str(name), fixtures))
            else:
                yield name

    def _expected(self, path: Path, written: Any) -> dict[str, tuple[Any, Path]]:
        at = (*path, "expect")
        if isinstance(written, str):
            written = {"outcome": written}
            return {"outcome": (self._one(at, written["outcome"], (*self._outcomes, NONE)), at)}
        if written is None:
            return {}
        expected: dict[str, tuple[Any, Path]] = {}
        for key, value in self.form.mapping(at, written, EXPECT_KEYS).items():
            place = (*at, key)
            if key in LISTS:
                rules = self._rules if key not in ("reasons", "tags") else None
                values = enumerate(self.form.sequence(place, value))
                expected[key] = ([self._one((*place, index), one, rules) for index, one in values], place)
            elif key == "adjusted":
                expected[key] = (self.form.bounds(place, value) if value else {}, place)
            elif key in ("outcome", "proposed"):
                expected[key] = (self._one(place, value, (*self._outcomes, NONE)), place)
            elif key == "decided_by":
                expected[key] = (self._one(place, value, (*self._rules, "policy", NONE)), place)
        if written == {}:
            self.form.note(at, "'expect' is empty", "as expect: review, or {fired: [ID]}")
        return expected

    def _one(self, path: Path, value: Any, known: Sequence[str] | None) -> str:
        name = self.form.word(path, value)
        if name and known is not None and name not in known:
            self.form.note(path, f"there is no '{name}'", nearest(name, known))
        return name


def _differences(case: SuiteCase, got: Mapping[str, Any]) -> Iterator[Problem]:
    """Tell each part of what was expected that did not come, at its place."""
    for key, (expected, path) in case.expect.items():
        found = got.get(key)
        if key in LISTS:
            found = list(found or ())
            hint = _list_hint(expected, found)
            same = not hint
        elif key == "adjusted":
            found = dict(found or {})
            same, hint = found == expected, ""
        else:
            found = NONE if found is None else found
            same = found == expected
            hint = "" if same else _why(got)
        if not same:
            message = f"case '{case.name}' failed: {key}: expected {_shown(expected)}, got {_shown(found)}"
            yield case.document.problem(path, message, hint)


def _list_hint(expected: list[str], found: list[str]) -> str:
    missing = [name for name in expected if name not in found]
    extra = [name for name in found if name not in expected]
    said = [f"missing: {', '.join(missing)}"] if missing else []
    return "; ".join([*said, f"not expected: {', '.join(extra)}"] if extra else said)


def _why(got: Mapping[str, Any]) -> str:
    """Say who decided, which rules fired and which were left open."""
    said = [f"decided by {got['decided_by']}"] if got.get("decided_by") else ["no rule decided"]
    said += [f"{key}: {', '.join(got[key])}" for key in ("fired", "suppressed", "unknown") if got.get(key)]
    return "; ".join(said)


def _shown(value: Any) -> str:
    if isinstance(value, list):
        return f"[{', '.join(value)}]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name}: {score:g}" for name, score in value.items()) + "}"
    return str(value)
