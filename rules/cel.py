"""Checking one condition: CEL text and variables in, a checked expression or all its problems out."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from rules import tree as trees
from rules import wire
from rules.build import Builder
from rules.calls import Trouble, widen
from rules.checked import decode, express
from rules.diagnosis import DEEP_HINT, TOO_DEEP, diagnose, place
from rules.environment import checking
from rules.errors import ExpressionProblem, ExpressionProblems, UnreadableExpression, nearest
from rules.expression import (
    DOUBLE,
    INT,
    LIST,
    STRING,
    Call,
    CheckedExpression,
    Literal,
    Name,
    Node,
    Variable,
    children,
    walk,
)

MAX_CHARACTERS = 20_000

# The library reads a text up to its first NUL, and cannot take half a surrogate pair.
_UNREADABLE = re.compile("[\0\ud800-\udfff]")

_HAS = re.compile(r"\bhas\s*\(\s*([A-Za-z_][\w.]*)\s*\)")
_QUOTED = re.compile(r"'(?:[^'\\\n]|\\.)*'|\"(?:[^\"\\\n]|\\.)*\"")

_EQUALITIES = ("equals", "not_equals", "in_list")

__all__ = ["MAX_CHARACTERS", "Checker", "decode"]


class Checker:
    """Checks conditions against declared variables and lists.

    `lists` gives each list's element type: `string`, `int` or `double`. Making a checker costs nothing until
    the first check; what has been checked is kept by its text.

    >>> checker = Checker([Variable("amount", "double"), Variable("country", "string")])
    >>> checker.check("amount > 1000 && country == 'FR'").type
    'bool'
    """

    def __init__(self, variables: Iterable[Variable], lists: Mapping[str, str] | None = None) -> None:
        self.variables = {variable.name: variable for variable in variables}
        self.lists = dict(lists or {})
        self._environment: Any = None
        self._checked: dict[tuple[str, tuple[str, ...]], CheckedExpression] = {}

    def check(self, text: str, expect: str | tuple[str, ...] = "bool") -> CheckedExpression:
        """Check one expression and bring it into its normal form.

        `expect` names the types it may have; where it must be a double, an int is widened.

        Raises ExpressionProblems with every problem found, each with its line and column in the text.
        """
        expected = (expect,) if isinstance(expect, str) else tuple(expect)
        key = text, expected
        if key not in self._checked:
            self._checked[key] = self._check(text, expected)
        return self._checked[key]

    def _check(self, text: str, expected: tuple[str, ...]) -> CheckedExpression:
        if len(text) > MAX_CHARACTERS:
            message = f"the expression has {len(text):,} characters; at most {MAX_CHARACTERS:,} are read"
            raise ExpressionProblems(
                text, [ExpressionProblem(1, 1, message, "put long lists of values into a list")]
            )
        if not text.strip():
            raise ExpressionProblems(text, [ExpressionProblem(1, 1, "the expression is empty")])
        if bad := _UNREADABLE.search(text):
            line, column = place(text, bad.start())
            problem = ExpressionProblem(
                line, column, "a character that no text may hold (NUL, or half a surrogate pair)"
            )
            raise ExpressionProblems(text, [problem])
        self._refuse_has(text)
        try:
            return self._built(text, trees.read(self._compile(text)), expected)
        except UnreadableExpression:
            # Loops within loops are deeper as trees than as text.
            raise ExpressionProblems(text, [ExpressionProblem(1, 1, TOO_DEEP, DEEP_HINT)]) from None

    def _built(self, text: str, parsed: trees.Parsed, expected: tuple[str, ...]) -> CheckedExpression:
        builder = Builder(parsed)
        node = builder.build()
        if builder.problems:
            raise ExpressionProblems(text, (_placed(text, trouble) for trouble in builder.problems))
        self._refuse_impossible(text, node)
        if node.type == INT and INT not in expected and DOUBLE in expected:
            node = widen(node)
        if node.type not in expected:
            wanted = " or ".join(expected)
            message = f"this gives {_article(node.type)}; {_article(wanted)} is needed"
            hint = "compare it with something" if expected == ("bool",) else ""
            raise ExpressionProblems(text, [ExpressionProblem(1, 1, message, hint)])
        return express(text, node)

    def _refuse_has(self, text: str) -> None:
        """Refuse has() of a field: CEL knows it of maps, and takes has(a.b) for the field `a.b` itself."""
        if "has" not in text:
            return
        bare = _QUOTED.sub(lambda found: " " * len(found[0]), text)
        problems = [
            _placed(text, Trouble(found.start(), "has() asks a map", f"of a field, write {found[1]} != null"))
            for found in _HAS.finditer(bare)
            if found[1] in self.variables
        ]
        if problems:
            raise ExpressionProblems(text, problems)

    def _refuse_impossible(self, text: str, node: Node) -> None:
        """Refuse comparing a variable whose values are known with a text that is none of them."""
        troubles = []
        for call in walk(node):
            if isinstance(call, Call) and call.overload in _EQUALITIES:
                names = [part.name for part in call.arguments if isinstance(part, Name)]
                values = (self.variables[names[0]].values if len(names) == 1 else None) or ()
                for literal in _texts(call) if values else ():
                    if literal.value not in values:
                        hint = nearest(literal.value, values)
                        troubles.append(
                            Trouble(literal.offset, f"'{names[0]}' is never '{literal.value}'", hint)
                        )
        if troubles:
            raise ExpressionProblems(text, (_placed(text, trouble) for trouble in troubles))

    def _compile(self, text: str) -> bytes:
        """Parse and type-check with the CEL library; give the message it serialises."""
        if self._environment is None:
            self._environment = checking(self.variables, self.lists)
        try:
            return wire.unwrap(self._environment.compile(text).serialize())
        except RuntimeError as error:
            names = {name: variable.type for name, variable in self.variables.items()} | self.lists
            raise ExpressionProblems(text, diagnose(text, str(error), names)) from None


def _texts(call: Call) -> list[Literal]:
    """Give the texts written out that an equality or `in` compares with."""
    parts = [one for part in call.arguments for one in (children(part) if part.type == LIST else (part,))]
    return [part for part in parts if isinstance(part, Literal) and part.type == STRING]


def _placed(text: str, trouble: Trouble) -> ExpressionProblem:
    line, column = place(text, trouble.offset)
    return ExpressionProblem(line, column, trouble.message, trouble.hint)


def _article(name: str) -> str:
    return f"{'an' if name[0] in 'aeiou' else 'a'} {name}"
