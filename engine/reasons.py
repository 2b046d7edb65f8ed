"""Reason codes for a score: which fields counted most against a record, by the names a project gives them.

Who is turned down is told the principal reasons (in the United States by the Equal Credit Opportunity Act,
12 CFR 1002.9(b)(2), whose commentary finds more than four of little use): those that were in fact weighed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from engine.errors import BundleError

if TYPE_CHECKING:
    from engine.bundle import Bundle
    from engine.contributions import Contributions

REASONS = "reasons.json"
HIGH, LOW = "high", "low"
ADVERSE = (HIGH, LOW)
_LEAST = 1e-6  # log-odds; less is rounding


@dataclass(frozen=True)
class ReasonCodes:
    """What project.yaml says of a classifier: which end of its scores is `adverse`, a code for each field."""

    adverse: str = HIGH
    codes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class AdverseReason:
    """One reason: a code, and what it stands for.

    Either `rule` decided, on `fields`; or `fields` moved a score by `added` log-odds towards its adverse end.
    A field without a code stands under its own name.
    """

    code: str
    fields: tuple[str, ...]
    added: float | None = None
    rule: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Give the reason as plain data."""
        return {"code": self.code, "fields": list(self.fields), "added": self.added, "rule": self.rule}


def against(contributions: Contributions, stated: ReasonCodes) -> list[AdverseReason]:
    """Give the reasons in what moved a score, the strongest first.

    Fields of one code count together; a code whose fields speak for the record on balance is no reason.
    """
    sign = _sign(stated)
    by_code: dict[str, dict[str, float]] = {}
    for name, added in contributions.fields.items():
        by_code.setdefault(stated.codes.get(name, name), {})[name] = sign * added
    found = [
        AdverseReason(
            code, tuple(name for name, added in fields.items() if added > _LEAST), sum(fields.values())
        )
        for code, fields in by_code.items()
    ]
    return sorted(
        (one for one in found if one.added is not None and one.added > _LEAST),
        key=lambda one: -(one.added or 0.0),
    )


def moved_against(contributions: Contributions, stated: ReasonCodes) -> float:
    """How far, in log-odds, a score is from the reference rows towards its adverse end."""
    return _sign(stated) * (contributions.log_odds - contributions.base)


def write_reasons(stated: Mapping[str, ReasonCodes]) -> dict[str, Any]:
    """Give what reasons.json holds, by classifier: those alone of which something is said."""
    return {
        name: {"adverse": one.adverse, "codes": dict(one.codes)}
        for name, one in stated.items()
        if one != ReasonCodes()
    }


def read_reasons(bundle: Bundle, classifiers: Iterable[Mapping[str, Any]]) -> dict[str, ReasonCodes]:
    """Read the reason codes of a bundle, by score. Raises BundleError."""
    if REASONS not in bundle.parts:
        return {}
    stated = bundle.json(REASONS)
    if not isinstance(stated, dict):
        raise BundleError("no JSON object", part=REASONS)
    scores = {one.get("name"): one.get("scores") for one in classifiers}
    found = {}
    for name, one in stated.items():
        if not isinstance(scores.get(name), list):
            raise BundleError(f"no classifier '{name}' in the model", part=REASONS)
        found.update(dict.fromkeys(scores[name] or (), _codes(name, one)))
    return found


def _codes(name: str, stated: Any) -> ReasonCodes:
    if isinstance(stated, dict) and set(stated) == {"adverse", "codes"}:
        adverse, codes = stated["adverse"], stated["codes"]
        sound = isinstance(codes, dict) and all(isinstance(code, str) and code for code in codes.values())
        if adverse in ADVERSE and sound:
            return ReasonCodes(adverse, codes)
    raise BundleError(f"{name}: expected 'adverse' and 'codes'", part=REASONS)


def _sign(stated: ReasonCodes) -> float:
    return 1.0 if stated.adverse == HIGH else -1.0
