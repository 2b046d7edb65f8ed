"""What `tandem init` makes of odd tables: keys without a name, moments, classes that read alike."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from engine.project import load_project
from tests.engine.cli.conftest import Run

ROWS = 60
COLUMNS: dict[str, Any] = {
    "x": [row * 0.5 for row in range(ROWS)],
    "uid": [f"u-{row:04x}" for row in range(ROWS)],
    "y": [row % 3 == 0 for row in range(ROWS)],
}


def start(run: Run, tmp_path: Path, columns: dict[str, Any], place: Path | None = None) -> tuple[int, str]:
    """Exit code and stderr of a project made of these columns."""
    pq.write_table(pa.table(columns), tmp_path / "rows.parquet")
    given = (place or tmp_path / "made", "--data", tmp_path / "rows.parquet", "--label", "y")
    code, _, err = run("init", "made", *given)
    return code, err


def test_a_text_that_differs_in_every_row_names_the_record(run: Run, tmp_path: Path) -> None:
    code, err = start(run, tmp_path, COLUMNS)
    assert code == 0
    assert "column 'uid' has another text in every row" in err
    project = load_project(tmp_path / "made")
    assert project.id == "uid"
    assert [field.name for field in project.schema.fields] == ["x"]


def test_where_another_column_names_it_such_a_text_is_left_out(run: Run, tmp_path: Path) -> None:
    code, err = start(run, tmp_path, {"order_id": list(range(ROWS)), **COLUMNS})
    assert code == 0
    assert "it is left out" in err
    project = load_project(tmp_path / "made")
    assert (project.id, [field.name for field in project.schema.fields]) == ("order_id", ["x"])


def test_a_moment_among_the_fields_gives_a_hint_at_a_split_by_time(run: Run, tmp_path: Path) -> None:
    """The hint, put in place, is a project that checks."""
    moments = [f"2026-01-{1 + row // 3:02d}T00:00:00Z" for row in range(ROWS)]
    code, err = start(run, tmp_path, {**COLUMNS, "seen_at": moments})
    assert code == 0
    assert "'by: time, field: seen_at'" in err
    path = tmp_path / "made" / "project.yaml"
    path.write_text(path.read_text().replace("by: random", "by: time, field: seen_at"))
    assert run("check", tmp_path / "made")[0] == 0


def test_classes_whose_scores_would_have_one_name_are_refused(run: Run, tmp_path: Path) -> None:
    """All of them are named, with what to do; no folder is made that could not be checked."""
    code, err = start(run, tmp_path, {**COLUMNS, "y": ["good", "bad", "Bad", "good", "bad", "BAD"] * 10})
    assert code == 1
    assert "its classes 'bad' (20), 'Bad' (10) and 'BAD' (10) would all be called 'bad'" in err
    assert "where they mean the same write them alike in the table" in err
    assert not (tmp_path / "made").exists()


def test_classes_that_differ_in_signs_have_scores_of_their_own(run: Run, tmp_path: Path) -> None:
    """The policy and the example rule speak of one that the project knows."""
    code, _ = start(run, tmp_path, {**COLUMNS, "y": (["A"] * 3 + ["A+"] * 2 + ["A-"]) * (ROWS // 6)})
    assert code == 0
    assert load_project(tmp_path / "made").classifiers["y"].scores == ("y.a", "y.a_plus", "y.a_minus")
    assert "scores.y.a_minus >= 0.8" in (tmp_path / "made" / "project.yaml").read_text()
    assert run("check", tmp_path / "made")[0] == 0


def test_a_file_is_named_as_it_was_given(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    pq.write_table(pa.table(COLUMNS), "rows.parquet")
    code, _, err = run("init", "made", "--data", "rows.parquet", "--label", "z")
    assert code == 1
    assert "no column 'z' in rows.parquet; " in err


def test_the_class_that_a_first_policy_rejects_is_said(run: Run, tmp_path: Path) -> None:
    code, err = start(run, tmp_path, {**COLUMNS, "y": (["a"] * 3 + ["b"] * 2 + ["c"]) * (ROWS // 6)})
    assert code == 0
    assert "the policy rejects c, its rarest class, as an example" in err


def test_an_empty_folder_is_filled_and_a_full_one_left(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also the current one."""
    place = tmp_path / "here"
    place.mkdir()
    monkeypatch.chdir(place)
    assert start(run, tmp_path, COLUMNS, Path())[0] == 0
    assert sorted(path.name for path in place.iterdir()) == [".tandem", "project.yaml", "rules"]
    assert run("check", place)[0] == 0
    code, err = start(run, tmp_path, COLUMNS, Path())
    assert code == 1
    assert "name a folder that is empty" in err
