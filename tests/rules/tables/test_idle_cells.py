"""Cells whose comparisons, joined by commas, exclude nothing: `>= 5, < 7` holds on every number."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.rules.analysis.told import told

HOLDS: dict[str, Callable[[int, int], bool]] = {
    "": lambda value, bound: value == bound,
    "!=": lambda value, bound: value != bound,
    "<": lambda value, bound: value < bound,
    "<=": lambda value, bound: value <= bound,
    ">": lambda value, bound: value > bound,
    ">=": lambda value, bound: value >= bound,
}
TESTS = st.lists(st.tuples(st.sampled_from(sorted(HOLDS)), st.integers(-1, 10)), min_size=1, max_size=4)


def idle(name: str, *cells: str) -> list[str]:
    """What is said of the cells of a table with one input, one row each."""
    rows = "".join(f'      - {{id: r{place}, n: "{cell}", tag: t}}\n' for place, cell in enumerate(cells))
    head = "tables:\n  - id: t\n    hit_policy: collect\n    owner: us\n"
    return told(f"{head}    inputs: [{{name: n, value: {name}}}]\n    rows:\n{rows}", "out-of-range")


@given(tests=TESTS)
def test_told_are_several_tests_of_which_every_value_meets_one(tests: list[tuple[str, int]]) -> None:
    """The field `n` holds 0 to 9; values alone may name all of them, and one test may bound it as it is."""
    distinct = set(tests)
    several = len(distinct) > 1 and any(how for how, _ in distinct)
    every = all(any(HOLDS[how](value, bound) for how, bound in tests) for value in range(10))
    said = idle("n", ", ".join(f"{how} {bound}" for how, bound in tests))
    assert len(said) == (several and every)


@pytest.mark.parametrize(
    ("name", "cell"),
    [
        ("payments_last_day", ">= 5, < 7"),
        ("payments_last_day", "<= 5, >= 6"),
        ("payments_last_day", ">= 0, 5"),
        ("amount", ">= 5, < 7"),
        ("amount", "< 5, [5..6], > 6"),
        ("country", "!= 'FR', != 'GB'"),
        ("country", "< 'b', >= 'a'"),
        ("tier", "!= 'gold', 'gold'"),
        ("event_time", ">= 2026-01-01, < 2026-02-01"),
    ],
)
def test_a_cell_that_excludes_nothing_is_told(name: str, cell: str) -> None:
    assert len(idle(name, cell)) == 1


@pytest.mark.parametrize(
    ("name", "cell"),
    [
        ("amount", "> 5, < 5"),
        ("amount", ">= 0"),
        ("amount", "-"),
        ("amount", "not(>= 5, < 7)"),
        ("amount * 2.0", ">= 5, < 7"),  # what is worked out may be NaN, which no bound meets
        ("tier", "'gold', 'silver'"),
        ("memo", "null, != null"),
        ("g", "true, false"),
        ("n", "[0..4], [6..9]"),
    ],
)
def test_a_cell_that_excludes_something_or_means_it_is_not_told(name: str, cell: str) -> None:
    assert idle(name, cell) == []


def test_many_such_cells_are_counted() -> None:
    """The first twenty are told, and the last of these says how many there are beside."""
    assert len(idle("n", *(f">= 5, <= {5 + place}, {place}" for place in range(5)))) == 5
    assert len(idle("amount", *(f">= 5, < {6 + place}" for place in range(25)))) == 20
