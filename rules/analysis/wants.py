"""What a condition is to come out as, and where a rule fires and decides in those words."""

from __future__ import annotations

from dataclasses import dataclass

from rules.checked_rules import CheckedRule
from rules.files import Filters

TRUE, FALSE, UNKNOWN = "true", "false", "unknown"
NOT_TRUE, NOT_FALSE, NOT_UNKNOWN = "not true", "not false", "not unknown"
_ALLOWED: dict[str, tuple[bool | None, ...]] = {
    TRUE: (True,),
    FALSE: (False,),
    UNKNOWN: (None,),
    NOT_TRUE: (False, None),
    NOT_FALSE: (True, None),
    NOT_UNKNOWN: (True, False),
}


@dataclass(frozen=True)
class Want:
    """That a condition, by its number, comes out in some way."""

    condition: int
    result: str

    def allows(self, value: bool | None) -> bool:
        """Say whether a result, None for unknown, is as wanted."""
        return value in _ALLOWED[self.result]

    @property
    def opposite(self) -> Want:
        word = self.result
        return Want(self.condition, word.removeprefix("not ") if word.startswith("not ") else f"not {word}")


@dataclass(frozen=True, eq=False)
class Subject:
    """One rule that runs; `number` is its place among the conditions.

    `fires` says where it fires, `decides` where it has an outcome to give, if it ever has; of those that
    decide, the least `strength` wins.
    """

    number: int
    checked: CheckedRule
    filters: Filters
    fires: Want
    decides: Want | None
    strength: tuple[int, ...]

    @property
    def id(self) -> str:
        return self.checked.id

    @property
    def enforced(self) -> bool:
        return self.checked.rule.mode == "enforce"

    @property
    def unhindered(self) -> bool:
        """Whether nothing but its condition keeps the rule from deciding."""
        return self.enforced and self.checked.rule.rollout is None and not self.checked.suppressions

    @property
    def effect(self) -> tuple[object, ...]:
        """What two rules that do the same have in common, but for their conditions."""
        rule = self.checked.rule
        caps, floors = tuple(rule.cap.items()), tuple(rule.floor.items())
        does = (rule.stage, rule.decide, caps, floors, rule.tags, rule.stop, rule.on_unknown, rule.mode)
        return (*does, rule.rollout, tuple(one.condition.text for one in self.checked.suppressions))


def subject(number: int, checked: CheckedRule, filters: Filters) -> Subject:
    """Give a rule's part in the analysis."""
    rule = checked.rule
    on_unknown = rule.on_unknown in ("fire", "review")
    fires = Want(number, NOT_FALSE if on_unknown else TRUE)
    decides = fires if rule.decide else Want(number, UNKNOWN) if rule.on_unknown == "review" else None
    return Subject(number, checked, filters, fires, decides, (rule.stage != "before", checked.rank.decides))
