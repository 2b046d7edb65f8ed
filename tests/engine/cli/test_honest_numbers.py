"""Figures that flatter, or say little, are told of as such: by `tandem fit` and by `tandem evaluate`."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
import pytest

from tests.engine.cli.conftest import Run, loans

Edit = Callable[[str], str]
Fit = Callable[..., list[str]]


def set_column(table: pa.Table, name: str, values: object) -> pa.Table:
    return table.set_column(table.column_names.index(name), name, pa.array(values))


@pytest.fixture
def fit(project: Path, run: Run) -> Fit:
    """Fit the project on a table, after an edit of project.yaml, and give the notes."""

    def fitted_on(table: pa.Table, *edits: tuple[str, str], test: str = "") -> list[str]:
        text = (project / "project.yaml").read_text()
        quick = (("epochs: 3", "epochs: 1"), ("[logistic, tree]", "[logistic]"))
        for old, new in (*quick, *edits):
            assert old in text
            text = text.replace(old, new)
        if test:
            text = text.replace("{train: loans.parquet}", f"{{train: loans.parquet, test: {test}}}")
        (project / "project.yaml").write_text(text)
        pq.write_table(table, project / "loans.parquet")
        code, out, err = run("fit", project)
        assert (code, "is latest" in out) == (0, True), err
        return [line.removeprefix("note: ") for line in err.splitlines()]

    return fitted_on


def told(notes: list[str], *words: str) -> bool:
    """Whether one note has all these words."""
    return any(all(word in note for word in words) for note in notes)


def test_a_fit_of_sound_rows_has_nothing_to_tell(fit: Fit) -> None:
    """No note is a matter of course."""
    assert fit(loans(600)) == []


@pytest.mark.parametrize("name", ["loans.parquet", "copy.parquet"])
def test_a_test_file_that_is_the_training_file_is_refused(project: Path, run: Run, name: str) -> None:
    """By its content, whatever its name."""
    text = (project / "project.yaml").read_text()
    (project / "project.yaml").write_text(text.replace("loans.parquet}", f"loans.parquet, test: {name}}}"))
    (project / "copy.parquet").write_bytes((project / "loans.parquet").read_bytes())
    code, out, err = run("fit", project)
    assert (code, out) == (1, "")
    assert f"{name}: the very rows of loans.parquet" in err


def test_rows_of_a_test_file_that_were_trained_on_are_counted(project: Path, fit: Fit) -> None:
    """As CSV too, where every cell is text."""
    both = pa.concat_tables([loans(600).slice(0, 40), loans(200, seed=9)])
    pacsv.write_csv(both, project / "held.csv")
    notes = fit(loans(600), test="held.csv")
    assert told(notes, "40 of 240 data.test rows equal a training row in every field")


def test_evaluating_on_rows_of_the_fit_is_said_whatever_file_they_come_in(
    project: Path, fit: Fit, run: Run
) -> None:
    """A part of them, as CSV, or the training file with more rows; rows never seen are not told of."""
    fit(loans(600), ("validation: 0.2, test: 0.2", "validation: 0.2, test: 0"))
    pacsv.write_csv(loans(600).slice(100, 50), project / "some.csv")
    pq.write_table(pa.concat_tables([loans(600), loans(5, seed=9)]), project / "more.parquet")
    pq.write_table(loans(200, seed=9), project / "other.parquet")
    found = {}
    for name in ("some.csv", "more.parquet", "other.parquet"):
        code, out, _ = run("evaluate", project / name, "--project", project, "--json")
        assert code == 0
        found[name] = json.loads(out)["warnings"]
    assert told(found["some.csv"], "50 of 50 rows equal in every field a row that the bundle was fitted on")
    assert told(found["more.parquet"], "600 of 605 rows equal")
    assert found["other.parquet"] == []
    assert "note: 50 of 50 rows equal" in run("evaluate", project / "some.csv", "--project", project)[1]


def test_the_rows_of_the_fit_stand_outside_the_digest_and_outlive_an_edit(project: Path, fit: Fit) -> None:
    """They say nothing of how it decides; a bundle of edited rules has the same model."""
    from engine.bundle import Bundle
    from engine.lifecycle.registry import Registry

    fit(loans(600))
    bundle = Registry(project / "registry").get("latest")
    assert not bundle.manifest.parts["seen.json"].decisive
    kept = {name: data for name, data in bundle.parts.items() if name != "seen.json"}
    made = bundle.manifest.created
    assert Bundle.create(kept, lineage=bundle.lineage, created=made).digest == bundle.digest
    rules = {name: data for name, data in kept.items() if name.startswith(("rules/", "lists/", "expr"))}
    assert bundle.with_rules(rules, created=made).parts["seen.json"] == bundle.parts["seen.json"]


def test_looks_at_any_labelled_file_are_counted(project: Path, fit: Fit, run: Run) -> None:
    """Each bundle once; the second one judged on the same rows is told that it is."""
    pq.write_table(loans(200, seed=9), project / "held.parquet")
    given = ("evaluate", project / "held.parquet", "--project", project)
    assert json.loads(run(*given, "--json")[1])["looks"]["bundles"] == 1
    assert "judged on these rows" not in run(*given)[1]
    fit(loans(600, seed=3))
    assert "2 bundles were judged on these rows by now" in run(*given)[1]
    assert json.loads(run(*given, "--json")[1])["looks"]["bundles"] == 2


def test_evaluating_outside_of_a_project_makes_no_registry(
    project: Path, tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bundle by its path is judged anywhere; there is nowhere to count the look."""
    from engine.bundle import write_bundle
    from engine.lifecycle.registry import Registry

    write_bundle(Registry(project / "registry").get("latest"), tmp_path / "bundle")
    pq.write_table(loans(200, seed=9), tmp_path / "held.parquet")
    (tmp_path / "away").mkdir()
    monkeypatch.chdir(tmp_path / "away")
    code, out, _ = run("evaluate", tmp_path / "bundle", tmp_path / "held.parquet", "--json")
    assert (code, json.loads(out)["looks"]) == (0, None)
    assert list((tmp_path / "away").iterdir()) == []


