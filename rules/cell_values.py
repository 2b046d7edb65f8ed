"""The text of one literal in, its value out: a number, a moment, a duration, a text in quotes.

Moments and durations are whole microseconds. What is no such value is a CellError at `start`, where the
literal stands in its cell.
"""

from __future__ import annotations

import math
import re

from rules.cells import CellError
from rules.expression import BOOL, DOUBLE, DURATION, INT, TIMESTAMP
from rules.functions.clock import parse_timestamp
from rules.functions.span import LONGEST, SHORTEST, parse_duration

NUMBER = r"[-+]?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?"
_MOMENT = r"[0-9]{4}-[0-9]{2}-[0-9]{2}(?:T[0-9:.]+(?:Z|[-+][0-9]{2}:[0-9]{2}))?"
_SPAN = r"[-+]?(?:(?:[0-9]+(?:\.[0-9]+)?(?:ms|us|ns|h|m|s))+|0)(?!\w)"
LITERALS = {
    INT: re.compile(NUMBER),
    DOUBLE: re.compile(NUMBER),
    BOOL: re.compile(r"true|false", re.IGNORECASE),
    TIMESTAMP: re.compile(rf"timestamp\(\s*(?:'([^']*)'|\"([^\"]*)\")\s*\)|({_MOMENT})"),
    DURATION: re.compile(rf"duration\(\s*(?:'([^']*)'|\"([^\"]*)\")\s*\)|({_SPAN})"),
}
_ESCAPE = re.compile(r"\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|(.))", re.DOTALL)
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "\\": "\\", "'": "'", '"': '"', "`": "`", "?": "?"}


def number_of(text: str, start: int) -> int | float:
    """Give a number: a whole one as int, of 64 bits, any other as double."""
    if len(text) <= 20 and text.lstrip("+-").isdigit():
        whole = int(text)
        if -(2**63) <= whole < 2**63:
            return whole
        raise CellError(start, "a whole number beyond 64 bits")
    number = float(text)
    if not math.isfinite(number):
        raise CellError(start, "a number beyond a double")
    if text.lstrip("+-").isdigit():
        raise CellError(start, "a whole number beyond 64 bits")
    return number


def moment_of(found: re.Match[str], start: int) -> int:
    """Give the moment that the pattern of a timestamp found; a day is its midnight in UTC."""
    written = found[1] or found[2] or found[3] or ""
    instant = parse_timestamp(written if "T" in written else written + "T00:00:00Z")
    if instant is None:
        raise CellError(
            start, f"not a timestamp to the microsecond: '{written[:60]}'", "as 2026-11-01T12:00:00Z"
        )
    return instant


def duration_of(found: re.Match[str], start: int) -> int:
    """Give the duration that the pattern of a duration found."""
    written = found[1] or found[2] or found[3] or ""
    nanoseconds = parse_duration(written)
    if nanoseconds is None:
        raise CellError(start, f"not a duration: '{written[:60]}'", "as 36h or 1h30m, in h, m, s, ms and us")
    if nanoseconds % 1000 or not SHORTEST <= nanoseconds // 1000 <= LONGEST:
        raise CellError(start, "a duration finer than a microsecond, or of more than 292 years")
    return nanoseconds // 1000


def unescaped(body: str, start: int) -> str:
    """Give the text that stands in quotes, each escape as its character."""

    def replaced(found: re.Match[str]) -> str:
        digits = found[1] or found[2] or found[3]
        if digits:
            code = int(digits, 16)
            if code > 0x10FFFF or 0xD800 <= code <= 0xDFFF or code == 0:
                raise CellError(start, f"{found[0]} is no character that a text may hold")
            return chr(code)
        if found[4] not in _ESCAPES:
            raise CellError(start, f"unknown escape {found[0]}", r"a backslash is written \\")
        return _ESCAPES[found[4]]

    return _ESCAPE.sub(replaced, body)
