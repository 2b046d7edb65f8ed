"""What `tandem fit` and `tandem show` say of a model: of which rows, how calibrated, learned or reused."""

from __future__ import annotations

import json
import shutil
from contextlib import redirect_stdout
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import engine
from engine.cli import main
from engine.errors import InputError
from engine.evaluation.report import render
from tests.engine.cli.conftest import Run, loans


@pytest.fixture(scope="module")
def two_labels(fitted: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project of two labels, one of several classes, and a test file; `fit.out` is what fitting said."""
    root = tmp_path_factory.mktemp("two") / "loans"
    shutil.copytree(fitted, root)
    pq.write_table(of_two_labels(600).slice(0, 450), root / "loans.parquet")
    pq.write_table(of_two_labels(600).slice(450), root / "test.parquet")
    path = root / "project.yaml"
    text = path.read_text().replace("{train: loans.parquet}", "{train: loans.parquet, test: test.parquet}")
    text = text.replace("\nembedding:", "\n  kind: {column: kind, classes: [late, lost, paid]}\nembedding:")
    path.write_text(text.replace("\npolicy:", "\n  kind: {label: kind, candidates: [logistic]}\npolicy:"))
    with (root / "fit.out").open("w") as said, redirect_stdout(said):
        assert main(["fit", str(root)]) == 0
    return root


def of_two_labels(rows: int, seed: int = 7) -> pa.Table:
    kinds = np.array(["late", "lost", "paid"])[np.arange(rows) % 3]
    return loans(rows, seed).append_column("kind", pa.array(kinds))


def test_value_is_of_the_same_labelled_rows_in_every_column(
    two_labels: Path, tmp_path: Path, run: Run
) -> None:
    """A row without the label that it is worth something by counts in none, also where it is acted on."""
    table = of_two_labels(200, seed=9)
    blanked = [None if place < 60 else bad for place, bad in enumerate(table["bad"].to_pylist())]
    at = table.column_names.index("bad")
    pq.write_table(table.set_column(at, "bad", pa.array(blanked, pa.bool_())), tmp_path / "some.parquet")
    pq.write_table(table.slice(60), tmp_path / "known.parquet")

    def values(file: str) -> dict[str, dict[str, float]]:
        out = run("evaluate", tmp_path / file, "--project", two_labels, "--json")[1]
        return {name: way["value"] for name, way in json.loads(out)["ways"].items()}

    assert values("some.parquet") == values("known.parquet")
    assert {way["rows"] for way in values("some.parquet").values()} == {140}
    lines = run("evaluate", tmp_path / "some.parquet", "--project", two_labels)[1].splitlines()
    counts = next(line for line in lines if line.startswith("rows with a value")).split()[4:]
    assert counts == ["140", "140", "140"]


def test_show_tells_the_calibration_of_what_is_served(fitted: Path, run: Run) -> None:
    """Its error on the evaluated rows and what made probabilities of margins, in text and as JSON."""
    shown = json.loads(run("show", "--project", fitted, "--json")[1])["evaluation"]
    error = shown["classifiers"]["risk"]["calibration_error"]
    assert 0.0 < error < 0.5
    assert 0.0 < shown["classifiers"]["risk"]["perfect_calibration_error"] < 0.2
    out = run("show", "--project", fitted)[1]
    lines = [line.split() for line in out.splitlines()]
    assert ["calibration", "error", f"{error:.4f}"] in lines
    (calibrated,) = (line for line in lines if line[:2] == ["calibrated", "by"])
    assert calibrated[2] in ("nothing", "slope", "sigmoid") or calibrated[3] == "steps"
    assert "calibration error: how far what was said is from what came true" in out
    assert "parity: how far the graph's probabilities" in out


def test_a_long_reason_does_not_swell_the_candidates(fitted: Path, run: Run) -> None:
    """Whole in --json, its beginning in the table."""
    evaluation = json.loads(run("show", "--project", fitted, "--json")[1])["evaluation"]
    lost = next(one for one in evaluation["training"]["candidates"]["risk"] if not one["chosen"])
    lost["refused"] = "cannot be exported: " + "[ONNXRuntimeError] : 10 : INVALID_GRAPH " * 10
    table = render(evaluation).split("candidates: ")[1].split("\nnote: ")[0]
    assert "cannot be exported: [ONNXRuntimeError]" in table
    assert max(map(len, table.splitlines())) < 160


def test_a_model_learned_anew_is_not_called_reused(project: Path, run: Run) -> None:
    """Also where raw-logistic serves both times, so that another embedding gives the same bytes."""
    path = project / "project.yaml"
    path.write_text(path.read_text().replace("[logistic, tree]", "[raw-logistic]"))
    served = "no embedding is served: raw-logistic, on the fields themselves, is chosen for every classifier"
    assert served in run("fit", project)[1]
    path.write_text(path.read_text().replace("width: 8", "width: 6"))
    out = run("fit", project)[1]
    assert "reused" not in out
    assert served in out
    path.write_text(path.read_text().replace("-100.0", "-90.0"))
    assert "(the model is reused)" in run("fit", project)[1]


def test_the_test_file_is_named_in_words_and_several_classes_too(two_labels: Path, run: Run) -> None:
    """An AUC of several classes is told to be a mean, by fit and by show; it has a calibration error too."""
    said = (two_labels / "fit.out").read_text().splitlines()
    line = next(line for line in said if line.startswith("on "))
    assert line.startswith("on 150 rows of the test file: ")
    assert line.endswith("(one class against the rest)")
    shown = run("show", "--project", two_labels)[1]
    assert "AUC of several classes: the mean over them of one against the rest" in shown
    kept = json.loads(run("show", "--project", two_labels, "--json")[1])["evaluation"]["classifiers"]
    assert 0.0 <= kept["kind"]["calibration_error"] < 0.5


@pytest.mark.parametrize("given", [None, 3, b"bundle"])
def test_what_is_no_path_is_refused_by_name(given: object) -> None:
    with pytest.raises(InputError, match="is no path"):
        engine.open(given)  # type: ignore[arg-type]
