"""A seed and a number in, as many rules of five comparisons each out, in the words of what evaluates them.

The rules are about payments as `rows` makes them: amounts and counts of long tails, texts of which few are
common, some values missing. Thresholds are round numbers taken from the data, so that a comparison lets a
tenth to two thirds of the rows through and a rule about one row in a hundred. People write round numbers and
copy each other: among the 5,000 comparisons of 1,000 rules about 1,800 are distinct.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

if TYPE_CHECKING:
    from rules.checked_rules import CheckedRules

SIZES = (10, 100, 1_000)
OUTCOMES = ("approve", "review", "decline")
FILE = "rules/many.yaml"
SHARED = 0.3  # the share of comparisons that are copied from another rule
SAMPLE = 20_000

NUMBERS = (  # name, type, mean and spread of the logarithm
    ("amount", "double", 3.6, 1.2),
    ("balance", "double", 7.0, 1.5),
    ("amount_ratio", "double", 0.0, 0.8),
    ("distance_km", "double", 2.5, 1.8),
    ("fraud_score", "double", -3.5, 1.3),
    ("account_age_days", "int", 5.8, 1.1),
    ("payments_last_day", "int", 0.7, 0.9),
    ("seconds_since_login", "int", 6.0, 2.0),
)
TEXTS = {  # name: its values, the commonest first
    "country": (
        "DE",
        "FR",
        "GB",
        "NL",
        "ES",
        "IT",
        "PL",
        "US",
        "AT",
        "BE",
        "CH",
        "PT",
        "SE",
        "DK",
        "IE",
        "NG",
    ),
    "home_country": ("DE", "FR", "GB", "NL", "ES", "IT", "PL", "US", "AT", "BE", "CH", "PT"),
    "channel": ("chip", "contactless", "online", "swipe", "transfer"),
    "trade": (
        "grocery",
        "fuel",
        "restaurant",
        "pharmacy",
        "clothing",
        "electronics",
        "travel",
        "games",
        "gold",
    ),
    "currency": ("EUR", "GBP", "PLN", "USD"),
    "device": tuple(f"model-{number:02d}" for number in range(40)),
}
TYPES = {name: kind for name, kind, _, _ in NUMBERS} | dict.fromkeys(TEXTS, "string")

Value = float | int | str | tuple[str, ...] | None


@dataclass(frozen=True)
class Comparison:
    """`field operator value`: an ordering of a number, `==` or `!=` of a text or null, `in` of texts."""

    field: str
    operator: str
    value: Value

    @property
    def cel(self) -> str:
        return f"{self.field} {self.operator} {_quoted(self.value, '[]')}"

    @property
    def zen(self) -> str:
        return self.cel

    @property
    def rule_engine(self) -> str:
        return self.cel

    @property
    def sql(self) -> str:
        """DuckDB's words: where a value is missing, as true as the CEL is."""
        if self.value is None:
            return f"{self.field} is {'not ' if self.operator == '!=' else ''}null"
        if self.operator == "!=":
            return f"{self.field} is distinct from {_quoted(self.value, '()')}"
        operator = "=" if self.operator == "==" else self.operator
        return f"{self.field} {operator} {_quoted(self.value, '()')}"

    @property
    def python(self) -> str:
        """Python over local names, as a programmer would write it for values that may be None."""
        if self.value is None:
            return f"{self.field} is {'not ' if self.operator == '!=' else ''}None"
        tested = f"{self.field} {self.operator} {_quoted(self.value, '()')}"
        ordered = self.operator[0] in "<>"
        return f"{self.field} is not None and {tested}" if ordered else tested

    @property
    def polars(self) -> Any:
        """A Polars expression."""
        import polars as pl

        column = pl.col(self.field)
        if self.value is None:
            return column.is_not_null() if self.operator == "!=" else column.is_null()
        if isinstance(self.value, tuple):
            return column.is_in(list(self.value))
        operation = {
            "<": column.lt, "<=": column.le, ">": column.gt, ">=": column.ge,
            "==": column.eq, "!=": column.ne_missing,
        }[self.operator]  # fmt: skip
        return operation(self.value)


@dataclass(frozen=True)
class ManyRule:
    """One rule: `a && b && (c || d) && e`, and what it decides. The highest priority wins, then the first."""

    id: str
    comparisons: tuple[Comparison, ...]
    decide: str
    priority: int

    @property
    def cel(self) -> str:
        return self._joined("cel", "&&", "||")

    @property
    def zen(self) -> str:
        return self._joined("zen", "and", "or")

    @property
    def rule_engine(self) -> str:
        return self._joined("rule_engine", "and", "or")

    @property
    def sql(self) -> str:
        return self._joined("sql", "and", "or")

    @property
    def python(self) -> str:
        return self._joined("python", "and", "or")

    @property
    def polars(self) -> Any:
        a, b, c, d, e = (comparison.polars for comparison in self.comparisons)
        return a & b & (c | d) & e

    def _joined(self, words: str, both: str, either: str) -> str:
        a, b, c, d, e = (getattr(comparison, words) for comparison in self.comparisons)
        return f"{a} {both} {b} {both} ({c} {either} {d}) {both} {e}"


