"""`tandem experiment` and `tandem fit --from`: from a sweep to a winner, and to its bundle."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import yaml

from engine.lifecycle.registry import Registry
from tests.engine.cli.conftest import Run, loans

SWEEP = """\
experiment: widths
vary: {embedding.width: [4], policy.0.when: ["scores.risk >= 0.6"]}
race: false
"""


@pytest.fixture
def sweep(project: Path) -> Path:
    (project / "sweep.yaml").write_text(SWEEP)
    return project / "sweep.yaml"


def test_an_experiment_prints_a_leaderboard_and_keeps_it(run: Run, sweep: Path) -> None:
    """Every variant, the winner, what was spent, and one look at the test rows."""
    code, out, err = run("experiment", sweep)
    assert code == 0
    assert "widths: 2 variants by log_loss (lower is better)" in out
    assert "width 4, policy.0.when scores.risk >= 0.6" in out
    assert "'tandem fit --from widths' fits it" in out
    assert err.splitlines()[0].startswith("rung 1 of 1: as it is: log_loss ")
    assert "what is kept to save time: .tandem/cache, " in out
    kept = json.loads((sweep.parent / "experiments/widths/leaderboard.json").read_bytes())
    assert sum(one["winner"] for one in kept["variants"]) == 1


def test_as_json_it_is_one_object_and_a_rerun_embeds_nothing(run: Run, sweep: Path) -> None:
    """The same variants, figures and digests, but for the times."""
    first, second = (json.loads(run("experiment", sweep, "--json")[1]) for _ in range(2))
    assert first["spent"]["re_embedded_rows"] > 0
    assert second["spent"]["re_embedded_rows"] == 0
    assert second["spent"]["cache"]["bytes"] > 0
    assert [one["digest"] for one in first["variants"]] == [one["digest"] for one in second["variants"]]
    assert first["winner"] == second["winner"]
    assert first["looks"] == second["looks"]


def test_the_winner_is_fitted_to_its_digest(run: Run, sweep: Path) -> None:
    """As latest, from the files of the experiment; project.yaml stays, and it is said what to set."""
    board = json.loads(run("experiment", sweep, "--json")[1])
    before = (sweep.parent / "project.yaml").read_bytes()
    code, out, _ = run("fit", sweep.parent, "--from", "widths")
    assert code == 0
    assert "your files are as they were; to keep what won, set" in out
    found = Registry(sweep.parent / "registry").names.get("latest")
    assert found is not None
    assert found.digest == board["winner"]["digest"]
    assert (sweep.parent / "project.yaml").read_bytes() == before


def test_what_it_says_to_set_gives_the_winner(run: Run, sweep: Path) -> None:
    """The seed too, where the sweep has seeds: followed, a plain fit comes to the same digest."""
    sweep.write_text("experiment: widths\nvary: {embedding.width: [4]}\nseeds: [1]\nrace: false\n")
    board = json.loads(run("experiment", sweep, "--json")[1])
    settings = board["winner"]["settings"]
    assert settings["embedding.seed"] == 1
    out = run("fit", sweep.parent, "--from", "widths")[1]
    said = ", ".join(f"{key}: {value}" for key, value in settings.items())
    assert f"to keep what won, set {said}" in out
    written = yaml.safe_load((sweep.parent / "project.yaml").read_text())
    written["embedding"] |= {key.removeprefix("embedding."): value for key, value in settings.items()}
    (sweep.parent / "project.yaml").write_text(yaml.safe_dump(written, sort_keys=False))
    assert json.loads(run("fit", sweep.parent, "--json")[1])["digest"] == board["winner"]["digest"]


def test_a_budget_that_lets_nothing_compete_is_told(run: Run, sweep: Path) -> None:
    """A winner without a race is said to be one."""
    sweep.write_text("vary: {embedding.width: [4]}\nbudget: {evaluations: 1}\nrace: false\n")
    assert "nothing competed with it: the budget let no other variant run" in run("experiment", sweep)[1]


def test_other_rows_are_not_the_experiments(run: Run, sweep: Path) -> None:
    """Nothing is fitted, and it is said what changed."""
    run("experiment", sweep, "--json")
    pq.write_table(loans(600, seed=99), sweep.parent / "loans.parquet")
    code, _, err = run("fit", sweep.parent, "--from", "widths")
    assert code == 1
    assert "experiment 'widths': changed since it ran: the rows of data.train" in err


def test_an_experiment_that_is_not_there_is_said(run: Run, project: Path) -> None:
    """And a path is no name."""
    code, _, err = run("fit", project, "--from", "widths")
    assert (code, "no finished experiment 'widths'" in err) == (1, True)
    assert run("fit", project, "--from", "../widths")[0] == 1


def test_a_typo_is_told_at_its_place(run: Run, sweep: Path) -> None:
    """With the nearest key."""
    sweep.write_text("vary:\n  embedding.wdith: [4]\n")
    code, _, err = run("experiment", sweep)
    assert code == 1
    assert f"{sweep}:2:3: unknown key 'embedding.wdith'; did you mean 'width'?" in err
    assert "  ^" in err


def test_clean_removes_the_cache_and_leaves_the_results(run: Run, sweep: Path) -> None:
    """What was run stays run."""
    run("experiment", sweep, "--json")
    code, out, _ = run("experiment", sweep, "--clean", "--json")
    assert code == 0
    assert json.loads(out)["removed_files"] > 0
    assert json.loads(run("experiment", sweep.parent, "--clean", "--json")[1])["removed_files"] == 0
    assert list((sweep.parent / "experiments/widths/trials").glob("*.npz"))


def test_without_a_sweep_it_is_misuse(run: Run) -> None:
    """Exit code 2, and how to call it."""
    assert run("experiment")[0] == 2


def test_evaluating_on_the_test_file_is_a_look(run: Run, project: Path) -> None:
    """The bundle fitted there counts once; on any other file it does not count."""
    text = (
        (project / "project.yaml")
        .read_text()
        .replace("train: loans.parquet", "train: loans.parquet, test: t.parquet")
    )
    assert "t.parquet" in text
    (project / "project.yaml").write_text(text)
    pq.write_table(loans(200, seed=5), project / "t.parquet")
    assert json.loads(run("fit", project, "--json")[1])["looks"]["bundles"] == 1
    assert run("evaluate", project / "t.parquet", "-p", project)[0] == 0
    assert run("evaluate", project / "loans.parquet", "-p", project)[0] == 0
    looks = (project / "registry" / "looks.jsonl").read_text().splitlines()
    rows = json.loads(looks[-1])["rows"]
    assert sum(json.loads(line)["rows"] == rows for line in looks) == 1
