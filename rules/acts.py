"""One rule as what it does: in which order it decides, what it bounds, and what keeps it from acting."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from rules.checked_rules import CheckedRule
from rules.expression import STRING
from rules.hit_policy import UNIQUE
from rules.rollout import Rollout


@dataclass(frozen=True, slots=True)
class Act:
    """What one rule does when its condition holds, and when it is unknown.

    index: its place among all rules of the set.
    rank, open_rank: what orders deciding, and what does where it is left open and asks for review.
    file: the number of its file; unique: whether at most one rule of that file may decide.
    rollout, key_type: the share of records that it is rolled out to, and the type of what it goes by.
    exception: the position, among the stage's conditions, of what suppresses it; -1 for none.
    """

    index: int
    id: str
    rank: float
    open_rank: float
    file: int
    unique: bool
    decide: str | None
    caps: Mapping[str, float]
    floors: Mapping[str, float]
    reason: str
    tags: tuple[str, ...]
    shadow: bool
    stop: bool
    rollout: Rollout | None
    key_type: str
    exception: int
    fires_on_unknown: bool
    reviews_on_unknown: bool

    @property
    def decides(self) -> bool:
        """Whether it may decide."""
        return self.decide is not None or self.reviews_on_unknown


def act_of(index: int, checked: CheckedRule, exception: int) -> Act:
    """Give what a rule does; `index` and `exception` as `Act` has them."""
    rule = checked.rule
    return Act(
        index=index,
        id=rule.id,
        rank=checked.rank.decides,
        open_rank=checked.rank.reviews,
        file=checked.rank.file,
        unique=checked.hit_policy == UNIQUE,
        decide=rule.decide,
        caps=rule.cap,
        floors=rule.floor,
        reason=rule.reason,
        tags=rule.tags,
        shadow=rule.mode == "shadow",
        stop=rule.stop,
        rollout=rule.rollout,
        key_type=STRING if checked.key is None else checked.key.type,
        exception=exception,
        fires_on_unknown=rule.on_unknown in ("fire", "review"),
        reviews_on_unknown=rule.on_unknown == "review",
    )
