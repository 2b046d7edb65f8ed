"""Principal reasons beside the decisions of a table or a file: those of the records, where asked for."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
import pytest

from engine.errors import InputError
from engine.explain import explain_record
from engine.score import score_file
from engine.tables import decide_table
from tests.engine.core.explained import explained_runtime
from tests.engine.core.tiny import NOW, runtime, table

ROWS = table(120, 11)
ADVERSE = ("decline", "review")


def expected() -> list[list[str] | None]:
    found: list[list[str] | None] = []
    for record in ROWS.to_pylist():
        told = explain_record(explained_runtime(), record, now=NOW)
        codes = [reason.code for reason in told.adverse_reasons()]
        found.append(codes if told.decision.outcome in ADVERSE else None)
    return found


def test_a_table_has_the_reasons_that_its_records_have() -> None:
    """Those of `explain`, at most four, in their order; null where the outcome is not adverse."""
    told = decide_table(explained_runtime(), ROWS, reasons_for=ADVERSE, now=NOW)
    reasons = told["adverse_reasons"].to_pylist()
    assert reasons == expected()
    assert None in reasons
    assert all(1 <= len(one) <= 4 for one in reasons if one is not None)
    plain = decide_table(explained_runtime(), ROWS, now=NOW)
    assert told.drop_columns("adverse_reasons").equals(plain)


def test_refused_rows_have_none_and_an_empty_table_has_the_column() -> None:
    """What stays in its place without a decision has no reasons."""
    broken = ROWS.slice(0, 3).set_column(1, "amount", pa.array([-1.0, 5.0, 5.0]))
    kept = decide_table(explained_runtime(), broken, on_reject="keep", reasons_for=ADVERSE, now=NOW)
    assert kept["adverse_reasons"].to_pylist()[0] is None
    none = decide_table(explained_runtime(), ROWS.slice(0, 0), reasons_for=ADVERSE, now=NOW)
    assert none["adverse_reasons"].to_pylist() == []


@pytest.mark.parametrize("extension", [".parquet", ".csv", ".jsonl"])
@pytest.mark.parametrize("keep", [False, True])
def test_a_scored_file_has_them_too(tmp_path: Path, extension: str, keep: bool) -> None:
    """In every format; codes are joined by | in CSV, as other lists are."""
    source, target = tmp_path / "in.parquet", tmp_path / f"out{extension}"
    pq.write_table(ROWS, source)
    score_file(explained_runtime(), source, target, keep=keep, reasons_for=ADVERSE, now=NOW)
    if extension == ".parquet":
        found = pq.read_table(target)["adverse_reasons"].to_pylist()
    elif extension == ".csv":
        texts = pacsv.read_csv(target)["adverse_reasons"].to_pylist()
        found = [text.split("|") if text else None for text in texts]
    else:
        found = [json.loads(line)["adverse_reasons"] for line in target.read_text().splitlines()]
    assert found == expected()


def test_an_outcome_that_there_is_not_is_refused() -> None:
    """With the one that was meant; and a bundle that keeps no reference rows, with what keeps them."""
    with pytest.raises(InputError, match="reasons for 'declin': no such outcome; did you mean 'decline'"):
        decide_table(explained_runtime(), ROWS, reasons_for=["declin"], now=NOW)
    with pytest.raises(InputError, match="keeps no reference rows"):
        decide_table(runtime(), ROWS, reasons_for=["decline"], now=NOW)


@pytest.mark.parametrize(
    ("given", "got"),
    [
        ("review", "got 'review'; as ['"),
        (5, "got 5; "),
        (None, "got nothing; "),
        ([None], "got nothing in it; "),
        (["review", 3], "got 3 in it; "),
        ({"review": 1}, "got keys and values; "),
    ],
)
def test_what_is_no_list_of_outcomes_is_refused(given: Any, got: str) -> None:
    """Of a table and of a file, before a row is read."""
    with pytest.raises(InputError) as told:
        decide_table(explained_runtime(), ROWS, reasons_for=given, now=NOW)
    assert str(told.value).startswith(f"reasons_for is a list of outcomes, {got}")
    with pytest.raises(InputError, match="reasons_for is a list of outcomes"):
        score_file(explained_runtime(), Path("in.csv"), Path("out.csv"), reasons_for=given, now=NOW)
