"""Columns of files that hold no plain values: refused, or left out, by name."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from tests.engine.cli.conftest import Run, loans

NESTED = pa.array([[1, 2]] * 300, pa.list_(pa.int64()))


def nested_label() -> pa.Table:
    table = loans(300)
    return table.set_column(table.column_names.index("bad"), "bad", NESTED)


def test_a_label_that_is_a_list_is_refused_by_fit_and_evaluate(project: Path, run: Run) -> None:
    """Exit 1 with the column and what it holds."""
    pq.write_table(nested_label(), project / "nested.parquet")
    said = "label 'bad' (column 'bad'): a column of list<"
    code, out, err = run("evaluate", project / "nested.parquet", "--project", project)
    assert (code, out) == (1, "")
    assert said in err
    (project / "nested.parquet").rename(project / "loans.parquet")
    code, out, err = run("fit", project)
    assert (code, out) == (1, "")
    assert said in err


def test_a_column_of_lists_to_split_by_is_refused(project: Path, run: Run) -> None:
    """As every value of it would be."""
    pq.write_table(loans(300).append_column("friends", NESTED), project / "loans.parquet")
    text = (project / "project.yaml").read_text()
    (project / "project.yaml").write_text(text.replace("by: random", "by: group, field: friends"))
    code, _, err = run("fit", project)
    assert code == 1
    assert "column 'friends', by which project.yaml splits: a column of list<" in err


def test_init_leaves_out_what_can_be_no_field(tmp_path: Path, run: Run) -> None:
    """Lists and records that are not the label are left out and told of; as the label they are refused."""
    table = loans(300).append_column("friends", NESTED)
    table = table.append_column("home", pa.array([{"town": "Riga"}] * 300))
    pq.write_table(table, tmp_path / "loans.parquet")
    given = ("init", "shop", tmp_path / "shop", "--data", tmp_path / "loans.parquet", "--label")
    code, _, err = run(*given, "friends")
    assert code == 1
    assert "label 'friends' holds lists or records (list<" in err
    code, _, err = run(*given, "bad")
    assert code == 0
    for name in ("friends", "home"):
        assert f"column '{name}' is left out: it holds lists or records (" in err
    assert run("check", tmp_path / "shop")[0] == 0


def test_init_says_of_a_label_without_values_that_it_has_none(tmp_path: Path, run: Run) -> None:
    """Not that it has one."""
    table = loans(30).append_column("late", pa.nulls(30, pa.string()))
    pq.write_table(table, tmp_path / "loans.parquet")
    code, _, err = run("init", "s", tmp_path / "s", "--data", tmp_path / "loans.parquet", "--label", "late")
    assert code == 1
    assert "label 'late' is missing in every row" in err
