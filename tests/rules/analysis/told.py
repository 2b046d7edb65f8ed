"""A small payment schema, rules and tables against it, and what the analysis tells of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rules.analysis import Analysis, analyse
from rules.check import check_rules
from rules.expression import TIMESTAMP, Variable
from rules.fitting import fits
from rules.functions.clock import parse_timestamp

OUTCOMES = ("approve", "review", "decline")
VARIABLES = (
    Variable("amount", "double", nullable=False, minimum=0.0),
    Variable("country", "string", nullable=False),
    Variable("currency", "string", nullable=False),
    Variable("tier", "string", nullable=False, values=("gold", "silver")),
    Variable("memo", "string"),
    Variable("payments_last_day", "int", nullable=False, minimum=0),
    Variable("account_age_days", "int", nullable=False, minimum=0),
    Variable("n", "int", nullable=False, minimum=0, maximum=9),
    Variable("f", "bool"),
    Variable("g", "bool", nullable=False),
    Variable("event_time", "timestamp", nullable=False),
)


def analysed(text: str, *, solve: bool = True) -> Analysis:
    """Check and analyse one rule file."""
    checked = check_rules(
        {"rules/a.yaml": text.encode()},
        variables=VARIABLES,
        scores=("fraud",),
        outcomes=OUTCOMES,
        read_list={}.__getitem__,
        event_time="event_time",
    )
    found = analyse(checked, solve=solve)
    for one in found.findings:
        for name, value in _flat(one.record or {}):
            variable = next((variable for variable in checked.variables if variable.name == name), None)
            assert variable is not None
            assert fits(variable, _plain(variable, value)), f"{one}"
    return found


def rules(*written: str, policy: str = "first") -> str:
    """A file of rules, each as `id: condition, effect…`."""
    lines = ["filters: told", f"hit_policy: {policy}", "rules:"]
    for rule in written:
        name, _, rest = rule.partition(": ")
        when, *effects = rest.split(" | ")
        lines += [f"  - id: {name}", f'    when: "{when}"', *(f"    {effect}" for effect in effects)]
    return "\n".join([*lines, ""])


def told(text: str, code: str, *, solve: bool = True) -> list[str]:
    """What is said under one code: the messages of findings, then those of undecided questions."""
    found = analysed(text, solve=solve)
    shown = [one.message for one in found.findings if one.code == code]
    return shown + [f"undecided: {one.message}" for one in found.undecided if one.code == code]


def _plain(variable: Variable, value: Any) -> Any:
    """Give a moment that a record holds as text in the microseconds that the schema bounds."""
    return parse_timestamp(value) if variable.type == TIMESTAMP and value is not None else value


def _flat(record: Mapping[str, Any], outer: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in record.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{outer}{name}.")
        else:
            yield f"{outer}{name}", value
