"""What a condition is to come out as, and where a rule fires and decides in those words."""

from __future__ import annotations

from dataclasses import dataclass

from rules.checked_rules import CheckedRule, CheckedRules
from rules.files import Filters

LATER = 10**9  # more than any rank: rules before the model decide first
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

    `fires` says where it fires, `decides` where it has an outcome to give, if it ever has. Of the rules that
    decide, the one of the lowest rank wins: this one's lies between `strength` and `weakness`. `stoppers` are
    the rules before it that keep it from acting where they fire.
    """

    number: int
    checked: CheckedRule
    filters: Filters
    fires: Want
    decides: Want | None
    strength: float
    weakness: float
    stoppers: tuple[Subject, ...] = ()

    @property
    def id(self) -> str:
        return self.checked.id

    @property
    def enforced(self) -> bool:
        return self.checked.rule.mode == "enforce"

    @property
    def stops(self) -> tuple[Want, ...]:
        """Where a rule fires that keeps this one from acting."""
        return tuple(one.fires for one in self.stoppers)

    @property
    def certain(self) -> bool:
        """Whether nothing but its condition, and rules that stop it, keep the rule from deciding."""
        return self.enforced and self.reaches_all

    @property
    def reaches_all(self) -> bool:
        """Whether it acts on every record that its condition holds for."""
        return self.checked.rule.rollout is None and not self.checked.suppressions

    def weaker(self, other: Subject) -> bool:
        """Whether the other decides wherever both would."""
        return other.weakness < self.strength

    @property
    def effect(self) -> tuple[object, ...]:
        """What two rules that do the same have in common, but for their conditions."""
        rule = self.checked.rule
        caps, floors = tuple(rule.cap.items()), tuple(rule.floor.items())
        does = (rule.stage, rule.decide, caps, floors, rule.tags, rule.stop, rule.on_unknown, rule.mode)
        return (*does, rule.rollout, tuple(one.condition.text for one in self.checked.suppressions))


def subjects(checked: CheckedRules) -> tuple[Subject, ...]:
    """Give the rules that run, in order."""
    of_file = {filters.document.file: filters for filters in checked.filters}
    stoppers: dict[str, tuple[Subject, ...]] = {}
    made = []
    for number, rule in enumerate(checked.rules):
        if rule.rule.mode == "off":
            continue
        stage = rule.rule.stage
        one = _subject(number, rule, of_file[rule.document.file], stoppers.get(stage, ()))
        made.append(one)
        if rule.rule.stop and one.enforced:
            stoppers[stage] = (*stoppers.get(stage, ()), one)
    return tuple(made)


def _subject(number: int, checked: CheckedRule, filters: Filters, stoppers: tuple[Subject, ...]) -> Subject:
    rule = checked.rule
    fires = Want(number, NOT_FALSE if rule.on_unknown in ("fire", "review") else TRUE)
    decides = fires if rule.decide else Want(number, UNKNOWN) if rule.on_unknown == "review" else None
    ranks = [checked.rank.decides] if rule.decide else []
    ranks += [checked.rank.reviews] if rule.on_unknown == "review" else []
    after = LATER if rule.stage != "before" else 0
    strength, weakness = after + min(ranks, default=0), after + max(ranks, default=0)
    return Subject(number, checked, filters, fires, decides, strength, weakness, stoppers)
