"""docs/rule-language.md names every function of the operator table, as it is called."""

from __future__ import annotations

from tests.rules.language.function_table import PAGE, written


def test_the_page_has_every_function() -> None:
    """A new function is on the page: `python -m tests.rules.language.function_table` writes it."""
    page = PAGE.read_text("utf-8")
    assert page == written(page)
    assert "string.charAt(int): string" in page
