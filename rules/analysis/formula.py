"""Formulas over cells, and the search for a box of cells in which several of them hold at once.

An axis is something that conditions ask about: a field, a term such as `size(memo)`, a test that nothing is
known of. Its cells are numbered from 0; a set of cells is the bits of an int. A box gives each axis a set.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

Box = dict[int, int]


@dataclass(frozen=True, slots=True)
class In:
    """The axis lies in one of the cells."""

    axis: int
    cells: int


@dataclass(frozen=True, slots=True)
class All:
    """Every part holds; of no parts, always."""

    parts: tuple[Formula, ...]


@dataclass(frozen=True, slots=True)
class Any:
    """Some part holds; of no parts, never."""

    parts: tuple[Formula, ...]


Formula = In | All | Any
ALWAYS, NEVER = All(()), Any(())


def every(*parts: Formula) -> Formula:
    """Join formulas by and."""
    flat: list[Formula] = []
    for part in parts:
        if part == NEVER:
            return NEVER
        flat.extend(part.parts if isinstance(part, All) else (part,))
    return flat[0] if len(flat) == 1 else All(tuple(flat))


def some(*parts: Formula) -> Formula:
    """Join formulas by or."""
    flat: list[Formula] = []
    for part in parts:
        if part == ALWAYS:
            return ALWAYS
        flat.extend(part.parts if isinstance(part, Any) else (part,))
    return flat[0] if len(flat) == 1 else Any(tuple(flat))


def opposite(formula: Formula, full: Sequence[int]) -> Formula:
    """Give what holds exactly where the formula does not; `full` has all cells of each axis."""
    if isinstance(formula, In):
        return In(formula.axis, full[formula.axis] & ~formula.cells)
    parts = tuple(opposite(part, full) for part in formula.parts)
    return some(*parts) if isinstance(formula, All) else every(*parts)


class GaveUp(Exception):
    """The search took more steps than it was given."""


class Search:
    """Looks for boxes in which every one of `goals` holds, all over; `steps` bounds the work.

    **Raises** GaveUp. What ends without a box is proof that there is none.
    """

    def __init__(self, goals: Iterable[Formula], full: Sequence[int], steps: int = 4000) -> None:
        self._goals = tuple(goals)
        self._full = full
        self.left = steps

    def boxes(self) -> Iterator[Box]:
        """Give boxes that are disjoint or not, each within every goal; an axis left out is free."""
        yield from self._from({}, list(self._goals))

    def _from(self, box: Box, pending: list[Formula]) -> Iterator[Box]:
        choices = self._settle(box, pending)
        if choices is None:
            return
        if not choices:
            yield box
            return
        chosen = min(choices, key=lambda choice: len(choice.parts))
        rest = [choice for choice in choices if choice is not chosen]
        for part in chosen.parts:
            yield from self._from(dict(box), [part, *rest])

    def _settle(self, box: Box, pending: list[Formula]) -> list[Any] | None:
        """Narrow the box by all that leaves no choice; give the choices that remain, None for a dead end."""
        full = self._full
        choices: list[Any] = []
        while pending:
            narrowed = False
            work, choices = pending, []
            while work:
                self.left -= 1
                if self.left < 0:
                    raise GaveUp
                formula = work.pop()
                if isinstance(formula, In):
                    before = box.get(formula.axis, full[formula.axis])
                    after = before & formula.cells
                    if not after:
                        return None
                    if after != before:
                        box[formula.axis] = after
                        narrowed = True
                elif isinstance(formula, All):
                    work.extend(formula.parts)
                else:
                    left = self._possible(box, formula)
                    if left is None:
                        continue
                    if not left:
                        return None
                    if len(left) == 1:
                        work.append(left[0])
                    else:
                        choices.append(Any(left))
            if not narrowed:
                break
            pending = list(choices)
        return choices

    def _possible(self, box: Box, choice: Any) -> tuple[Formula, ...] | None:
        """Give the parts of a choice that the box allows; None where one holds all over it."""
        left = []
        self.left -= len(choice.parts)
        for part in choice.parts:
            verdict = holds(part, box, self._full)
            if verdict:
                return None
            if verdict is None:
                left.append(part)
        return tuple(left)


def holds(formula: Formula, box: Mapping[int, int], full: Sequence[int]) -> bool | None:
    """Say whether a formula holds all over a box, nowhere in it (False), or neither is plain (None)."""
    if isinstance(formula, In):
        here = box.get(formula.axis, full[formula.axis])
        inside = here & formula.cells
        return True if inside == here else None if inside else False
    wanted = isinstance(formula, All)
    open_ = False
    for part in formula.parts:
        verdict = holds(part, box, full)
        if verdict is (not wanted):
            return not wanted
        open_ = open_ or verdict is None
    return None if open_ else wanted
