"""Questions about rules: is there a record such that …? The answer is a record, a proof, or neither."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np

from rules import reference
from rules.analysis.facts import Facts
from rules.analysis.formula import Box, Formula, GaveUp, Search, opposite, some
from rules.analysis.space import Space
from rules.analysis.wants import FALSE, NOT_FALSE, NOT_TRUE, TRUE, UNKNOWN, Want
from rules.expression import CheckedExpression, Name, Node, walk

TRIES = 6
FAR = 2**62
MOST_STEPS = 400_000
"""Steps of all searches for a proof together."""
MOST_BOX_STEPS = 4_000_000
"""Steps of all searches for records to try together."""


@dataclass(frozen=True)
class Answer:
    """`record` is one such; `impossible` that there is none; neither where it could not be decided."""

    record: Mapping[str, Any] | None = None
    impossible: bool = False


NO, OPEN = Answer(impossible=True), Answer()


class Questioner:
    """Answers questions: from the facts, by a search over cells, by a solver.

    `solver.ask` takes conditions and what each must be, and gives records to try: none where it proved that
    there are none, None where it does not know.
    """

    def __init__(
        self,
        expressions: Sequence[CheckedExpression],
        space: Space,
        facts: Facts,
        lists: Mapping[str, Any],
        solver: Any = None,
    ) -> None:
        self._expressions, self._space, self.facts, self._lists = expressions, space, facts, lists
        self._solver = solver
        self._steps, self._box_steps = MOST_STEPS, MOST_BOX_STEPS
        self._formulas: dict[Want, Formula] = {}
        self._checked: dict[tuple[int, tuple[tuple[str, Any], ...]], bool | None] = {}

    def formula(self, want: Want) -> Formula:
        """Give the cells in which a want may be met."""
        kept = self._formulas.get(want)
        if kept is None:
            kept = self._formulas[want] = self._made(want)
        return kept

    def _made(self, want: Want) -> Formula:
        node = self._expressions[want.condition].node
        space = self._space
        if want.result in (TRUE, NOT_TRUE):
            held = space.true(node)
            return held if want.result == TRUE else opposite(held, space.full)
        if want.result in (FALSE, NOT_FALSE):
            failed = space.false(node)
            return failed if want.result == FALSE else opposite(failed, space.full)
        if want.result == UNKNOWN:
            return space.unknown(node)
        return some(space.true(node), space.false(node))

    @property
    def full(self) -> list[int]:
        """All cells of each axis."""
        return self._space.full

    def ask(self, wants: Sequence[Want], *, shown: bool = True) -> Answer:
        """Say whether there is a record that meets every want.

        A record to be shown is confirmed by the reference evaluator; one that only ends the question is not.
        """
        if (seen := self.seen(wants, shown=shown)) is not None:
            return Answer(seen)
        goals = [self.formula(want) for want in wants]
        if self._impossible(goals):
            return NO
        if (record := self._tried(goals, wants, shown)) is not None:
            return Answer(record)
        return self._solved(wants, shown) if self._solver is not None else OPEN

    def proves_none(self, wants: Sequence[Want]) -> bool:
        """Say whether the search alone proves that no record meets every want."""
        return self._impossible([self.formula(want) for want in wants])

    def seen(
        self, wants: Sequence[Want], among: slice = slice(None), *, shown: bool = True
    ) -> Mapping[str, Any] | None:
        """Look for a record among the facts: of the first few, the one that misses least."""
        facts = self.facts
        rows = np.logical_and.reduce([facts.met(want, among) for want in wants])
        start = among.start or 0
        found = [facts.records[start + int(place)] for place in rows.nonzero()[0][:TRIES]]
        if not found:
            return None
        names = self.names([want.condition for want in wants])
        if not shown:
            return found[0]
        best = sorted(found, key=lambda record: sum(_odd(record[name]) for name in names))
        return next(
            ({name: record[name] for name in names} for record in best if self.confirmed(record, wants)), None
        )

    def _impossible(self, goals: Sequence[Formula]) -> bool:
        """Say whether a search proves that no box is left; False where one is, or the search gave up."""
        before = min(self._steps, 20_000)
        search = Search(goals, self._space.full, before)
        try:
            return next(search.boxes(), None) is None
        except GaveUp:
            return False
        finally:
            self._steps -= before - max(search.left, 0)

    def boxes(self, wants: Sequence[Want], steps: int) -> list[Box] | None:
        """Give a few boxes in which every want may be met: none is proof; None where the search gave up."""
        steps = min(steps, self._box_steps)
        search = Search([self.formula(want) for want in wants], self._space.full, steps)
        try:
            return list(islice(search.boxes(), TRIES))
        except GaveUp:
            return None
        finally:
            self._box_steps -= steps - max(search.left, 0)

    def confirmed(self, record: Mapping[str, Any], wants: Sequence[Want]) -> bool:
        """Say whether the reference evaluator agrees that a record meets every want."""
        return all(want.allows(self._result(want.condition, record)) for want in wants)

    def names(self, conditions: Sequence[int]) -> list[str]:
        """Give the fields that some conditions read, in the order of their text."""
        found: dict[str, None] = {}
        for condition in conditions:
            expression = self._expressions[condition]
            found |= dict.fromkeys(_in_order(expression.node, expression.variables))
        return list(found)

    def _result(self, condition: int, record: Mapping[str, Any]) -> bool | None:
        expression = self._expressions[condition]
        key = condition, tuple((name, record.get(name)) for name in sorted(expression.variables))
        if key not in self._checked:
            value = reference.evaluate(expression, record, self._lists)
            self._checked[key] = value if isinstance(value, bool) else None
        return self._checked[key]

    def _tried(
        self, goals: Sequence[Formula], wants: Sequence[Want], shown: bool
    ) -> Mapping[str, Any] | None:
        search = Search(goals, self._space.full, 4000)
        try:
            records = [self.facts.draw(box) for box in islice(search.boxes(), TRIES) for _ in range(2)]
        except GaveUp:
            return None
        return self.seen(wants, self.facts.new(records), shown=shown) if records else None

    def _solved(self, wants: Sequence[Want], shown: bool) -> Answer:
        asked = [(self._expressions[want.condition].node, want.result) for want in wants]
        found = self._solver.ask(asked)
        if found is None:
            return OPEN
        if not found:
            return NO
        records = [self.facts.draw({}) | values for values in found]
        seen = self.seen(wants, self.facts.new(records), shown=shown)
        return OPEN if seen is None else Answer(seen)


def _odd(value: Any) -> int:
    """Say how far a value is from what a reader expects: missing ones and the ends of ranges come last."""
    if value is None:
        return 1
    return 2 if isinstance(value, int | float) and not -FAR < value < FAR else 0


def _in_order(node: Node, names: frozenset[str]) -> list[str]:
    found = [part.name for part in walk(node) if isinstance(part, Name)]
    return list(dict.fromkeys([*found, *sorted(names)]))
