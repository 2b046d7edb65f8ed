"""One value of one field: read into its normal form where nothing is lost, refused with the reason elsewhere.

Normal forms: int and float as Python has them (64 bit, finite), bool, str, and a timestamp as whole
microseconds since 1970 in UTC. None is a missing value: None as given, NaN, and blank text in a field that
holds no text.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

INT_MIN, INT_MAX = -(2**63), 2**63 - 1
FLOAT_MAX = 1.7976931348623157e308
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
TIME_MIN = (datetime(1, 1, 1, tzinfo=UTC) - EPOCH) // MICROSECOND
TIME_MAX = (datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC) - EPOCH) // MICROSECOND

_WHOLE = re.compile(r"[+-]?[0-9]+")
_NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_TIME = re.compile(
    r"(?P<date>\d{4}-\d\d-\d\d)"
    r"(?:[Tt ](?P<clock>\d\d(?::\d\d)?)(?P<seconds>(?<=:\d\d):\d\d)?(?:[.,](?P<fraction>\d+))? ?"
    r"(?P<zone>[Zz]|[+-]\d\d(?::?\d\d)?)?)?",
    re.ASCII,
)
_TIME_PLAIN = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{6})?(?:Z|\+00:00)?", re.ASCII)
_BOOLS = {"true": True, "false": False, "1": True, "0": False}
_BLANKS = " \t\r\n"


class Refused(ValueError):
    """A value that a field cannot take; the text says why, without the value itself."""


def read_value(kind: str, value: Any) -> Any:
    """Read a value as `kind` ('int', 'float', 'bool', 'category', 'text', 'timestamp'); None means missing.

    >>> read_value("int", "39"), read_value("int", 39.0), read_value("float", float("nan"))
    (39, 39, None)
    """
    value = plain_value(value)
    if value is None:
        return None
    if isinstance(value, str):
        return _FROM_TEXT[kind](value)
    return _FROM_VALUE[kind](value)


def plain_value(value: Any) -> Any:
    """Give a NumPy scalar as Python has it, and None for whatever marks a missing value."""
    if type(value).__module__ == "numpy":
        value = _from_numpy(value)
    missing = value is None or (isinstance(value, float) and value != value) or _is_missing_mark(value)
    return None if missing else value


def text_of(value: str) -> str:
    """Take text as it is, if it can be written as UTF-8."""
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            raise Refused("not valid Unicode text (a lone surrogate)") from None
    return value


def time_of_text(value: str) -> int | None:
    """Read ISO 8601 text (`2026-03-01`, `2026-03-01T12:30:00.5+01:00`); without a zone it is UTC."""
    if _TIME_PLAIN.fullmatch(value) is None:
        value = value.strip(_BLANKS)
        if not value:
            return None
        value = _plain_time(value)
    try:
        moment = datetime.fromisoformat(value)
    except ValueError as error:
        raise Refused(f"not a date and time that exists: {error}") from None
    return time_of(moment)


def time_of(value: Any) -> int:
    """Turn a datetime (without a zone it is UTC) or a date (its midnight) into microseconds since 1970."""
    if isinstance(value, datetime):
        if type(value) is not datetime:
            value = _from_pandas(value)
        if value.tzinfo is None:
            value = value.replace(tzinfo=UTC)
        moment: int = (value - EPOCH) // MICROSECOND
        if not TIME_MIN <= moment <= TIME_MAX:
            raise Refused("outside the years 1 to 9999 in UTC")
        return moment
    if isinstance(value, date):
        return (datetime(value.year, value.month, value.day, tzinfo=UTC) - EPOCH) // MICROSECOND
    if isinstance(value, int | float | Decimal):
        raise Refused("a number is no timestamp (its unit is unknown): give ISO 8601 text or a datetime")
    raise Refused(f"a {type(value).__name__} is no timestamp")


def _int_of_text(value: str) -> int | None:
    value = value.strip(_BLANKS)
    if not value or value.lower() == "nan":
        return None
    if not _NUMBER.fullmatch(value):
        raise Refused("not a whole number")
    if _WHOLE.fullmatch(value) and len(value) < 20:
        return _int_of(int(value))
    return _int_of(Decimal(value))


def _int_of(value: Any) -> int:
    if isinstance(value, bool):
        raise Refused("true or false is no number")
    if isinstance(value, float | Decimal):
        value = _whole_of(value)
    if not isinstance(value, int):
        raise Refused(f"a {type(value).__name__} is no whole number")
    if not INT_MIN <= value <= INT_MAX:
        raise Refused("beyond 64-bit whole numbers")
    return int(value)


def _whole_of(value: float | Decimal) -> int:
    """Give the whole number that a float or decimal is; its size is looked at before 1e999999 is built."""
    decimal = Decimal(value)
    if not decimal.is_finite():
        raise Refused("not a finite number")
    if decimal and decimal.adjusted() > 18:
        raise Refused("beyond 64-bit whole numbers")
    if decimal.adjusted() < -400 or decimal != int(decimal):
        raise Refused("not a whole number")
    return int(decimal)


def _float_of_text(value: str) -> float | None:
    value = value.strip(_BLANKS)
    if not value or value.lower() == "nan":
        return None
    if not _NUMBER.fullmatch(value):
        raise Refused("not a number")
    if 15 < len(value) < 400 and _WHOLE.fullmatch(value):
        return _float_of(int(value))  # so many digits that a float may not hold them all
    return _float_of(float(value))


def _float_of(value: Any) -> float:
    if isinstance(value, bool):
        raise Refused("true or false is no number")
    if isinstance(value, Decimal):
        whole = value.is_finite() and 0 <= value.adjusted() < 400 and value == value.to_integral_value()
        value = int(value) if whole else float(value)
    if isinstance(value, int):
        if abs(value) > 2**53 and (value.bit_length() > 1024 or int(float(value)) != value):
            raise Refused("a whole number that a 64-bit float cannot hold exactly")
        return float(value)
    if not isinstance(value, float):
        raise Refused(f"a {type(value).__name__} is no number")
    if not -FLOAT_MAX <= value <= FLOAT_MAX:
        raise Refused("not a finite number")
    return float(value)


def _bool_of_text(value: str) -> bool | None:
    value = value.strip(_BLANKS).lower()
    if not value or value == "nan":
        return None
    if value not in _BOOLS:
        raise Refused("neither true nor false")
    return _BOOLS[value]


def _bool_of(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, int | float | Decimal) and value in (0, 1):
        return bool(value)
    raise Refused("neither true nor false")


def _text_of_value(value: Any) -> str:
    """Write what has one plain way of writing: a truth value, a whole number (a column of codes)."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float | Decimal):
        whole = value if isinstance(value, int) else _whole_of(value)
        if isinstance(value, float) and abs(value) > 2**53:
            raise Refused("a number too large to be written one way: give text")
        if not INT_MIN <= whole <= INT_MAX:
            raise Refused("beyond 64-bit whole numbers: give text")
        return str(int(whole))
    raise Refused(f"a {type(value).__name__} is no text")


