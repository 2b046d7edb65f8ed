"""Each folder of `findings/` pins what the analysis says, by the code that names the folder."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from rules.analysis import analyse
from rules.check import check_rules
from rules.expression import Variable
from rules.findings import CODES

FOLDER = Path(__file__).parent / "findings"
NOW = datetime(2026, 6, 1, tzinfo=UTC)
CASES = sorted(path.name for path in FOLDER.iterdir())


def said(check, case: str) -> str:
    """Analyse a case's rule file, and give the findings of its code."""
    lists = {f"lists/{path.name}": path.read_bytes() for path in sorted((FOLDER / case).glob("lists/*"))}
    found = analyse(check((FOLDER / case / "rules.yaml").read_text("utf-8"), lists=lists), now=NOW)
    return "".join(f"{finding}\n" for finding in found.findings if finding.code == case)


@pytest.mark.parametrize("case", CASES)
def test_the_author_is_told(check, case: str) -> None:
    """Every finding of the code, in file order, with its line, a caret, and a record where there is one."""
    assert (FOLDER / case / "expected.txt").read_text("utf-8") == said(check, case)


def test_every_code_is_pinned() -> None:
    """A code is a folder."""
    assert set(CODES) == set(CASES)


PAGE = (Path(__file__).parents[3] / "docs" / "rule-language.md").read_text("utf-8")


def test_every_code_is_on_the_page() -> None:
    """The table of docs/rule-language.md has each code once, with its severity."""
    rows = re.findall(r"^\| `([a-z-]+)` \| (error|warning|note) \|", PAGE, re.MULTILINE)
    assert sorted(code for code, _ in rows) == sorted(CODES)


def test_the_page_shows_what_is_found() -> None:
    """The rule file of the page is told what the page says."""
    text, expected = re.findall(r"^```(?:yaml|text) found\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    variables = [Variable("amount", "double", minimum=0), Variable("country", "string")]
    checked = check_rules(
        {"rules/page.yaml": text.encode()},
        variables=variables,
        scores=("fraud",),
        outcomes=("approve", "review", "block"),
        read_list={}.__getitem__,
    )
    assert "".join(f"{finding}\n" for finding in analyse(checked).findings) == expected
