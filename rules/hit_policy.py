"""Who decides among the rules of one file that fire: DMN's hit policies, as ranks worked out at check.

    first      the first in the file
    priority   the highest priority; where no rule of the stage states one, the most severe outcome
    unique     at most one may fire; where several do all the same, the most severe outcome
    collect    all count, and the most severe outcome is theirs (DMN's collect with max)

Of equals the first in the file decides. A rule left open that asks for review decides `review`, whatever it
decides otherwise, and so has two ranks.

Reference: OMG, Decision Model and Notation 1.5, section 8.2.10, "Hit policy".
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from rules.errors import Problem
from rules.files import STAGES, Filters, Rule

FIRST, PRIORITY, UNIQUE, COLLECT = "first", "priority", "unique", "collect"
REVIEW = "review"
VIOLATED = "HIT_POLICY_UNIQUE_VIOLATED"
_RANKED_BY = frozenset(("stage", "decide", "priority", "mode", "on_unknown"))


class Rank(NamedTuple):
    """Where a rule stands: of the rules that fire, the one of lowest rank decides.

    `file` numbers its file; `decides` is its rank with the outcome it states, `reviews` its rank where it is
    left open and asks for review. All ranks of a set of rules differ.
    """

    file: int
    decides: float
    reviews: float


def ranks(filters: Iterable[Filters], outcomes: Sequence[str]) -> Iterator[tuple[Filters, Rule, Rank]]:
    """Rank every rule of these files, which are in order: an earlier file decides before a later one."""
    every = tuple(filters)
    for number, start, keys in file_ranks(every, outcomes):
        one = every[number]
        order = {key[-2:]: start + rank for rank, key in enumerate(keys)}
        for place, rule in enumerate(one.rules):
            yield one, rule, Rank(number, order[place, 0], order[place, 1])


def file_ranks(
    filters: Sequence[Filters], outcomes: Sequence[str]
) -> Iterator[tuple[int, int, list[tuple[int, int, int, int]]]]:
    """Give each file's number, its first rank, and what orders its rules, the strongest first.

    A key ends with the rule's place and 1 where it asks for review. One rank below a file's first is left
    free: between that and the rules' own stand the rows of tables.
    """
    start = 1
    for number, one in enumerate(filters):
        keys = sorted(
            (*strength(one.hit_policy, rule.priority, outcome, place, outcomes), place, word)
            for place, rule in enumerate(one.rules)
            for word, outcome in enumerate((rule.decide, REVIEW))
        )
        yield number, start, keys
        start += len(keys) + 1


def ties(filters: Filters) -> Iterator[Problem]:
    """Refuse what leaves open which rule of a file decides: ties of priority, priorities for some alone."""
    if filters.hit_policy == PRIORITY:
        for stage in STAGES:
            deciding = [
                rule
                for rule in filters.rules
                if rule.stage == stage and may_decide(rule) and not rule.unread & _RANKED_BY
            ]
            stated = [rule for rule in deciding if rule.priority is not None]
            yield from _lacking(filters, deciding, stated)
            yield from _tied(filters, stated)


def may_decide(rule: Rule) -> bool:
    """Say whether a rule in force may decide: by its outcome, or by asking for review."""
    return rule.mode == "enforce" and (rule.decide is not None or rule.on_unknown == REVIEW)


def _lacking(filters: Filters, deciding: Sequence[Rule], stated: Sequence[Rule]) -> Iterator[Problem]:
    for rule in deciding if stated else ():
        if rule.priority is None:
            message = f"'{rule.id}' decides and has no priority"
            hint = f"'{stated[0].id}' has one: give one to every rule that decides, or to none"
            yield filters.document.problem(rule.path, message, hint)


def _tied(filters: Filters, stated: Sequence[Rule]) -> Iterator[Problem]:
    first: dict[int | None, Rule] = {}
    for rule in stated:
        if not rule.decide:
            continue
        other = first.setdefault(rule.priority, rule)
        if rule.decide != other.decide:
            message = f"the priority {rule.priority} is that of '{other.id}', which decides {other.decide}"
            hint = "give one of the two another: nothing says which decides where both fire"
            yield filters.document.problem((*rule.path, "priority"), message, hint)


def strength(
    policy: str, priority: int | None, outcome: str | None, place: int, outcomes: Sequence[str]
) -> tuple[int, int]:
    """Give what orders a rule within its file, the strongest first."""
    if policy == FIRST:
        return place, 0
    mildness = -outcomes.index(outcome) if outcome in outcomes else 1
    return (-(priority or 0) if policy == PRIORITY else 0), mildness
