"""The small project that the tests of rule files share, and the one way to check files against it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest

from rules.check import check_rules
from rules.checked_rules import CheckedRules
from rules.expression import Variable

VARIABLES = (
    Variable("amount", "double", minimum=0.0),
    Variable("account_age_days", "int", minimum=0, maximum=1_000_000),
    Variable("count", "int"),
    Variable("country", "string", values=("GB", "FR", "KP", "IR")),
    Variable("device", "string"),
    Variable("is_new", "bool"),
    Variable("at", "timestamp"),
)
SCORES = ("fraud", "grade.a", "grade.b")
OUTCOMES = ("approve", "review", "block")

Check = Callable[..., CheckedRules]


def check_files(
    files: Mapping[str, str | bytes],
    lists: Mapping[str, bytes] | None = None,
    outcomes: tuple[str, ...] = OUTCOMES,
    event_time: str | None = "at",
) -> CheckedRules:
    """Check rule files given by name, as `{"cards": "rules: []"}`."""
    as_bytes = {
        f"rules/{name}.yaml": text if isinstance(text, bytes) else text.encode()
        for name, text in files.items()
    }
    return check_rules(
        as_bytes,
        variables=VARIABLES,
        scores=SCORES,
        outcomes=outcomes,
        read_list=(lists or {}).__getitem__,
        event_time=event_time,
    )


@pytest.fixture(scope="session")
def check() -> Check:
    """Check one file's text, or several by name, against the small project."""

    def check(files: str | Mapping[str, str], **others: object) -> CheckedRules:
        return check_files({"cards": files} if isinstance(files, str) else files, **others)  # type: ignore[arg-type]

    return check
