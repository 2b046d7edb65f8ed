"""Typed reading of one YAML document: a getter gives a value of its kind, or notes a problem at its place."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from rules.errors import Problem, nearest
from rules.reader import Document

Path = tuple[str | int, ...]
_KINDS: dict[type, str] = {str: "text", int: "a whole number", float: "a number", bool: "true or false"}


class Form:
    """One document being read; `problems` grows as places are found wrong."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.problems: list[Problem] = []

    def problem(self, path: Path, message: str, hint: str = "", *, key: bool = False) -> None:
        """Note a problem at the value (or the key) of `path`."""
        self.problems.append(self.document.problem(path, message, hint, key=key))

    def mapping(
        self, path: Path, parent: Mapping[str, Any], known: Iterable[str] | None = None
    ) -> dict[str, Any]:
        """The mapping at `path`; empty where absent. With `known`, other keys are refused."""
        value = parent.get(path[-1]) if path else parent
        if value is None:
            return {}
        if not isinstance(value, Mapping):
            self.problem(path, f"expected keys with values here, got {_shown(value)}")
            return {}
        self.known_keys(path, value, known)
        return {key: item for key, item in value.items() if isinstance(key, str)}

    def known_keys(self, path: Path, value: Mapping[Any, Any], known: Iterable[str] | None) -> None:
        """Refuse keys outside `known`, and keys that are no text at all."""
        names = None if known is None else tuple(known)
        for key in value:
            if not isinstance(key, str):
                self.problem(
                    (*path, key), f"a key must be text, got {_shown(key)}", "put it in quotes", key=True
                )
            elif names is not None and key not in names:
                self.problem((*path, key), f"unknown key '{key}'", nearest(key, names), key=True)

    def text(self, path: Path, parent: Mapping[str, Any], default: str | None = None) -> str | None:
        """The non-empty text at `path`, or the default where it is absent."""
        value = parent.get(path[-1])  # type: ignore[call-overload]
        if value is None:
            return default
        if not isinstance(value, str) or not value.strip():
            self.problem(path, f"expected text, got {_shown(value)}", _quote(value))
            return default
        return value

    def number(
        self,
        path: Path,
        parent: Mapping[str, Any],
        default: float,
        *,
        low: float,
        high: float,
        whole: bool = False,
    ) -> float:
        """The number at `path` within [low, high], or the default where it is absent."""
        value = parent.get(path[-1])  # type: ignore[call-overload]
        if value is None:
            return default
        kinds: tuple[type, ...] = (int,) if whole else (int, float)
        if isinstance(value, bool) or not isinstance(value, kinds) or not low <= value <= high:
            wanted = _KINDS[int if whole else float]
            self.problem(path, f"expected {wanted} from {low:g} to {high:g}, got {_shown(value)}")
            return default
        return value

    def choice(self, path: Path, parent: Mapping[str, Any], choices: tuple[str, ...], default: str) -> str:
        """One of `choices` at `path`, or the default where it is absent."""
        value = self.text(path, parent, default)
        if value is not None and value not in choices:
            self.problem(path, f"unknown {path[-1]} '{value}'", f"one of {', '.join(choices)}")
            return default
        return value or default

    def texts(self, path: Path, parent: Mapping[str, Any], default: tuple[str, ...] = ()) -> tuple[str, ...]:
        """The list of distinct texts at `path`, or the default where it is absent."""
        value = parent.get(path[-1])  # type: ignore[call-overload]
        if value is None:
            return default
        if not isinstance(value, list):
            self.problem(path, f"expected a list, got {_shown(value)}", "write it as [a, b]")
            return default
        kept: list[str] = []
        for index, item in enumerate(value):
            if not isinstance(item, str) or not item:
                self.problem((*path, index), f"expected text, got {_shown(item)}", _quote(item))
            elif item in kept:
                self.problem((*path, index), f"'{item}' is listed twice")
            else:
                kept.append(item)
        return tuple(kept)


def _quote(value: Any) -> str:
    return f"put it in quotes: '{value}'" if isinstance(value, int | float) else ""


def _shown(value: Any) -> str:
    """A value as an author would recognise it, kept short."""
    if value is None:
        return "nothing"
    if isinstance(value, Mapping):
        return "keys with values"
    if isinstance(value, list):
        return "a list"
    if isinstance(value, bool):
        return "true" if value else "false"
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
