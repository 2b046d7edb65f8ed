"""How far a rule reaches: its period, its exceptions and its rollout, checked against the record's fields."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rules.checked import express
from rules.checked_rules import CheckedSuppression
from rules.errors import ExpressionProblems, Problem, RulesError, nearest
from rules.expression import BOOL, TIMESTAMP, Call, CheckedExpression, Literal, Name, Node, Variable
from rules.files import Rule
from rules.form import Path
from rules.given import refused, typed
from rules.period import both
from rules.reader import Document
from rules.rollout import KEY_TYPES
from rules.suppressions import Suppression
from rules.tables import Table
from rules.variables import FileNames

EVENT_TIME = "event_time"
_SAY_EVENT_TIME = "name a timestamp field: event_time: FIELD in project.yaml, or event_time= of rules.load"


def event_time_of(event_time: str | None, variables: Mapping[str, Variable]) -> str | None:
    """Give the field that holds an event's time: the one named, else a timestamp called `event_time`.

    Raises RulesError for a name that is no timestamp field.
    """
    name = event_time or EVENT_TIME
    known = variables.get(name)
    if known is not None and known.type == TIMESTAMP:
        return name
    if event_time is None:
        return None
    raise RulesError(f"the event's time is to be '{event_time}', which is no timestamp field")


class Reach:
    """Checks what a rule holds beside its condition; `problems` grows.

    `names` checks the expressions of each file; `event_time` is the field that periods are held against.
    """

    def __init__(self, names: Mapping[str, FileNames], event_time: str | None) -> None:
        self._names, self._event_time = names, event_time
        self.problems: list[Problem] = []

    def condition(self, rule: Rule, document: Document, checked: CheckedExpression) -> CheckedExpression:
        """Give the rule's condition, which does not hold outside the rule's period."""
        if rule.effective is None or not self._timed(document, (*rule.path, "effective")):
            return checked
        return express(checked.text, both(rule.effective.node(str(self._event_time)), checked.node))

    def event_time(self, table: Table, document: Document) -> CheckedExpression | None:
        """Give the event's time where rows of a table have periods."""
        if table.timed is None or not self._timed(document, table.timed):
            return None
        name = str(self._event_time)
        return express(name, Name(name, TIMESTAMP))

    def suppressions(
        self, rule: Rule | Table, document: Document, variables: Mapping[str, Variable]
    ) -> tuple[CheckedSuppression, ...]:
        """Check the entries of `except:`; `variables` are what the rule's stage sees."""
        timed = not rule.suppressions or self._timed(document, (*rule.path, "except"))
        found = []
        for one in rule.suppressions:
            about = (
                self._when(one, document, variables) if one.when else self._fields(one, document, variables)
            )
            if about is not None and one.expires is not None and timed:
                node = both(one.period.node(str(self._event_time)), about)
                found.append(CheckedSuppression(one, express(one.text, node)))
        return tuple(found)

    def key(
        self, rule: Rule | Table, document: Document, variables: Mapping[str, Variable]
    ) -> CheckedExpression | None:
        """Check the key of a rollout: a field that names something, so text or a whole number."""
        if rule.rollout is None:
            return None
        at, name = (*rule.path, "rollout", "key"), rule.rollout.key
        known = variables.get(name)
        if known is None:
            self._note(document, at, f"unknown field '{name}'", nearest(name, variables))
        elif known.type not in KEY_TYPES:
            hint = "give a field that says whose record it is"
            message = f"the key of a rollout must be text or a whole number, and '{name}' is a {known.type}"
            self._note(document, at, message, hint)
        else:
            return express(name, Name(name, known.type))
        return None

    def _when(self, one: Suppression, document: Document, variables: Mapping[str, Variable]) -> Node | None:
        checked, at = self._names[document.file].check(one.when), (*one.path, "when")
        if checked is None:
            return None
        if isinstance(checked, ExpressionProblems):
            self.problems += [
                document.problem_in_text(at, wrong.line, wrong.column, wrong.message, wrong.hint)
                for wrong in checked.problems
            ]
            return None
        early = sorted(checked.variables - variables.keys())
        for name in early:
            message = f"a rule of stage 'before' cannot use '{name}': the model has not run yet"
            self._note(document, at, message, "use stage: after")
        return None if early else checked.node

    def _fields(self, one: Suppression, document: Document, variables: Mapping[str, Variable]) -> Node | None:
        parts = [
            self._field(name, value, document, (*one.path, name), variables)
            for name, value in one.fields.items()
        ]
        known = [part for part in parts if part is not None]
        return both(*known) if known and len(known) == len(parts) else None

    def _field(
        self, name: str, value: Any, document: Document, at: Path, variables: Mapping[str, Variable]
    ) -> Node | None:
        variable = variables.get(name)
        if variable is None:
            hint = nearest(name, [*variables, "when", "owner", "reason", "expires"])
            self._note(document, at, f"unknown field '{name}'", hint, key=True)
            return None
        if value is None:
            message = f"'{name}' must have a value here"
            self._note(document, at, message, f"for a missing one write when: {name} == null", key=True)
            return None
        if wrong := refused(value, variable):
            self._note(document, at, wrong)
            return None
        literal = Literal(variable.type, typed(value, variable.type))
        return Call("equals", (Name(name, variable.type), literal), BOOL)

    def _timed(self, document: Document, at: Path) -> bool:
        if self._event_time is not None:
            return True
        what = "effective" if at[-1] == "file" else at[-1]
        message = f"'{what}' goes by the event's time, and no field is said to hold it"
        self._note(document, at, message, _SAY_EVENT_TIME, key=True)
        return False

    def _note(self, document: Document, at: Path, message: str, hint: str = "", *, key: bool = False) -> None:
        self.problems.append(document.problem(at, message, hint, key=key))