def _plain_time(value: str) -> str:
    """Bring ISO 8601 text to the one form that every Python reads alike; too fine a fraction is refused."""
    match = _TIME.fullmatch(value)
    if match is None:
        raise Refused("not a timestamp: write it as 2026-03-01 or 2026-03-01T12:30:00Z")
    if match["clock"] is None:
        return match["date"]
    fraction = (match["fraction"] or "").rstrip("0")
    if len(fraction) > 6 or (fraction and match["seconds"] is None):
        raise Refused("finer than a microsecond")
    zone = (match["zone"] or "").upper()
    if len(zone) == 5 and zone[3] != ":":
        zone = f"{zone[:3]}:{zone[3:]}"
    clock = f"{match['clock']}{match['seconds'] or ''}{':00:00'}"[:8]
    return f"{match['date']}T{clock}.{fraction:0<6}{zone}"


def _from_numpy(value: Any) -> Any:
    """Turn a NumPy scalar into Python's own; a datetime64 keeps its microseconds."""
    if value.__class__.__name__ != "datetime64":
        return value.item() if value.ndim == 0 else value
    micro = value.astype("datetime64[us]")
    if micro.item() is None:
        return None
    if micro != value:
        raise Refused("finer than a microsecond")
    if not isinstance(micro.item(), datetime):
        raise Refused("outside the years 1 to 9999 in UTC")
    return micro.item()


def _from_pandas(value: Any) -> datetime:
    """Turn a datetime of another make (pandas' carries nanoseconds) into Python's own."""
    if getattr(value, "nanosecond", 0):
        raise Refused("finer than a microsecond")
    clock = (value.hour, value.minute, value.second, value.microsecond)
    return datetime(value.year, value.month, value.day, *clock, tzinfo=value.tzinfo, fold=value.fold)


def _is_missing_mark(value: Any) -> bool:
    """Tell pandas' NA and NaT and a decimal NaN, without importing anything."""
    return type(value).__name__ in ("NAType", "NaTType") or (isinstance(value, Decimal) and value.is_nan())


_FROM_TEXT: dict[str, Callable[[str], Any]] = {
    "int": _int_of_text,
    "float": _float_of_text,
    "bool": _bool_of_text,
    "category": text_of,
    "text": text_of,
    "timestamp": time_of_text,
}
_FROM_VALUE: dict[str, Callable[[Any], Any]] = {
    "int": _int_of,
    "float": _float_of,
    "bool": _bool_of,
    "category": _text_of_value,
    "text": _text_of_value,
    "timestamp": time_of,
}
