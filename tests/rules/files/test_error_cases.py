"""Each folder of `errors/` pins whole messages: rule files that are wrong, and what their author is told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from rules.errors import CheckFailed

FOLDER = Path(__file__).parent / "errors"
CASES = sorted(path.name for path in FOLDER.iterdir())


def messages(check, case: Path) -> str:
    """Check every rule file of a case.

    A first line `# outcomes: …` replaces the project's outcomes; `# event_time: none` leaves it without.
    """
    files = {path.stem: path.read_text("utf-8") for path in sorted(case.glob("*.yaml"))}
    lists = {f"lists/{path.name}": path.read_bytes() for path in sorted(case.glob("lists/*"))}
    first = files["rules"].splitlines()[0]
    others: dict[str, Any] = {}
    if first.startswith("# outcomes:"):
        others["outcomes"] = tuple(first.split()[2:])
    if first == "# event_time: none":
        others["event_time"] = None
    with pytest.raises(CheckFailed) as caught:
        check(files, lists=lists, **others)
    return f"{caught.value}\n"


@pytest.mark.parametrize("case", CASES)
def test_the_author_is_told_all_of_it(check, case: str) -> None:
    """Every problem of every file, in file order, each with its line and a caret."""
    assert (FOLDER / case / "expected.txt").read_text("utf-8") == messages(check, FOLDER / case)


def test_there_are_many_cases() -> None:
    """The folder pins at least twenty kinds of mistake."""
    assert len(CASES) >= 20
