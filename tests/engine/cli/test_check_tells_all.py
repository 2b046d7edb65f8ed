"""`tandem check` tells at once what `tandem fit` would refuse, and no mistake hides another."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tests.engine.cli.conftest import Run, loans


def checked(project: Path, run: Run, *edits: tuple[str, str]) -> list[str]:
    """The problems that a check tells, after edits of project.yaml; those of a fit are the same."""
    text = (project / "project.yaml").read_text()
    for old, new in edits:
        assert old in text
        text = text.replace(old, new)
    (project / "project.yaml").write_text(text)
    code, out, err = run("check", project)
    assert (code, out) == (1, "")
    assert run("fit", project)[0] == 1
    told = [line for line in err.splitlines() if line.startswith("project.yaml:")]
    return [line for line in told if ": warning[" not in line]


def test_shares_of_a_split_leave_rows_for_training(project: Path, run: Run) -> None:
    """Also where one of them is the default; with a test file of its own the test takes no share."""
    (told,) = checked(project, run, ("validation: 0.2, test: 0.2", "validation: 0.6, test: 0.5"))
    assert told.endswith(": 'validation' 0.6 and 'test' 0.5 leave no rows for training; lower one of them")
    assert told.startswith("project.yaml:16:44: ")
    (told,) = checked(project, run, ("validation: 0.6, test: 0.5", "validation: 0.9"))
    assert "'validation' 0.9 and 'test' 0.2 leave no rows" in told
    pq.write_table(loans(60, seed=9), project / "held.parquet")
    text = (
        (project / "project.yaml").read_text().replace("loans.parquet}", "loans.parquet, test: held.parquet}")
    )
    (project / "project.yaml").write_text(text)
    assert run("check", project)[0] == 0


ENCODER = "encoders: {note: {onnx: ONNX, vocabulary: words.txt, output: o}}"


@pytest.mark.parametrize(
    ("onnx", "message"),
    [
        ("none.onnx", "none.onnx cannot be read: No such file"),
        ("../out.onnx", "../out.onnx cannot be read: ../out.onnx: leads outside the project"),
        ("bad.onnx", "'note', bad.onnx: not an ONNX model"),
    ],
)
def test_files_of_an_encoder_are_looked_at(project: Path, run: Run, onnx: str, message: str) -> None:
    """Each at its place; both files are told of, and a rule's mistake beside them."""
    (project / "bad.onnx").write_bytes(b"\xff" * 40)
    (project.parent / "out.onnx").write_bytes(b"")
    (project / "words.txt").write_text("[PAD]\n[UNK]\n[CLS]\n[SEP]\ngood\n")
    edits = (
        ("  income:", "  note: {type: text, nullable: true}\n  income:"),
        ("seed: 7}\nclassifiers", f"seed: 7, {ENCODER.replace('ONNX', onnx)}}}\nclassifiers"),
    )
    (told,) = checked(project, run, *edits)
    line = (project / "project.yaml").read_text().splitlines()[10]
    assert told.startswith(f"project.yaml:11:{line.index(onnx) + 1}: encoder of 'note'")
    assert message in told
    (project / "words.txt").unlink()
    rules = project / "rules" / "loans.yaml"
    rules.write_text(rules.read_text().replace("age < 25", "agee < 25"))
    code, _, err = run("check", project)
    assert code == 1
    assert (onnx == "bad.onnx") is (message not in err)
    assert "words.txt cannot be read" in err
    assert "unknown field 'agee'" in err


def test_a_number_beyond_all_numbers_hides_no_other_problem(project: Path, run: Run) -> None:
    """And is told of once."""
    told = checked(project, run, ("seed: 7}\nclassifiers", "learning_rate: 1e400, dropout: 3}\nclassifiers"))
    assert [one.split(": ", 1)[1] for one in told] == [
        "a number beyond a double; put it in quotes if it is a code",
        "dropout: 3 is out of range; give a number from 0 to 0.9",
    ]


def test_a_mistyped_label_brings_on_no_other_problem(project: Path, run: Run) -> None:
    """The classifier's own name is not looked up in its stead."""
    (told,) = checked(project, run, ("risk: {label: bad", "risk: {lable: bad"))
    assert "unknown key 'lable'; did you mean 'label'?" in told


def test_all_that_is_wrong_with_a_candidate_of_ones_own_is_told(project: Path, run: Run) -> None:
    """In one round: where it reads from, each parameter, each value."""
    own = (
        "{name: f, estimator: sklearn.ensemble.RandomForestClassifier, input: fieldz, after: treee, "
        "params: {n_estimators: -5, max_depth: abc, n_estimator: 3}}"
    )
    told = checked(project, run, ("[logistic, tree]", f"[logistic, {own}]"))
    words = ("'fieldz'", "'treee'", "Got -5", "Got 'abc'", "no parameter 'n_estimator'; did you mean")
    assert len(told) == len(words)
    assert all(word in one for word, one in zip(words, told, strict=True))


def test_a_registry_that_cannot_be_written_is_found_before_anything_is_learned(
    project: Path, run: Run
) -> None:
    """Not after minutes of work."""
    import shutil

    for name in ("registry", ".tandem"):
        shutil.rmtree(project / name, ignore_errors=True)
    (project / "registry").write_text("")
    code, out, err = run("fit", project)
    assert (code, out) == (1, "")
    assert "registry cannot be written" in err
    assert not (project / ".tandem").exists()