def test_a_classifier_of_noise_and_its_policy_are_told_of(project: Path, fit: Fit, run: Run) -> None:
    """In evaluation.json too, and again where the bundle is promoted."""
    from engine.lifecycle.registry import Registry

    noise = np.random.default_rng(1).random(600) < 0.3
    notes = fit(set_column(loans(600), "bad", noise))
    assert told(notes, "classifier 'risk': ", "may be chance") or told(notes, "no better than the base rate")
    assert told(notes, "the policy acts (review or reject) on none of 120 rows", "of them positive")
    kept = Registry(project / "registry").get("latest").json("evaluation.json")
    assert kept["warnings"] == notes
    code, out, err = run("promote", "--project", project)
    assert (code, "champion → " in out) == (0, True)
    assert all(f"note: {note}\n" in err for note in notes)
    assert json.loads(run("promote", "--project", project, "--json")[1])["notes"] == notes


def test_few_rows_of_a_class_are_told_of(fit: Fit) -> None:
    """Figures on them say little, however good they are."""
    assert told(fit(loans(60)), "classifier 'risk': only ", " of 12 rows are of class '", "say little")


def test_a_file_of_one_class_says_why_there_is_no_auc(project: Path, run: Run) -> None:
    """And the file is judged all the same."""
    pq.write_table(set_column(loans(100, seed=9), "bad", [False] * 100), project / "good.parquet")
    code, out, _ = run("evaluate", project / "good.parquet", "--project", project)
    assert code == 0
    assert "all 100 labelled rows are of class 'no', so that there is no AUC" in out


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (lambda bad: np.where(bad, "late", "paid"), "category"),
        (lambda bad: bad * 100.0 + np.arange(600) / 600, "float"),
    ],
)
def test_a_field_that_is_the_answer_is_told_of(
    project: Path, fit: Fit, run: Run, answer: Callable[[np.ndarray], np.ndarray], kind: str
) -> None:
    """A list of answers, or a number that only parts them; again where the bundle is promoted."""
    table = loans(600)
    table = table.append_column("copy", pa.array(answer(table["bad"].to_numpy())))
    notes = fit(table, ("  income:", f"  copy: {{type: {kind}}}\n  income:"))
    told_of = "field 'copy' alone tells label 'bad' of nearly every training row"
    assert any(note.startswith(told_of) for note in notes)
    assert f"note: {told_of}" in run("promote", "--project", project)[2]


