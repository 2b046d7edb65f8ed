"""What can be wrong with rules, and where: problems with a place, and the errors that carry them.

RulesError (ValueError)
├── CheckFailed           rule files with problems, all of them, in file order
├── ExpressionProblems    one expression with problems, placed within its own text
└── UnreadableExpression  checked bytes that are no expression of ours: truncated, hostile, or newer
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from difflib import get_close_matches
from functools import lru_cache

from rules.lookalikes import first_lookalike, plain

NAMES_SHOWN = 12
WIDTH_SHOWN = 160
MOST_TOLD = 500
"""Problems told at once: nobody reads more, and hostile files have any number."""


@dataclass(frozen=True, order=True)
class Problem:
    """One thing wrong in one file.

    `line` and `column` count from 1 in characters; `source` is the line itself, shown with a caret.
    """

    file: str
    line: int
    column: int
    message: str
    hint: str = ""
    source: str = ""

    def __str__(self) -> str:
        text = f"{self.file}:{self.line}:{self.column}: {self.message}"
        if self.hint:
            text += f"; {self.hint}"
        return text + excerpt(self.source, self.column) if self.source.strip() else text


class RulesError(ValueError):
    """Something about rules that cannot be used as given."""


class CheckFailed(RulesError):
    """Rule files with problems: every problem of every file, in file order, up to `MOST_TOLD`."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = _told(sorted(set(problems)))
        super().__init__("\n".join(str(problem) for problem in self.problems))


@dataclass(frozen=True, order=True)
class ExpressionProblem:
    """One thing wrong in one expression; `line` and `column` count from 1 within its text."""

    line: int
    column: int
    message: str
    hint: str = ""

    def __str__(self) -> str:
        text = f"{self.line}:{self.column}: {self.message}"
        return f"{text}; {self.hint}" if self.hint else text


class ExpressionProblems(RulesError):
    """An expression that does not check: every problem found, in the order of the text."""

    def __init__(self, text: str, problems: Iterable[ExpressionProblem]) -> None:
        self.text = text
        self.problems = tuple(sorted(problems))
        super().__init__("\n".join(str(problem) for problem in self.problems))


class UnreadableExpression(RulesError):
    """Checked bytes that do not hold an expression this version can evaluate."""


def _told(problems: list[Problem]) -> tuple[Problem, ...]:
    """Give the first MOST_TOLD; one more, where the next stands, says that there are others."""
    if len(problems) <= MOST_TOLD + 1:
        return tuple(problems)
    more = f"from here on there are more problems than the {MOST_TOLD} above"
    following = replace(problems[MOST_TOLD], message=more, hint="mend those first")
    return (*problems[:MOST_TOLD], following)


def nearest(name: str, names: Iterable[str]) -> str:
    """Give the hint for a name that is not there: the nearest known one, else what is known.

    >>> nearest("incme", ["income", "age"])
    "did you mean 'income'?"
    >>> nearest("zzz", ["income", "age"])
    'known: age, income'
    """
    return _nearest(name, tuple(sorted(set(names))))


@lru_cache(4096)
def _nearest(name: str, known: tuple[str, ...]) -> str:
    if not name.isascii() and (meant := plain(name)) in known:
        return f"did you mean '{meant}'? {first_lookalike(name)}"
    close = get_close_matches(name, known, n=1, cutoff=0.7) or [k for k in known if k.lower() == name.lower()]
    begun = sorted((k for k in known if len(name) > 3 and k.startswith(f"{name}_")), key=len)
    if begun and not get_close_matches(name, known, n=1, cutoff=0.9):
        close = begun
    if close:
        return f"did you mean '{close[0]}'?"
    if not known:
        return ""
    shown = ", ".join(known[:NAMES_SHOWN])
    return f"known: {shown}, … ({len(known)} in all)" if len(known) > NAMES_SHOWN else f"known: {shown}"


def excerpt(source: str, column: int) -> str:
    """Show the line under its message, and a caret under the column; a long line is cut around the caret."""
    line = source.rstrip("\r\n")
    at = max(column - 1, 0)
    start = 0 if len(line) <= WIDTH_SHOWN else max(0, at - WIDTH_SHOWN // 2)
    line, at = line[start : start + WIDTH_SHOWN], at - start
    # A tab before the caret stays a tab, so that the caret stands under its character.
    indent = "".join("\t" if character == "\t" else " " for character in line[:at].ljust(at))
    return f"\n    {line}\n    {indent}^"
