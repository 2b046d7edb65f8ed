"""What cells cannot settle, asked of an SMT solver: tests between fields, whole-number arithmetic.

z3 is in the `check` extra, and is imported when the first such question comes. Integers are mathematical ones
with the bounds of int64 as a condition, which is exact; doubles are reals, compared and not calculated with;
texts are numbers that are equal or not. Anything else is a test that may come out either way. So `unsat` is
proof. What is satisfiable gives records to try, from a second asking in which doubles are calculated with as
reals are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from importlib.util import find_spec
from typing import Any

from rules.analysis.encoder import Encoder
from rules.expression import Node, Variable, walk

EFFORT = 2_000_000  # of z3's own units a question, some tenths of a second
MOST_QUESTIONS = 40
MOST_NODES = 4_000  # of the conditions of one question: more would be written, and solved, for minutes


def solver(variables: Sequence[Variable], lists: Mapping[str, Any]) -> Solver | None:
    """Give a solver, if z3 is installed."""
    return Solver(variables, lists) if _installed() else None


class Solver:
    """Asks z3: a bounded number of questions of bounded effort, so that answers are always the same."""

    def __init__(self, variables: Sequence[Variable], lists: Mapping[str, Any]) -> None:
        self._variables = {variable.name: variable for variable in variables}
        self._lists = lists
        self._left = MOST_QUESTIONS

    def ask(self, asked: Sequence[tuple[Node, str]]) -> list[dict[str, Any]] | None:
        """Take conditions and what each must be; give records to try.

        None of them is proof that there are none; None that z3 does not know.
        """
        if self._left <= 0 or len(asked) > MOST_QUESTIONS:
            return None
        if sum(sum(1 for _ in walk(node)) for node, _ in asked) > MOST_NODES:
            return None
        self._left -= 1
        found = self._found(asked, calculating=False)
        if not found:
            return found
        return [*(self._found(asked, calculating=True) or ()), *found]

    def _found(self, asked: Sequence[tuple[Node, str]], *, calculating: bool) -> list[dict[str, Any]] | None:
        import z3

        encoder = Encoder(z3, self._variables, self._lists, calculating=calculating)
        goals = [encoder.wanted(node, result) for node, result in asked]
        engine = z3.Solver()
        engine.set("rlimit", EFFORT)
        engine.set("random_seed", 0)
        engine.add(*goals, *encoder.bounds)
        found = engine.check()
        if found == z3.unsat:
            return []
        return [encoder.record(engine.model())] if found == z3.sat else None


@cache
def _installed() -> bool:
    return find_spec("z3") is not None
