"""Parts of a moment in a time zone that is written out: an IANA name, or an offset as +05:30."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from typing import Any

import numpy as np

from rules.expression import INT, STRING, TIMESTAMP
from rules.functions import clock
from rules.functions.clock import DAY, HOUR, MINUTE, SECOND
from rules.functions.table import Function

_OFFSET = re.compile(r"([+-]?)([0-9]{1,2}):([0-9]{2})")
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_+-]*(?:/[A-Za-z0-9_+-]+)*")
_LOCAL = ("localtime", "posixrules", "Factory")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
# A zone's rules at the very ends of time are those of the day before or after.
_FIRST, _LAST = clock.FIRST + 2 * DAY, clock.LAST - 2 * DAY


def bad_zone(zone: str) -> str:
    """Say what is wrong with a time zone, or nothing."""
    if not zone or _OFFSET.fullmatch(zone):
        return ""
    if len(zone) > 64 or not _NAME.fullmatch(zone) or zone in _LOCAL or not _known(zone):
        return f"unknown time zone '{zone}'"
    return ""


def is_plain_zone(zone: str) -> bool:
    """Whether the evaluators read a zone as the CEL runtime does: not so for offsets that no clock has."""
    found = _OFFSET.fullmatch(zone)
    return not found or (int(found[2]) < 24 and int(found[3]) < 60)


def local(microseconds: int, zone: str) -> int:
    """Give the local clock's reading at a moment, as microseconds since its own epoch."""
    fixed = _fixed(zone)
    return microseconds + (_ahead(microseconds, zone) if fixed is None else fixed)


def local_columns(microseconds: Any, zone: str) -> Any:
    """Do so for many moments.

    A zone's clock is looked up at the beginning, middle and end of each distinct day; within a day on which
    it does not change, all moments are as far ahead.
    """
    fixed = _fixed(zone)
    if fixed is not None:
        return microseconds + fixed
    days, codes = np.unique(microseconds // DAY, return_inverse=True)
    ahead = np.empty(len(days), dtype=np.int64)
    changing = np.zeros(len(days), dtype=bool)
    for position, day in enumerate(days.tolist()):
        looked = {_ahead(day * DAY + part, zone) for part in (0, DAY // 2, DAY)}
        ahead[position] = next(iter(looked))
        changing[position] = len(looked) > 1
    result = ahead[codes]
    for row in np.flatnonzero(changing[codes]):
        result[row] = _ahead(int(microseconds[row]), zone)
    return microseconds + result


@lru_cache(maxsize=1024)
def _fixed(zone: str) -> int | None:
    """Give how far an offset is ahead of UTC, or None for a name."""
    if not zone:
        return 0
    found = _OFFSET.fullmatch(zone)
    if not found:
        return None
    ahead = int(found[2]) * HOUR + int(found[3]) * MINUTE
    return -ahead if found[1] == "-" else ahead


def _ahead(microseconds: int, zone: str) -> int:
    """Give how far a named zone's clock is ahead of UTC at a moment."""
    clamped = min(max(microseconds, _FIRST), _LAST)
    ahead = (_EPOCH + timedelta(microseconds=clamped)).astimezone(_zone(zone)).utcoffset()
    return (ahead or timedelta()) // _MICROSECOND


@lru_cache(maxsize=64)
def _zone(zone: str) -> tzinfo:
    # Imported when a rule names a zone: few do.
    from zoneinfo import ZoneInfo

    return ZoneInfo(zone)


def _known(zone: str) -> bool:
    try:
        _zone(zone)
    except (KeyError, ValueError, OSError):
        return False
    return True


def _part(function: str, overload: str, scalar: str, columnar: Callable[..., Any]) -> Function:
    return Function(
        function,
        overload,
        (TIMESTAMP, STRING),
        INT,
        scalar.replace("{}", "local({0}, {1})"),
        lambda moments, zone: columnar(local_columns(moments, zone)),
        member=True,
        zoned=True,
    )


ROWS: list[Function] = [
    _part("getFullYear", "timestamp_to_year_with_tz", "year({})", clock.year),
    _part("getMonth", "timestamp_to_month_with_tz", "month({})", clock.month),
    _part(
        "getDayOfMonth",
        "timestamp_to_day_of_month_with_tz",
        "day_of_month({}) - 1",
        lambda t: clock.day_of_month(t) - 1,
    ),
    _part("getDate", "timestamp_to_day_of_month_1_based_with_tz", "day_of_month({})", clock.day_of_month),
    _part("getDayOfYear", "timestamp_to_day_of_year_with_tz", "day_of_year({})", clock.day_of_year),
    _part(
        "getDayOfWeek",
        "timestamp_to_day_of_week_with_tz",
        "({} // DAY + 4) % 7",
        lambda t: (t // DAY + 4) % 7,
    ),
    _part("getHours", "timestamp_to_hours_with_tz", "{} // HOUR % 24", lambda t: t // HOUR % 24),
    _part("getMinutes", "timestamp_to_minutes_with_tz", "{} // MINUTE % 60", lambda t: t // MINUTE % 60),
    _part("getSeconds", "timestamp_to_seconds_tz", "{} // SECOND % 60", lambda t: t // SECOND % 60),
    _part(
        "getMilliseconds",
        "timestamp_to_milliseconds_with_tz",
        "{} // 1000 % 1000",
        lambda t: t // 1000 % 1000,
    ),
]
SCOPE: dict[str, Any] = {"local": local}
