"""Typed reading of project.yaml: a getter gives a value of its kind, a default, or notes a problem."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from rules.errors import nearest
from rules.form import Form as Checks
from rules.form import Path, shown


class Form(Checks):
    """One document being read; `problems` grows as places are found wrong.

    Every getter takes the path of a value and the mapping it is in; an absent value gives the default.
    """

    def section(
        self, path: Path, parent: Mapping[Any, Any], keys: tuple[str, ...] | None = None
    ) -> dict[str, Any]:
        """The mapping at `path`, empty where absent. With `keys`, others are refused."""
        value = parent.get(path[-1])
        if value is None:
            return {}
        return dict(self.mapping(path, value, keys))

    def name(self, path: Path, parent: Mapping[Any, Any], default: str = "") -> str:
        """The text at `path`, which must not be empty."""
        value = parent.get(path[-1])
        if value is None:
            return default
        if isinstance(value, str) and not value.strip():
            self.note(path, f"'{path[-1]}' must not be empty", "write it, or leave the key out")
            return default
        if not isinstance(value, str):
            self.wrong(path, f"'{path[-1]}'", "text", value, _quoted(value))
            return default
        return value

    def number(
        self,
        path: Path,
        parent: Mapping[Any, Any],
        default: float,
        *,
        between: tuple[float, float],
        whole: bool = False,
    ) -> float:
        """The number at `path`, within bounds."""
        value: Any = parent.get(path[-1])
        if value is None:
            return default
        low, high = between
        numeric = type(value) is int or (type(value) is float and not whole)
        if not numeric or not low <= value <= high:
            wanted = f"a {'whole ' if whole else ''}number from {low:g} to {high:g}"
            self.wrong(path, f"'{path[-1]}'", wanted, value)
            return default
        return float(value) if not whole else value

    def one_of(self, path: Path, parent: Mapping[Any, Any], choices: tuple[str, ...], default: str) -> str:
        """One of `choices`, at `path`."""
        value = parent.get(path[-1])
        return default if value is None else self.choice(path, value, choices)

    def names(self, path: Path, parent: Mapping[Any, Any], default: tuple[str, ...] = ()) -> tuple[str, ...]:
        """The list of distinct texts at `path`."""
        value = parent.get(path[-1])
        if value is None:
            return default
        kept: list[str] = []
        for index, item in enumerate(self.sequence(path, value)):
            if not isinstance(item, str) or not item:
                self.note((*path, index), f"expected text, got {shown(item)}", _quoted(item))
            elif item in kept:
                self.note((*path, index), f"'{item}' is listed twice")
            else:
                kept.append(item)
        return tuple(kept)

    def known(self, path: Path, what: str, value: str, names: Iterable[str], *, key: bool = False) -> None:
        """Note a problem where `value` is none of `names`."""
        names = tuple(names)
        if value not in names:
            self.note(path, f"unknown {what} '{value}'", nearest(value, names), key=key)


def _quoted(value: Any) -> str:
    return f"put it in quotes: '{value}'" if isinstance(value, int | float) else ""
