"""Timestamps, held as int64 microseconds since the epoch: reading them from text, and their parts in UTC."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa

from rules.expression import INT, STRING, TIMESTAMP
from rules.functions.table import ERROR, Function

DAY, HOUR, MINUTE, SECOND = 86_400_000_000, 3_600_000_000, 60_000_000, 1_000_000

# The years 1 to 9999.
FIRST, LAST = -62_135_596_800 * SECOND, 253_402_300_800 * SECOND - 1

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_RFC3339 = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})T([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.([0-9]{1,9}))?"
    r"(?:Z|([+-])([0-9]{2}):([0-9]{2}))"
)


def parse_timestamp(text: str) -> int | None:
    """Read an RFC 3339 timestamp as microseconds since the epoch; None if it is none, or finer than that."""
    found = _RFC3339.fullmatch(text)
    if not found:
        return None
    fraction, sign, hours, minutes = (found[7] or "").ljust(9, "0"), found[8], found[9], found[10]
    if fraction[6:].strip("0"):
        return None
    try:
        year, month, day, hour, minute, second = (int(part) for part in found.groups()[:6])
        local = datetime(year, month, day, hour, minute, second, int(fraction[:6]), UTC)
        if int(hours or 0) > 23 or int(minutes or 0) > 59:
            return None
        ahead = timedelta(hours=int(hours or 0), minutes=int(minutes or 0))
        instant = (local + ahead if sign == "-" else local - ahead) - _EPOCH
    except (ValueError, OverflowError):
        return None
    return instant // timedelta(microseconds=1)


def format_timestamp(microseconds: int) -> str:
    """Write microseconds since the epoch as RFC 3339 in UTC; OverflowError outside the years 1 to 9999."""
    instant = (_EPOCH + timedelta(microseconds=microseconds)).replace(tzinfo=None)
    return instant.isoformat(timespec="microseconds") + "Z"


def string_of_timestamp(microseconds: int) -> str:
    """Write microseconds since the epoch as CEL does: a fraction of no digits, of three or of six."""
    written = format_timestamp(microseconds)[:-1]
    return written.removesuffix("000").removesuffix(".000") + "Z"


def moment_of(seconds: int) -> Any:
    """Take seconds since the epoch for a moment, if it is in the years 1 to 9999."""
    return seconds * SECOND if FIRST // SECOND <= seconds <= LAST // SECOND else ERROR


def _moments(seconds: Any) -> Any:
    failed = (seconds < FIRST // SECOND) | (seconds > LAST // SECOND)
    return np.where(failed, 0, seconds) * SECOND, failed


def year_month_day(days: Any) -> tuple[Any, Any, Any]:
    """Turn days since the epoch into the proleptic Gregorian year, month (1 to 12) and day (1 to 31).

    For a Python int and an int64 array alike, as
    http://howardhinnant.github.io/date_algorithms.html#civil_from_days derives it.
    """
    shifted = days + 719_468
    era = shifted // 146_097
    day_of_era = shifted - era * 146_097
    year_of_era = (day_of_era - day_of_era // 1460 + day_of_era // 36_524 - day_of_era // 146_096) // 365
    day_of_year = day_of_era - (365 * year_of_era + year_of_era // 4 - year_of_era // 100)
    month_from_march = (5 * day_of_year + 2) // 153
    day = day_of_year - (153 * month_from_march + 2) // 5 + 1
    month = (month_from_march + 2) % 12 + 1
    return year_of_era + era * 400 + (month <= 2), month, day


def year(microseconds: Any) -> Any:
    """Give the year."""
    return year_month_day(microseconds // DAY)[0]


def month(microseconds: Any) -> Any:
    """Give the month, counted from 0."""
    return year_month_day(microseconds // DAY)[1] - 1


def day_of_month(microseconds: Any) -> Any:
    """Give the day of the month, counted from 1."""
    return year_month_day(microseconds // DAY)[2]


def day_of_year(microseconds: Any) -> Any:
    """Give the day of the year, counted from 0."""
    days = microseconds // DAY
    before = year_month_day(days)[0] - 1
    return days + 719_162 - (365 * before + before // 4 - before // 100 + before // 400)


def _part(function: str, overload: str, scalar: str, columnar: Callable[..., Any]) -> Function:
    return Function(function, overload, (TIMESTAMP,), INT, scalar, columnar, member=True)


ROWS: list[Function] = [
    _part("getFullYear", "timestamp_to_year", "year({0})", year),
    _part("getMonth", "timestamp_to_month", "month({0})", month),
    _part(
        "getDayOfMonth", "timestamp_to_day_of_month", "day_of_month({0}) - 1", lambda t: day_of_month(t) - 1
    ),
    _part("getDate", "timestamp_to_day_of_month_1_based", "day_of_month({0})", day_of_month),
    _part("getDayOfYear", "timestamp_to_day_of_year", "day_of_year({0})", day_of_year),
    # 1 January 1970 was a Thursday; Sunday is 0.
    _part("getDayOfWeek", "timestamp_to_day_of_week", "({0} // DAY + 4) % 7", lambda t: (t // DAY + 4) % 7),
    _part("getHours", "timestamp_to_hours", "{0} // HOUR % 24", lambda t: t // HOUR % 24),
    _part("getMinutes", "timestamp_to_minutes", "{0} // MINUTE % 60", lambda t: t // MINUTE % 60),
    _part("getSeconds", "timestamp_to_seconds", "{0} // SECOND % 60", lambda t: t // SECOND % 60),
    _part("getMilliseconds", "timestamp_to_milliseconds", "{0} // 1000 % 1000", lambda t: t // 1000 % 1000),
    Function(
        "int",
        "timestamp_to_int64",
        (TIMESTAMP,),
        INT,
        "{0} // SECOND",
        lambda t: t // SECOND,
    ),
]
ROWS += [
    Function("timestamp", "timestamp_to_timestamp", (TIMESTAMP,), TIMESTAMP, "{0}", lambda t: t),
    Function("timestamp", "int64_to_timestamp", (INT,), TIMESTAMP, "moment_of({0})", _moments, fails=True),
    Function(
        "string",
        "timestamp_to_string",
        (TIMESTAMP,),
        STRING,
        "string_of_timestamp({0})",
        lambda t: pa.array([string_of_timestamp(one) for one in t.tolist()], pa.string()),
    ),
]
SCOPE: dict[str, Any] = {
    "DAY": DAY,
    "HOUR": HOUR,
    "MINUTE": MINUTE,
    "SECOND": SECOND,
    "moment_of": moment_of,
    "string_of_timestamp": string_of_timestamp,
    "year": year,
    "month": month,
    "day_of_month": day_of_month,
    "day_of_year": day_of_year,
}
