"""Checking expressions against one set of names, each text once: an edit of one rule checks one rule."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from threading import Lock

from rules.errors import ExpressionProblems
from rules.expression import BOOL, CheckedExpression, Variable

MAX_KEPT = 20_000


class Environment:
    """A set of variables and lists, and what was checked against them; safe to share between threads."""

    def __init__(self, variables: tuple[Variable, ...], lists: tuple[tuple[str, str], ...]) -> None:
        # Imported when something is first checked: a bundle that is served needs no CEL compiler.
        from rules.cel import Checker

        self._checker = Checker(variables, dict(lists))
        self._kept: dict[tuple[str, tuple[str, ...]], CheckedExpression | ExpressionProblems] = {}
        self._lock = Lock()

    def check(self, text: str, expect: tuple[str, ...] = (BOOL,)) -> CheckedExpression | ExpressionProblems:
        """Give the checked expression of one of these types, or what is wrong with it."""
        with self._lock:
            kept = self._kept.get((text, expect))
            if kept is None:
                if len(self._kept) >= MAX_KEPT:
                    self._kept.clear()
                kept = self._kept[text, expect] = self._check(text, expect)
            return kept

    def _check(self, text: str, expect: tuple[str, ...]) -> CheckedExpression | ExpressionProblems:
        try:
            return self._checker.check(text, expect)
        except ExpressionProblems as problems:
            return problems


def environment(variables: tuple[Variable, ...], lists: Mapping[str, str]) -> Environment:
    """Give the environment of these variables and lists (name → element type), made once."""
    return _environment(variables, tuple(sorted(lists.items())))


@lru_cache(maxsize=64)
def _environment(variables: tuple[Variable, ...], lists: tuple[tuple[str, str], ...]) -> Environment:
    return Environment(variables, lists)