def test_rows_that_are_there_twice_are_told_of_once_more_where_the_bundle_is_promoted(
    project: Path, fit: Fit, run: Run
) -> None:
    """What is of test rows does not begin with `training:`."""
    notes = fit(pa.concat_tables([loans(600), loans(600)]))
    again = [note for note in notes if "test rows equal a training row in every field" in note]
    assert len(again) == 1
    assert not again[0].startswith("training:")
    assert f"note: {again[0]}\n" in run("promote", "--project", project)[2]


def test_evaluating_the_training_file_is_said_once(project: Path, run: Run) -> None:
    """In one sentence, that the bundle was fitted on its rows."""
    found = json.loads(run("evaluate", project / "loans.parquet", "--project", project, "--json")[1])
    flatter = [one for one in found["warnings"] if "flatter" in one]
    assert flatter == [
        f"the bundle was fitted on rows of {project / 'loans.parquet'}; figures on them flatter it"
    ]


def test_rows_without_the_only_label_are_counted_once(fit: Fit) -> None:
    """They are left out, which says that the label is missing there."""
    labels = [None if row < 1_100 else one for row, one in enumerate(loans(3_000)["bad"].to_pylist())]
    notes = fit(set_column(loans(3_000), "bad", labels))
    assert notes == ["training: 1,100 rows have no label and are left out"]


def test_values_of_a_label_that_are_nearly_the_same_are_told_of(fit: Fit) -> None:
    """`Yes` beside `yes` means no, which nobody meant."""
    bad = loans(600)["bad"].to_numpy()
    written = np.where(bad, np.where(np.arange(600) % 2, "yes", "Yes"), "no")
    notes = fit(set_column(loans(600), "bad", written), ("positive: true", "positive: 'yes'"))
    assert told(notes, "only 'yes' means yes; 'Yes' (", "rows) means no: write them alike")


@pytest.mark.parametrize(
    ("yes", "no", "third"),
    [
        ("1", "-1", None),
        ("resign", "re-sign", None),
        ("Bad", "bad", None),
        ("1", "-1", "0"),
        ("A", "A-", "B"),
        ("1 2", "12", "3"),
    ],
)
def test_two_values_and_values_of_another_sign_are_not_nearly_the_same(
    fit: Fit, yes: str, no: str, third: str | None
) -> None:
    """Of two values each has a meaning of its own; -1 is no way to write 1."""
    bad = loans(600)["bad"].to_numpy()
    other = no if third is None else np.where(np.arange(600) % 2, no, third)
    written = set_column(loans(600), "bad", np.where(bad, yes, other))
    notes = fit(written, ("positive: true", f"positive: '{yes}'"))
    assert not told(notes, "write them alike")
    assert bool(notes) == (third is not None)


def test_an_evaluation_says_how_the_bundle_is_calibrated(project: Path, run: Run) -> None:
    """As `tandem show` does, in words and in --json."""
    pq.write_table(loans(200, seed=9), project / "other.parquet")
    given = ("evaluate", project / "other.parquet", "--project", project)
    figures = json.loads(run(*given, "--json")[1])["classifiers"]["risk"]
    shown = json.loads(run("show", "--project", project, "--json")[1])["evaluation"]["training"]
    chosen = next(one for one in shown["candidates"]["risk"] if one["chosen"])
    assert figures["calibration"] == chosen["calibration"]
    told_by = [run(*one)[1].split("\nscores\n")[1] for one in (given, ("show", "--project", project))]
    words = [table.splitlines()[2].split()[-2] for table in told_by]
    assert words[0] == words[1] != "–"


