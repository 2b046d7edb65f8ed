"""Durations, held as int64 microseconds: reading and writing them, their parts, and moments moved by them."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pyarrow as pa

from rules.expression import DURATION, INT, STRING, TIMESTAMP
from rules.functions.clock import FIRST, HOUR, LAST, MINUTE, SECOND
from rules.functions.table import ERROR, Function

# What CEL calculates with: durations within int64 nanoseconds, about 292 years.
SHORTEST, LONGEST = -9_223_372_036_854_775, 9_223_372_036_854_775
_MOST_SECONDS = 9_223_372_036
# What CEL reads: about 10,000 years.
MAX_WRITTEN = 315_576_000_000 * SECOND
_UNITS = {"h": 3600 * 10**9, "m": 60 * 10**9, "s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1}
_PART = re.compile(r"([0-9]*)(?:\.([0-9]*))?(ms|us|ns|h|m|s)")


def parse_duration(text: str) -> int | None:
    """Read a duration as nanoseconds: `1h30m`, `-1.5s`, `0`; None if it is none."""
    sign = -1 if text.startswith("-") else 1
    rest = text[1:] if text[:1] in ("-", "+") else text
    if rest == "0":
        return 0
    total, position = 0, 0
    while position < len(rest):
        found = _PART.match(rest, position)
        if not found or not (found[1] or found[2]) or len(found[0]) > 40:
            return None
        unit = _UNITS[found[3]]
        fraction = found[2] or ""
        total += int(found[1] or "0") * unit + int(fraction or "0") * unit // 10 ** len(fraction)
        position = found.end()
    return sign * total if rest and total <= MAX_WRITTEN * 1000 else None


def format_duration(microseconds: int) -> str:
    """Write a duration in seconds with as many digits as it needs, by threes: `5400s`, `-1.500s`."""
    seconds, fraction = divmod(abs(microseconds), SECOND)
    digits = (
        "" if not fraction else f".{fraction // 1000:03d}" if fraction % 1000 == 0 else f".{fraction:06d}"
    )
    return f"{'-' if microseconds < 0 else ''}{seconds}{digits}s"


def _within(low: int, high: int, total: Any) -> Any:
    return total, (total < low) | (total > high)


def _moved(total: Any) -> Any:
    return _within(FIRST, LAST, total)


def _spanned(total: Any) -> Any:
    return _within(SHORTEST, LONGEST, total)


def whole(microseconds: Any, unit: int) -> Any:
    """Count the whole units, towards zero."""
    if isinstance(microseconds, int):
        return abs(microseconds) // unit * (1 if microseconds >= 0 else -1)
    return np.sign(microseconds) * (np.abs(microseconds) // unit)


def fraction(microseconds: Any) -> Any:
    """Give the milliseconds beyond whole seconds, with the duration's sign."""
    return whole(microseconds, 1000) - whole(microseconds, SECOND) * 1000


def between(a: int, b: int) -> Any:
    """Subtract moments: the runtime takes whole seconds first, and their difference must fit as well."""
    span = a - b
    fits = SHORTEST <= span <= LONGEST and abs(a // SECOND - b // SECOND) <= _MOST_SECONDS
    return span if fits else ERROR


def _between(a: Any, b: Any) -> Any:
    span = a - b
    apart = np.abs(a // SECOND - b // SECOND) > _MOST_SECONDS
    return span, (span < SHORTEST) | (span > LONGEST) | apart


_MOVED = "({{t}} if FIRST <= ({{t}} := {}) <= LAST else ERROR)"
_SPANNED = "({{t}} if SHORTEST <= ({{t}} := {}) <= LONGEST else ERROR)"
_PLUS, _MINUS = "{0} + {1}", "{0} - {1}"
_MOMENT_SPAN, _SPAN_MOMENT, _SPANS = (TIMESTAMP, DURATION), (DURATION, TIMESTAMP), (DURATION, DURATION)


def _sum(name: str, overload: str, arguments: tuple[str, str], result: str) -> Function:
    """Give the row of one sum or difference."""
    plain = _PLUS if name == "_+_" else _MINUS
    scalar = (_MOVED if result == TIMESTAMP else _SPANNED).format(plain)
    settle = _moved if result == TIMESTAMP else _spanned

    def kernel(a: Any, b: Any) -> Any:
        return settle(a + b if name == "_+_" else a - b)

    return Function(name, overload, arguments, result, scalar, kernel, fails=True)


def _part(function: str, overload: str, scalar: str, columnar: Any) -> Function:
    return Function(function, overload, (DURATION,), INT, scalar, columnar, member=True)


ROWS: list[Function] = [
    _sum("_+_", "add_timestamp_duration", _MOMENT_SPAN, TIMESTAMP),
    _sum("_+_", "add_duration_timestamp", _SPAN_MOMENT, TIMESTAMP),
    _sum("_-_", "subtract_timestamp_duration", _MOMENT_SPAN, TIMESTAMP),
    Function(
        "_-_",
        "subtract_timestamp_timestamp",
        (TIMESTAMP, TIMESTAMP),
        DURATION,
        "between({0}, {1})",
        _between,
        fails=True,
    ),
    _sum("_+_", "add_duration_duration", _SPANS, DURATION),
    _sum("_-_", "subtract_duration_duration", _SPANS, DURATION),
    _part("getHours", "duration_to_hours", "whole({0}, HOUR)", lambda d: whole(d, HOUR)),
    _part("getMinutes", "duration_to_minutes", "whole({0}, MINUTE)", lambda d: whole(d, MINUTE)),
    _part("getSeconds", "duration_to_seconds", "whole({0}, SECOND)", lambda d: whole(d, SECOND)),
    _part("getMilliseconds", "duration_to_milliseconds", "fraction({0})", fraction),
    Function(
        "string",
        "duration_to_string",
        (DURATION,),
        STRING,
        "format_duration({0})",
        lambda d: pa.array([format_duration(one) for one in d.tolist()], pa.string()),
    ),
    Function("duration", "duration_to_duration", (DURATION,), DURATION, "{0}", lambda d: d),
]
SCOPE: dict[str, Any] = {
    "HOUR": HOUR,
    "MINUTE": MINUTE,
    "SECOND": SECOND,
    "FIRST": FIRST,
    "LAST": LAST,
    "SHORTEST": SHORTEST,
    "LONGEST": LONGEST,
    "between": between,
    "format_duration": format_duration,
    "whole": whole,
    "fraction": fraction,
}
