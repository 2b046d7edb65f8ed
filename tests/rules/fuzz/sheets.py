"""CSV sheets of decision tables, from their own pieces: most are no tables, many nearly."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

_NUMBERS = ["-", "> 1", "<= 2.5", "[1..5)", "(0..1]", "1, 2, 3", "not(1, 2)", "7", "null"]
_TEXTS = ["-", "'GB'", "'GB', 'FR'", "not('GB')", "in listed", "not in listed", "null", "not(null)"]
GOOD = {
    "amount": _NUMBERS,
    "count": ["-", "> 1", "<= 2", "[1..5]", "(1..9)", "3", "1, 2", "9223372036854775807"],
    "country": _TEXTS,
    "memo": [*_TEXTS, "'a,b'", '"a"', "'é'"],
    "is_new": ["-", "true", "false", "null"],
    "event_time": ["-", "> timestamp('2026-01-01T00:00:00Z')", "null"],
    "decide": ["approve", "review", "block"],
    "reason": ["R", ""],
    "tag": ["t", ""],
    "floor.fraud": [""],
    "effective.from": ["2026-01-01", ""],
}
INPUTS = tuple(GOOD)[:6]
ODD = [
    *("", "(1..1)", "[5..1]", "[..]", "GB", "in nowhere", "9223372036854775808", "1e309", "?", "'", "''"),
    *("((((((", "1..", "..", "[", "\u0660", "\ufeff", "a" * 300, "reviw", "a|b", "nan", "-1"),
]
ENDS = st.sampled_from(["\n", "\n", "\n", "\r\n", "\r", "\n\n"])


@st.composite
def sheets(draw: st.DrawFn) -> tuple[bytes, dict[str, Any]]:
    """Draw a sheet, and the table that names it."""
    policy = draw(st.sampled_from(["unique", "first", "priority", "collect"]))
    inputs = draw(st.lists(st.sampled_from(INPUTS), min_size=1, max_size=3, unique=True))
    others = draw(st.lists(st.sampled_from([*GOOD][7:]), max_size=2, unique=True))
    count = draw(st.sampled_from([0, 1, 2, 2, 3, 3, 4]))
    columns = {"id": [f"r{number}" for number in range(count)]}
    for name in ["decide", *inputs, *others]:
        columns[name] = draw(st.lists(st.sampled_from(GOOD[name]), min_size=count, max_size=count))
    priorities = draw(st.permutations(range(1, count + 1)))
    if policy == "priority":
        columns["priority"] = [str(one) for one in priorities]
    header = draw(st.permutations([*columns]))
    rows = [list(header), *([columns[name][place] for name in header] for place in range(count))]
    for _ in range(draw(st.sampled_from([0, 0, 0, 0, 1, 2]))):
        row = draw(st.sampled_from(rows))
        row[draw(st.integers(0, len(row) - 1))] = draw(st.sampled_from(ODD))
    end = draw(ENDS)
    data = "".join(",".join(map(_quoted, row)) + end for row in rows).encode()
    for _ in range(draw(st.sampled_from([0, 0, 0, 0, 1, 2]))):
        at = draw(st.integers(0, len(data)))
        data = data[:at] + draw(st.sampled_from([b'"', b",", b"\n", b";", b"\0", b"\xff", b"\t"])) + data[at:]
    unknown = draw(st.sampled_from(["skip", "fire", "review"]))
    return data, {
        "id": "t", "hit_policy": policy, "inputs": inputs, "file": "lists/t.csv", "on_unknown": unknown,
    }  # fmt: skip


def _quoted(cell: str) -> str:
    return '"' + cell.replace('"', '""') + '"' if "," in cell or '"' in cell else cell