def test_an_evaluation_without_a_report_of_the_fit_claims_no_calibration(project: Path, run: Run) -> None:
    """A bundle of rules that were edited live keeps none: the column is left out, other figures stay."""
    from datetime import UTC, datetime

    from engine.bundle import write_bundle
    from engine.lifecycle.registry import Registry

    bundle = Registry(project / "registry").get("latest")
    kept = {
        name: data for name, data in bundle.parts.items() if name.startswith(("rules/", "lists/", "expr"))
    }
    write_bundle(bundle.with_rules(kept, created=datetime.now(UTC)), project / "edited")
    pq.write_table(loans(200, seed=9), project / "other.parquet")
    out = run("evaluate", project / "edited", project / "other.parquet", "--project", project)[1]
    assert "calibrated by" not in out
    assert "accuracy" in out


def test_more_than_two_values_of_a_label_are_told_of(fit: Fit) -> None:
    """All but one mean no; the note says which."""
    bad = loans(600)["bad"].to_numpy()
    written = np.where(bad, "late", np.where(np.arange(600) % 2, "paid", "open"))
    notes = fit(set_column(loans(600), "bad", written), ("positive: true", "positive: late"))
    assert told(notes, "'late' means yes, each of 2 other values no: ", "'open'", "'paid'")


@pytest.mark.parametrize(
    ("hours", "nullable", "words"),
    [
        (lambda row: 0, "", ("the same in every row; the split goes by the order of the file",)),
        (lambda row: row // 200 * 24, "", ("200 rows of one time, 2026-01-03T00:00:00Z, are validation",)),
        (lambda row: None if row % 3 else row, ", nullable: true", ("missing in 400 of 600 rows, which",)),
    ],
)
def test_a_split_by_time_says_where_time_parts_nothing(
    fit: Fit, hours: Callable[[int], int | None], nullable: str, words: tuple[str, ...]
) -> None:
    """All rows of one time, many of one time at a cut, rows without a time."""
    start = 1_767_225_600 * 10**6
    moments = [None if hours(row) is None else start + 3_600 * 10**6 * hours(row) for row in range(600)]
    table = loans(600).append_column("at", pa.array(moments, pa.timestamp("us", "UTC")))
    notes = fit(
        table,
        ("  income:", f"  at: {{type: timestamp{nullable}}}\n  income:"),
        ("by: random", "by: time, field: at"),
    )
    assert told(notes, "field 'at', by which rows are split: ", *words)


def test_a_split_by_group_says_how_many_rows_are_of_none(fit: Fit) -> None:
    """Each is a group of its own."""
    homes = pa.array([None if row % 3 == 0 else f"h{row // 4}" for row in range(600)])
    notes = fit(loans(600).append_column("home", homes), ("by: random", "by: group, field: home"))
    assert told(notes, "column 'home', by which rows are split: missing in 200 of 600 rows")


def test_weights_that_a_few_rows_hold_are_told_of(project: Path, fit: Fit, run: Run) -> None:
    """One row of 1e308; two of them add up to no number, and are refused."""
    weighed = ("column: bad", "column: bad, weight: w")
    weights = np.where(np.arange(600) == 5, 1e308, 1.0)
    notes = fit(loans(600).append_column("w", pa.array(weights)), weighed)
    assert told(notes, "label 'bad': 1 of 600 rows holds half of the weight ('w') or more", "as 1.0 rows")
    table = loans(600).append_column("w", pa.array(np.where(np.arange(600) < 9, 1e308, 1.0)))
    pq.write_table(table, project / "loans.parquet")
    code, _, err = run("fit", project)
    assert code == 1
    assert "label 'bad' (weight 'w'): they add up to more than a number can be" in err
