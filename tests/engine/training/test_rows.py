"""Labelled rows are read by the schema; what cannot be used is counted or refused, with the place and what
to try.
"""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from engine.errors import InputError
from engine.project import Project
from engine.training.rows import read_labelled
from tests.engine.training.small_project import small_table, write_project


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    return write_project(Path(tmp_path_factory.mktemp("parcels")))


def with_column(table: pa.Table, name: str, values: list) -> pa.Table:
    return table.set_column(table.column_names.index(name), name, pa.array(values))


def test_rows_that_fit_are_all_there(project: Project) -> None:
    """Every field of the schema in normal form, a code for every label, nothing left out."""
    rows = read_labelled(project, small_table(50), "parcels.parquet")
    assert (rows.rows, rows.rejected, rows.unlabelled, rows.warnings) == (50, 0, 0, ())
    assert rows.fields.schema.names == [field.name for field in project.schema.fields]
    assert set(rows.codes) == {"lost", "size"}


def test_chunks_do_not_matter(project: Project) -> None:
    """A table in many chunks reads as the same table in one."""
    table = small_table(90)
    chunked = pa.concat_tables([table.slice(0, 7), table.slice(7, 0), table.slice(7)])
    one, other = read_labelled(project, table, "a"), read_labelled(project, chunked, "a")
    assert one.fields.equals(other.fields)
    assert one.codes["lost"].tolist() == other.codes["lost"].tolist()


def test_rejected_rows_are_left_out_and_counted(project: Project) -> None:
    """With what was wrong, and codes that still belong to their rows."""
    table = small_table(20)
    stops = table.column("stops").to_pylist()
    spoilt = with_column(table, "stops", [-1, *stops[1:4], None, *stops[5:]])
    rows = read_labelled(project, spoilt, "a")
    assert (rows.rows, rows.rejected) == (18, 2)
    assert rows.problems == {
        "stops: below the minimum 0": 1,
        "stops: missing, and the field is not nullable": 1,
    }
    clean = read_labelled(project, table, "a").codes["size"].tolist()
    assert rows.codes["size"].tolist() == [*clean[1:4], *clean[5:]]


def test_a_row_without_any_label_is_left_out_and_one_with_some_is_kept(project: Project) -> None:
    """Missing labels are counted, and warned of by name."""
    table = small_table(20)
    lost, size = table.column("was_lost").to_pylist(), table.column("size_class").to_pylist()
    table = with_column(table, "was_lost", [None, None, *lost[2:]])
    table = with_column(table, "size_class", [None, *size[1:]])
    rows = read_labelled(project, table, "a")
    assert (rows.rows, rows.unlabelled) == (19, 1)
    assert rows.codes["lost"][0] == -1
    assert rows.warnings == ("label 'lost': missing in 2 of 20 rows", "label 'size': missing in 1 of 20 rows")


def test_a_field_that_is_always_missing_is_kept_with_a_warning(project: Project) -> None:
    """All null, or not in the file at all where the field may be missing."""
    table = small_table(20)
    table = with_column(table, "weight", [None] * 20).drop_columns(["memo"])
    rows = read_labelled(project, table, "a")
    assert rows.rows == 20
    assert rows.warnings == (
        "field 'weight': missing in every row; it is kept, and nothing is learned from it",
        "field 'memo': the file has no such column; it is missing in every row",
    )


def test_an_empty_table_is_refused(project: Project) -> None:
    """The message names the file."""
    with pytest.raises(InputError, match=r"parcels\.csv: no rows"):
        read_labelled(project, small_table(20).slice(0, 0), "parcels.csv")


def test_a_missing_column_is_refused_with_the_nearest_name(project: Project) -> None:
    """A column that every record needs."""
    table = small_table(20).rename_columns(
        ["weight", "stop", "express", "country", "memo", "sent", "was_lost", "size_class"]
    )
    with pytest.raises(InputError, match=r"a\.csv: no column 'stops'.*did you mean 'stop'.*'nullable: true'"):
        read_labelled(project, table, "a.csv")


def test_a_mostly_unreadable_table_is_refused(project: Project) -> None:
    """With counts, the commonest problem and the first row."""
    table = with_column(small_table(20), "stops", [-1] * 15 + [1] * 5)
    message = (
        r"15 of 20 rows do not fit the schema: stops: below the minimum 0 \(15 rows\)\. The first is row 0"
    )
    with pytest.raises(InputError, match=message):
        read_labelled(project, table, "a.csv")
