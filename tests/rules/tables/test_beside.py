"""Rows of a table beside one another, and how often a check cuts a table into pieces."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rules import table_beside
from rules.analysis import analyse
from rules.check import check_rules
from rules.expression import Variable
from rules.pieces import Pieces
from rules.table_domain import Domain

VARIABLES = (Variable("count", "int"), Variable("tier", "string"))
CELLS = {
    "count": st.one_of(
        st.just("-"),
        st.integers(0, 40).map(str),
        st.tuples(st.sampled_from(["<", ">=", "!="]), st.integers(0, 40)).map(
            lambda one: f"{one[0]} {one[1]}"
        ),
        st.tuples(st.integers(0, 30), st.integers(1, 9)).map(lambda one: f"[{one[0]}..{one[0] + one[1]})"),
        st.sampled_from(["not(3, 7)", "< 5, > 30", "1, 2"]),
    ),
    "tier": st.sampled_from(["-", "a", "b", "c", "not(a)", "a, c"]),
}
ROWS = st.lists(st.fixed_dictionaries(CELLS), min_size=1, max_size=40)


def checked(rows: list[dict[str, str]], policy: str = "first") -> Any:
    lines = [f"tables:\n  - {{id: t, hit_policy: {policy}, inputs: [count, tier], file: lists/t.csv}}\n"]
    sheet = [
        "id,count,tier,decide",
        *(f'r{n},"{one["count"]}","{one["tier"]}",review' for n, one in enumerate(rows)),
    ]
    return check_rules(
        {"rules/t.yaml": "".join(lines).encode()},
        variables=VARIABLES,
        scores=(),
        outcomes=("approve", "review"),
        read_list={"lists/t.csv": "\n".join(sheet).encode()}.__getitem__,
    )


@given(ROWS, st.sampled_from([0, 16]), st.sampled_from([1, 100, table_beside.MEMORY]))
@settings(max_examples=100)
def test_rows_are_beside_each_other_where_every_column_has_a_common_piece(
    rows: list[dict[str, str]], few: int, memory: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(table_beside, "FEW", few)
        patch.setattr(table_beside, "MEMORY", memory)
        found = checked(rows)
        domain = Domain(found.tables[0], VARIABLES, found.list_entries)
        assert domain.beside is not None
        for row in range(domain.rows):
            expected = sum(
                1 << other
                for other in range(domain.rows)
                if all(one.common(one.cells[row], one.cells[other]) for one in domain.columns)
            )
            assert domain.beside.of(row) == expected


@pytest.mark.parametrize("policy", ["first", "unique", "priority"])
def test_a_check_cuts_each_input_of_a_table_once(policy: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is asked of a table shares the pieces of its inputs: overlaps, gaps, rows that never win."""
    cut: list[int] = []
    lay_out = Pieces._lay_out
    monkeypatch.setattr(Pieces, "_lay_out", lambda self, groups: (cut.append(1), lay_out(self, groups))[1])
    analyse(checked([{"count": f"[{at}..{at + 2})", "tier": "a"} for at in range(50)], policy))
    assert len(cut) == 2
