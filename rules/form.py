"""Typed reading of a YAML document: every value is of the asked kind, or a problem is noted at its place."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from rules.errors import MOST_TOLD, Problem, nearest
from rules.functions.clock import parse_timestamp
from rules.reader import Document

Path = tuple[str | int, ...]

_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
# Reason codes and tags are joined by '|' where a format has no lists.
CODE = re.compile(r"[^|\s](?:[^|\n\t]{0,198}[^|\s])?")
# How a mapping is written, by its key.
_AS = {
    "cap": "as cap: {fraud: 0.3}",
    "floor": "as floor: {fraud: 0.9}",
    "rollout": "as rollout: {percent: 10, key: account_id}",
    "effective": "as effective: {from: 2026-11-01, until: 2027-01-01}",
    "given": "as given: {amount: 10}",
}
_TRUTHS = {**dict.fromkeys(("yes", "on"), "write true"), **dict.fromkeys(("no", "off"), "write false")}


class Form:
    """One document being read; a getter that notes a problem gives a value that stands for nothing."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.problems: list[Problem] = []
        self._wrong: list[Path] = []

    def note(self, path: Path, message: str, hint: str = "", *, key: bool = False) -> None:
        if self._enough:
            return
        self.problems.append(self.document.problem(path, message, hint, key=key))
        self._wrong.append(path)

    @property
    def _enough(self) -> bool:
        """Whether there are more problems than are told."""
        return len(self.problems) > MOST_TOLD + 1

    def unread(self, path: Path, since: int = 0) -> frozenset[str]:
        """Give the keys of the mapping at `path` that something is wrong with, from the n-th problem on."""
        depth = len(path)
        wrong = (one for one in self._wrong[since:] if len(one) > depth and one[:depth] == path)
        return frozenset(str(one[depth]) for one in wrong)

    def needs(
        self, path: Path, row: Mapping[str, Any], key: str, keys: tuple[str, ...], what: str, hint: str = ""
    ) -> None:
        """Note that a key is missing, unless one that is mistyped stands for it: that has been said."""
        if key not in row and not mistyped(row, (key,), keys):
            self.note(path, f"{what} needs '{key}'", hint)

    def mapping(
        self, path: Path, value: Any, keys: tuple[str, ...] | None, *, what: str = ""
    ) -> Mapping[str, Any]:
        if not isinstance(value, dict):
            hint = _AS.get(str(path[-1]), "") if path and not what else ""
            if not path and isinstance(value, list):
                hint = "write the key that the list belongs to above it, as 'rules:'"
            self.wrong(path, what or _quoted(path), "keys and values", value, hint)
            return {}
        for key in value:
            if keys is not None and key not in keys and not self._enough:
                self.note((*path, key), f"unknown key '{key}'", nearest(key, keys), key=True)
        return value

    def sequence(self, path: Path, value: Any) -> list[Any]:
        if not isinstance(value, list):
            hint = "begin each item with '- '" if isinstance(value, dict) else ""
            if isinstance(value, str) and value.strip():
                hint = f"as [{value.strip()}]" if len(value) <= 60 else "put its items into [ ]"
            self.wrong(path, _quoted(path), "a list", value, hint)
            return []
        return value

    def text(self, path: Path, value: Any) -> str:
        if not isinstance(value, str):
            hint = "put it in quotes" if isinstance(value, bool | int | float) else ""
            self.wrong(path, _quoted(path), "text", value, hint)
            return ""
        return value

    def word(self, path: Path, value: Any) -> str:
        """Give a text that is not empty."""
        text = self.text(path, value)
        if value == "":
            self.note(path, f"{_quoted(path)} is empty")
        return text

    def expression(self, path: Path, value: Any) -> str:
        """Give a condition's text; a bare `true` or `false` is one, and a condition of nothing is refused."""
        if isinstance(value, bool):
            return "true" if value else "false"
        if isinstance(value, list | dict):
            hint = "put the expression in quotes, or on its own line after '|'"
            self.wrong(path, _quoted(path), "text", value, hint)
            return ""
        text = self.text(path, value) if value is not None else ""
        if not text.strip() and (value is None or isinstance(value, str)):
            self.note(path, f"{_quoted(path)} is empty", "write a condition; 'true' always holds")
        return text

    def choice(self, path: Path, value: Any, choices: tuple[str, ...]) -> str:
        if value not in choices:
            self.wrong(path, _quoted(path), f"one of {', '.join(choices)}", value)
            return choices[0]
        return str(value)

    def whole(self, path: Path, value: Any) -> int:
        if not isinstance(value, int) or isinstance(value, bool):
            self.wrong(path, _quoted(path), "a whole number", value)
            return 0
        return value

    def truth(self, path: Path, value: Any) -> bool:
        if not isinstance(value, bool):
            hint = _TRUTHS.get(str(value).lower(), "")
            self.wrong(path, _quoted(path), "true or false", value, hint)
            return False
        return value

    def moment(self, path: Path, value: Any) -> int | None:
        """Give a day's first moment, or a time with its zone, as microseconds since the epoch, UTC."""
        moment = read_moment(value) if isinstance(value, str) else None
        if moment is None:
            wanted = "a day as 2026-11-01 or a time as 2026-11-01T12:00:00Z"
            self.wrong(path, _quoted(path), wanted, value)
        return moment

    def matching(self, path: Path, value: Any, pattern: re.Pattern[str], what: str) -> str:
        text = self.text(path, value)
        if isinstance(value, str) and not pattern.fullmatch(text):
            self.note(path, f"{_quoted(path)} may hold {what} only, got {shown(value)}")
        return text

    def code(self, path: Path, value: Any) -> str:
        return self.matching(path, value, CODE, "one line of up to 200 characters without '|'")

    def codes(self, path: Path, value: Any) -> tuple[str, ...]:
        if not isinstance(value, list):
            return (self.code(path, value),)
        return tuple(dict.fromkeys(self.code((*path, index), one) for index, one in enumerate(value)))

    def bounds(self, path: Path, value: Any) -> dict[str, float]:
        bounds = {}
        for score, bound in self.mapping(path, value, None).items():
            if isinstance(bound, bool) or not isinstance(bound, int | float) or not 0.0 <= bound <= 1.0:
                self.wrong((*path, score), f"{_quoted(path)} of '{score}'", "a number from 0 to 1", bound)
            else:
                bounds[score] = float(bound)
        if value == {}:
            self.note(path, f"{_quoted(path)} is empty", "as {fraud: 0.3}")
        return bounds

    def wrong(self, path: Path, what: str, wanted: str, got: Any, hint: str = "") -> None:
        self.note(path, f"{what} must be {wanted}, got {shown(got)}", hint)


def read_moment(text: str) -> int | None:
    """Give a day's first moment, or a time with its zone, as microseconds since the epoch, UTC."""
    return parse_timestamp(f"{text}T00:00:00Z" if _DAY.fullmatch(text) else text)


def mistyped(row: Mapping[str, Any], wanted: Iterable[str], keys: tuple[str, ...]) -> bool:
    """Say whether a key that is none of `keys` was meant for one of those wanted."""
    hints = tuple(f"did you mean '{key}'?" for key in wanted)
    return any(key not in keys and nearest(str(key), keys).startswith(hints) for key in row)


def _quoted(path: Path) -> str:
    names = [step for step in path if isinstance(step, str)]
    return f"'{names[-1]}'" if names else "the file"


def shown(value: Any) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, dict):
        return "keys and values"
    if isinstance(value, list):
        return "a list"
    if isinstance(value, bool):
        return "true" if value else "false"
    text = f"'{value}'" if isinstance(value, str) else str(value)
    return text if len(text) <= 60 else text[:57] + "…'"
