"""Parts that conditions share are computed once for a record, when they are first asked for."""

from __future__ import annotations

from typing import Any

import pytest

from rules import scalar
from rules.cel import Checker
from rules.expression import Variable
from rules.functions import SCOPE
from rules.generated import generate_condition, generate_conditions, generate_part
from rules.sharing import Sharing

CHECKER = Checker([Variable("memo", "string"), Variable("country", "string"), Variable("amount", "double")])


@pytest.mark.parametrize("few", [32, 0], ids=["one function", "an index"])
def test_a_shared_part_is_computed_once_or_never(few: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Twenty conditions lower a text once, and not at all where each has a false side."""
    calls: list[str] = []

    def forget() -> None:
        for generate in (generate_condition, generate_conditions, generate_part):
            generate.cache_clear()

    def lower(text: str) -> str:
        calls.append(text)
        return text.lower()

    monkeypatch.setattr(scalar, "FEW", few)
    monkeypatch.setitem(SCOPE, "lower_ascii", lower)
    forget()
    texts = [f"country == 'FR' && memo.lowerAscii().contains('{number}')" for number in range(20)]
    function = scalar.compile_conditions([CHECKER.check(text) for text in texts])
    forget()
    assert function({"country": "FR", "memo": "A 1 7"}) == ([1, 7], [])
    assert calls == ["A 1 7"]
    assert function({"country": "FR", "memo": None}) == ([], list(range(20)))
    assert function({"country": "FR"}) == ([], list(range(20)))
    assert function({"country": "GB", "memo": "A 1"}) == ([], [])
    assert calls == ["A 1 7"]


def test_what_is_dear_and_repeated_is_shared() -> None:
    """Not names, constants and plain comparisons; the inner part before the outer."""

    def parts(*texts: str) -> list[Any]:
        return [part.overload for part in Sharing([CHECKER.check(text).node for text in texts]).parts]

    assert parts("amount > 1.0", "amount > 1.0 && country == 'FR'") == []
    assert parts("memo.trim() == 'a'", "memo.trim() == 'b'") == ["string_trim"]
    assert parts("memo.trim() == 'a'", "memo.trim() == 'a' || amount > 1.0") == ["equals"]
    assert parts("size(memo.trim()) > 1", "size(memo.trim()) > 2", "memo.trim() == ''") == [
        "string_trim",
        "size_string",
    ]
