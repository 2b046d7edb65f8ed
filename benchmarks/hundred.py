"""A seed in, a hundred filters of five comparisons each out: as a rule file and as zen-engine expressions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

RULES = 100
FILE = "rules/hundred.yaml"

_NUMBERS = {  # field → (low, high) of the thresholds
    "amount": (10.0, 150.0),
    "account_age_days": (60, 1500),
    "payments_last_day": (1, 3),
    "amount_ratio": (1.0, 3.0),
    "scores.fraud": (0.01, 0.3),
    "scores.disputed": (0.01, 0.2),
    "scores.kind.mule": (0.001, 0.05),
    "scores.kind.takeover": (0.001, 0.05),
}
_WHOLE = {"account_age_days", "payments_last_day"}
_TEXTS = {
    "country": ("DE", "FR", "GB", "NL", "ES", "IT", "PL", "US"),
    "home_country": ("DE", "FR", "GB", "NL", "ES", "IT", "PL", "US"),
    "channel": ("chip", "contactless", "swipe", "online", "transfer"),
    "trade": ("grocery", "fuel", "restaurant", "pharmacy", "clothing", "electronics", "travel"),
    "currency": ("EUR", "GBP", "PLN", "USD"),
    "proposed": ("approve", "review", "decline"),
}
_EFFECTS = ("decide: review",) * 6 + (
    "decide: decline",
    "cap: {fraud: 0.4}",
    "floor: {fraud: 0.05}",
    "tag: seen",
)


@dataclass(frozen=True)
class Filter:
    """One filter: `a && b && (c || d) && e` over fields, scores and the proposed outcome."""

    id: str
    comparisons: tuple[str, str, str, str, str]
    effect: str
    priority: int

    @property
    def cel(self) -> str:
        a, b, c, d, e = self.comparisons
        return f"{a} && {b} && ({c} || {d}) && {e}"

    @property
    def zen(self) -> str:
        a, b, c, d, e = self.comparisons
        return f"{a} and {b} and ({c} or {d}) and {e}"


def hundred_filters(seed: int = 7) -> tuple[Filter, ...]:
    """The filters, the same ones for the same seed."""
    rng = np.random.default_rng(seed)
    return tuple(_filter(rng, index) for index in range(RULES))


def rule_file(filters: tuple[Filter, ...], *, version: int = 0) -> bytes:
    """The filters as a rule file; `version` marks every decision with two tags, one in each stage."""
    lines = ["filters: hundred", "hit_policy: priority", "rules:"]
    for stage in ("before", "after") if version else ():
        lines += [f"  - {{id: version-{stage}, stage: {stage}, when: amount >= 0, tag: {stage}-{version}}}"]
    for item in filters:
        lines += [f"  - id: {item.id}", f"    when: {item.cel}", f"    {item.effect}"]
        lines += [f"    priority: {item.priority}", f"    reason: {item.id.upper().replace('-', '_')}"]
    return "\n".join([*lines, ""]).encode()


def _filter(rng: np.random.Generator, index: int) -> Filter:
    names = [*_NUMBERS, *_TEXTS]
    chosen = [names[place] for place in rng.choice(len(names), 5, replace=False)]
    a, b, c, d, e = (_comparison(rng, name) for name in chosen)
    return Filter(
        f"filter-{index:03d}",
        (a, b, c, d, e),
        _EFFECTS[index % len(_EFFECTS)],
        int(rng.integers(1, 100)) * RULES + index,
    )


def _comparison(rng: np.random.Generator, name: str) -> str:
    if name in _TEXTS:
        known = _TEXTS[name]
        if rng.random() < 0.6:
            return f"{name} {'==' if rng.random() < 0.85 else '!='} '{known[rng.integers(len(known))]}'"
        some = rng.choice(known, size=2, replace=False)
        return f"{name} in [{', '.join(repr(str(text)) for text in some)}]"
    low, high = _NUMBERS[name]
    value = low + (high - low) * rng.random()
    bound = str(round(value)) if name in _WHOLE else f"{value:.4f}"
    return f"{name} {rng.choice(['>', '>=', '>', '<'])} {bound}"
