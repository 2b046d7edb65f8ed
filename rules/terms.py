"""What is known of operators by their overloads: which comparisons order, and what a term may come out as."""

from __future__ import annotations

WORDS = ("less", "less_equals", "greater", "greater_equals")
ORDERINGS = {
    f"{word}_{suffix}": word
    for word in WORDS
    for suffix in ("int64", "double", "string", "timestamp", "duration")
}
RANGES: dict[str, tuple[int, int | None]] = {
    "timestamp_to_hours": (0, 23),
    "timestamp_to_minutes": (0, 59),
    "timestamp_to_seconds": (0, 59),
    "timestamp_to_milliseconds": (0, 999),
    "timestamp_to_day_of_week": (0, 6),
    "timestamp_to_month": (0, 11),
    "timestamp_to_day_of_month": (0, 30),
    "timestamp_to_day_of_month_1_based": (1, 31),
    "timestamp_to_day_of_year": (0, 365),
    "timestamp_to_year": (1, 9999),
    "size_string": (0, None),
    "string_size": (0, None),
}
"""The least and the greatest whole number that a call gives."""
