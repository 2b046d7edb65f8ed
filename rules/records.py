"""Records as given in, the values that conditions read out; what does not fit is refused.

Names are flat, with dots: `{"scores": {"fraud": 0.7}}` holds `scores.fraud`. What a record lacks is missing,
and so are None, NaN, and the marks that pandas and NumPy have for it. Names that no condition knows are left
out, or refused where records are strict.

INVARIANT: `tabular` takes of a column what is taken here of its values, and refuses what is refused here.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import numpy as np

from rules.errors import RulesError, nearest
from rules.expression import BOOL, DOUBLE, INT, STRING, TIMESTAMP, Variable
from rules.form import shown
from rules.functions.clock import FIRST, LAST

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
WANTED = {
    BOOL: "true or false",
    INT: "a whole number of 64 bits",
    DOUBLE: "a number",
    STRING: "text",
    TIMESTAMP: "a datetime or date, or text as '2026-11-01T12:00:00Z', of the years 1 to 9999",
}
MOST_UNKNOWN = 20
"""Names of no variable that are told one by one."""

LONGEST_MEANT = 100
"""Characters of such a name that are compared with names of variables."""

_WHOLE = 2**63
_MARKS = ("NAType", "NaTType")  # pandas' own; nothing of it is imported to tell them
_PLAIN = (bool, int, float, str, Mapping, list)


class Records:
    """What reads records for some variables."""

    def __init__(self, variables: Sequence[Variable]) -> None:
        self._variables = tuple(
            (variable.name, variable.type, _READERS[variable.type]) for variable in variables
        )
        self._known = frozenset(variable.name for variable in variables)
        self._nested = nested([variable.name for variable in variables])

    def read(self, record: Mapping[str, Any]) -> dict[str, Any]:
        """Give the value of every variable, None where the record has none.

        Raises RulesError with every value that its variable cannot hold.
        """
        if not isinstance(record, Mapping):
            raise RulesError(f"a record is a mapping of names to values, not a {type(record).__name__}")
        problems: list[str] = []
        given = self._spread(record, problems) if self._nested else record
        values: dict[str, Any] = {}
        for name, kind, read in self._variables:
            value = given.get(name)
            try:
                values[name] = None if value is None else read(value)
            except (TypeError, ValueError, ArithmeticError, AttributeError):
                problems.append(f"'{name}' must be {WANTED[kind]}, got {_told(value)}")
        if problems:
            raise RulesError("\n".join(problems))
        return values

    def _spread(self, record: Mapping[str, Any], problems: list[str]) -> dict[str, Any]:
        given: dict[str, Any] = {}
        for name, value in self._flat(record, problems):
            if name in given and name in self._known:
                problems.append(f"'{name}' stands twice in the record")
            given[name] = value
        return given

    def _flat(
        self, record: Mapping[str, Any], problems: list[str], prefix: str = ""
    ) -> Iterator[tuple[str, Any]]:
        for key, value in record.items():
            name = f"{prefix}{key}" if prefix else key
            inner = self._nested.get(name)
            if inner is None:
                yield name, value
            elif isinstance(value, Mapping):
                yield from self._flat(value, problems, f"{name}.")
            elif plain(value) is not None:
                problems.append(f"'{name}' must be a mapping, as {{'{inner}': …}}, got {_told(value)}")


class StrictRecords(Records):
    """What reads records that hold nothing but values of the variables."""

    def read(self, record: Mapping[str, Any]) -> dict[str, Any]:
        """Give the value of every variable. Raises RulesError with every other name, too."""
        problems: list[str] = []
        values: dict[str, Any] = {}
        try:
            values = super().read(record)
        except RulesError as refused:
            problems.append(str(refused))
        if isinstance(record, Mapping):
            problems += unknown("field", (name for name, _ in self._flat(record, [])), self._known)
        if problems:
            raise RulesError("\n".join(problems))
        return values


def unknown(what: str, names: Iterable[Any], known: Collection[str]) -> list[str]:
    """Say of each name that is not known which one may be meant; many are counted.

    >>> unknown("field", ["amount", "amuont"], ["amount", "country"])
    ["unknown field 'amuont'; did you mean 'amount'?"]
    """
    others = [name for name in names if name not in known]
    told = [
        f"unknown {what} {_told(name)}; {nearest(str(name)[:LONGEST_MEANT], known)}"
        for name in others[:MOST_UNKNOWN]
    ]
    more = len(others) - len(told)
    return [*told, f"and {more:,} more unknown {what}{'s' * (more > 1)}"] if more else told


def nested(names: Sequence[str]) -> dict[str, str]:
    """Give what holds others of these names, each with the first that it holds.

    >>> nested(["amount", "scores.fraud", "scores.grade.a"])
    {'scores': 'fraud', 'scores.grade': 'a'}
    """
    found: dict[str, str] = {}
    for name in names:
        steps = name.split(".")
        for depth in range(1, len(steps)):
            stem = ".".join(steps[:depth])
            if stem not in names:
                found.setdefault(stem, steps[depth])
    return found


def plain(value: Any) -> Any:
    """Give a NumPy scalar as Python has it, and None for whatever marks a missing value."""
    if isinstance(value, np.generic):
        value = _moment64(value) if isinstance(value, np.datetime64) else value.item()
    if isinstance(value, float):
        return value if value == value else None
    if isinstance(value, Decimal):
        return None if value.is_nan() else value
    return None if type(value).__name__ in _MARKS else value


def moment(value: Any) -> int | None:
    """Give a datetime (UTC without a zone), a date or ISO 8601 text as microseconds since the epoch.

    What is finer than a microsecond is cut off. Raises ValueError or TypeError.
    """
    value = plain(value)
    if value is None:
        return None
    given = datetime.fromisoformat(value) if isinstance(value, str) else value
    if not isinstance(given, date):
        raise TypeError(given)
    if not isinstance(given, datetime):
        given = datetime(given.year, given.month, given.day, tzinfo=UTC)
    elif type(given) is not datetime:  # pandas' carries nanoseconds
        clock = (given.hour, given.minute, given.second, given.microsecond)
        given = datetime(given.year, given.month, given.day, *clock, tzinfo=given.tzinfo, fold=given.fold)
    found = ((given if given.tzinfo else given.replace(tzinfo=UTC)) - EPOCH) // MICROSECOND
    if not FIRST <= found <= LAST:
        raise ValueError(found)
    return found


def _bool(value: Any) -> bool | None:
    value = plain(value)
    if value is not None and type(value) is not bool:
        raise TypeError(value)
    return value


def _int(value: Any) -> int | None:
    value = plain(value)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        raise TypeError(value)
    # Before anything is made of it: 1e999999 as a whole number takes a while.
    if not -_WHOLE <= value < _WHOLE or value != int(value):
        raise OverflowError(value)
    return int(value)


def _double(value: Any) -> float | None:
    value = plain(value)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        raise TypeError(value)
    return float(value)


def _string(value: Any) -> str | None:
    value = plain(value)
    if value is None:
        return None
    if not isinstance(value, str):
        raise TypeError(value)
    value.encode()  # half a surrogate pair is no text
    return str(value)


_READERS: dict[str, Callable[[Any], Any]] = {
    BOOL: _bool, INT: _int, DOUBLE: _double, STRING: _string, TIMESTAMP: moment,
}  # fmt: skip


def _moment64(value: np.datetime64) -> datetime | None:
    if np.isnat(value):
        return None
    micro = value.astype("datetime64[us]")
    found = micro.item()
    if not isinstance(found, datetime) or micro.astype("datetime64[Y]") != value.astype("datetime64[Y]"):
        raise ValueError(value)  # so far off that the microseconds have run over
    return found


def _told(value: Any) -> str:
    """Show a value, and its type where its look does not say it."""
    text = shown(value).encode("utf-8", "backslashreplace").decode()
    named = isinstance(value, _PLAIN) and not isinstance(value, np.generic)
    return text if named else f"{text} (a {type(value).__name__})"