def many_rules(count: int, seed: int = 7) -> tuple[ManyRule, ...]:
    """`count` rules, the same ones for the same seed."""
    rng = np.random.default_rng(seed)
    # Each priority once: rules of one priority that decide differently are refused.
    priorities = np.random.default_rng(seed).permutation(count) + 1
    known: list[Comparison] = []  # each once
    said: set[Comparison] = set()
    rules = []
    for index in range(count):
        chosen: dict[str, Comparison] = {}
        while len(chosen) < 5:
            again = known and rng.random() < SHARED
            comparison = known[rng.integers(len(known))] if again else _comparison(rng)
            chosen.setdefault(comparison.field, comparison)
        known += [comparison for comparison in chosen.values() if comparison not in said]
        said.update(known[len(said) :])
        a, b, c, d, e = chosen.values()
        if rng.random() < 0.1:  # a missing value instead: `(c || d == null)`
            d = Comparison(d.field, "==", None)
        decide = OUTCOMES[int(rng.integers(1, 3))]
        rules.append(ManyRule(f"rule-{index:04d}", (a, b, c, d, e), decide, int(priorities[index])))
    return tuple(rules)


def rule_file(rules: tuple[ManyRule, ...]) -> bytes:
    """The rules as a rule file."""
    lines = ["filters: many", "hit_policy: priority", "rules:"]
    for rule in rules:
        lines += [f"  - id: {rule.id}", f'    when: "{rule.cel}"']
        lines += [f"    decide: {rule.decide}", f"    priority: {rule.priority}"]
    return "\n".join([*lines, ""]).encode()


def checked_rules(rules: tuple[ManyRule, ...]) -> CheckedRules:
    """The rules, checked."""
    from rules import Variable, check_rules

    variables = [Variable(name, kind) for name, kind in TYPES.items()]
    return check_rules(
        {FILE: rule_file(rules)}, variables=variables, scores=(), outcomes=OUTCOMES, read_list=_no_list
    )


def ranked(rules: tuple[ManyRule, ...]) -> list[ManyRule]:
    """The rules, the one that wins over all others first."""
    return sorted(rules, key=lambda rule: -rule.priority)


def rows(count: int, *, missing: float, seed: int = 11) -> pa.RecordBatch:
    """`count` payments; of each column the share `missing` is null."""
    rng = np.random.default_rng(seed)
    columns = {}
    for name, values in _values(rng, count).items():
        mask = rng.random(count) < missing if missing else None
        if isinstance(values, tuple):
            codes, texts = values
            column = pa.DictionaryArray.from_arrays(pa.array(codes, mask=mask), texts)
            columns[name] = column.cast(pa.string())
        else:
            columns[name] = pa.array(values, mask=mask)
    return pa.RecordBatch.from_pydict(columns)


def _values(rng: np.random.Generator, count: int) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name, kind, mean, spread in NUMBERS:
        drawn = rng.lognormal(mean, spread, count)
        values[name] = drawn.astype(np.int64) if kind == "int" else np.round(drawn, 4)
    for name, texts in TEXTS.items():
        weights = 1.0 / np.arange(1, len(texts) + 1)
        codes = rng.choice(len(texts), count, p=weights / weights.sum())
        values[name] = codes.astype(np.int32), pa.array(texts, pa.string())
    return values


@cache
def _sample() -> Mapping[str, Any]:
    """What the thresholds are taken from."""
    return _values(np.random.default_rng(3), SAMPLE)


def _comparison(rng: np.random.Generator) -> Comparison:
    """One comparison that lets a tenth to two thirds of the rows through."""
    share = float(np.exp(rng.uniform(np.log(0.1), np.log(0.66))))
    fields = list(TYPES)
    name = fields[rng.integers(len(fields))]
    if TYPES[name] == "string":
        return _about_text(rng, name, share)
    above = rng.random() < 0.6
    bound = _rounded(float(np.quantile(_sample()[name], 1 - share if above else share)))
    value = max(1, round(bound)) if TYPES[name] == "int" else bound
    operator = (">", ">=") if above else ("<", "<=")
    return Comparison(name, operator[rng.integers(2)], value)


def _about_text(rng: np.random.Generator, name: str, share: float) -> Comparison:
    texts = TEXTS[name]
    if rng.random() < 0.15:
        return Comparison(name, "!=", texts[rng.integers(min(3, len(texts)))])
    weights = 1.0 / np.arange(1, len(texts) + 1)
    weights /= weights.sum()
    chosen: list[int] = []
    for code in rng.permutation(len(texts)):
        if not chosen or weights[[*chosen, code]].sum() <= share:
            chosen.append(int(code))
        if len(chosen) == 4:
            break
    if len(chosen) == 1:
        return Comparison(name, "==", texts[chosen[0]])
    return Comparison(name, "in", tuple(texts[code] for code in sorted(chosen)))


def _rounded(value: float) -> float:
    """Round as people do: to two digits, or three."""
    digits = 1 - int(np.floor(np.log10(abs(value)))) if value else 0
    return float(round(value, digits))


def _quoted(value: Value, brackets: str) -> str:
    """Write a value: texts in single quotes, lists between brackets, null as null."""
    if value is None:
        return "null"
    if isinstance(value, tuple):
        return f"{brackets[0]}{', '.join(repr(text) for text in value)}{brackets[1]}"
    return repr(value)


def _no_list(path: str) -> bytes:
    raise FileNotFoundError(path)
