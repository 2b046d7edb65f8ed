"""The synthetic payments: what the generator promises, and that the project around it checks clean."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from engine.cli import main
from engine.errors import InputError
from engine.project import load_project, read_lists, read_rules
from engine.samples.payments import LABELS, compromised_terminals, generate, unlabelled, write_project
from engine.tabular import batches, normalise
from rules.check import check_rules, run_cases

ROWS = 12_000


@pytest.fixture(scope="module")
def payments() -> pa.Table:
    return generate(ROWS, 7)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("sample") / "payments"
    write_project(place, rows=2000, seed=7)
    return place


def share(mask: pa.ChunkedArray) -> float:
    return float(pc.mean(mask.cast(pa.float64())).as_py())


def month(table: pa.Table, *, first: int, last: int) -> pa.Table:
    months = pc.month(table["event_time"])
    return table.filter(pc.and_(pc.greater_equal(months, first), pc.less_equal(months, last)))


def test_a_seed_gives_one_table_and_another_seed_another(payments: pa.Table) -> None:
    """The same seed gives the same rows; another seed gives other rows."""
    assert generate(ROWS, 7).equals(payments)
    assert not generate(ROWS, 8).equals(payments)


def test_the_same_seed_writes_the_same_bytes(tmp_path: Path) -> None:
    """Two projects of one seed are equal file by file."""
    for name in ("a", "b"):
        write_project(tmp_path / name, rows=1000, seed=3)
    files = sorted(path.relative_to(tmp_path / "a") for path in (tmp_path / "a").rglob("*") if path.is_file())
    assert [str(file) for file in files] == sorted(
        [
            ".tandem/project.schema.json",
            ".tandem/rules.schema.json",
            ".tandem/sweep.schema.json",
            ".tandem/test.schema.json",
            "README.md",
            "data/new-payments.parquet",
            "data/payments.parquet",
            "lists/compromised-terminals.csv",
            "lists/scam-words.txt",
            "project.yaml",
            "rules/compliance.yaml",
            "rules/fraud.yaml",
        ]
    )
    for file in files:
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes(), file


@pytest.mark.parametrize("seed", [1, 2, 7])
def test_two_to_three_percent_are_fraud_of_four_kinds(seed: int) -> None:
    """Every kind of fraud has rows enough to be learnt, and `fraud` is true for these kinds alone."""
    table = generate(ROWS, seed)
    assert 0.02 <= share(table["fraud"]) <= 0.03
    kinds = {entry["values"]: entry["counts"] for entry in pc.value_counts(table["kind"]).to_pylist()}
    assert set(kinds) == {"none", "terminal", "card_testing", "takeover", "mule"}
    assert min(kinds.values()) >= 50
    assert pc.all(pc.equal(table["fraud"], pc.not_equal(table["kind"], "none"))).as_py()


def test_rows_are_in_time_order_over_half_a_year(payments: pa.Table) -> None:
    """Rows come in the order of `event_time`, from January to June."""
    times = payments["event_time"].cast(pa.int64()).to_numpy()
    assert (np.diff(times) >= 0).all()
    assert {entry.as_py() for entry in pc.unique(pc.month(payments["event_time"]))} == {1, 2, 3, 4, 5, 6}


def test_a_dispute_is_unknown_only_while_it_may_still_come(payments: pa.Table) -> None:
    """`disputed` is null for some of the last payments, for no early one; most frauds are disputed."""
    assert month(payments, first=1, last=3)["disputed"].null_count == 0
    assert 0 < payments["disputed"].null_count < 0.1 * ROWS
    frauds = payments.filter(payments["fraud"])["disputed"].drop_null()
    assert share(frauds) > 0.6


def test_fraud_changes_its_ways(payments: pa.Table) -> None:
    """Card testers pay more, mules write other memos, thieves use known devices once the year is older."""
    early, late = month(payments, first=1, last=3), month(payments, first=5, last=6)

    def of(table: pa.Table, kind: str) -> pa.Table:
        return table.filter(pc.equal(table["kind"], kind))

    tests_early, tests_late = (
        pc.mean(of(table, "card_testing")["amount"]).as_py() for table in (early, late)
    )
    assert tests_late > 3 * tests_early
    devices_early, devices_late = (share(of(table, "takeover")["new_device"]) for table in (early, late))
    assert devices_late < devices_early - 0.1
    job_early, job_late = (
        share(pc.match_substring(of(table, "mule")["memo"], "job")) for table in (early, late)
    )
    assert job_early == 0.0
    assert job_late > 0.1


def test_history_columns_know_the_past_alone(payments: pa.Table) -> None:
    """A customer's first payment has no ratio and no payment in the day before; there are nulls to meet."""
    first = payments.filter(payments["amount_ratio"].is_null())
    assert pc.max(first["payments_last_day"]).as_py() == 0
    for name in ("home_country", "terminal", "device", "new_device", "amount_ratio", "memo"):
        assert 0 < payments[name].null_count < ROWS, name


def test_the_table_says_that_it_is_synthetic(project: Path) -> None:
    """Wherever the sample is opened, it says that no row is real."""
    assert b"synthetic" in pq.read_table(project / "data" / "payments.parquet").schema.metadata
    for name in ("README.md", "project.yaml"):
        assert "synthetic" in (project / name).read_text().lower()


def test_the_project_checks_clean(project: Path) -> None:
    """project.yaml has no problem, all rule files check, and every inline test of theirs passes."""
    found = load_project(project)
    checked = check_rules(
        read_rules(project),
        variables=found.variables,
        scores=found.scores,
        outcomes=found.outcomes,
        read_list=read_lists(project),
    )
    assert len(checked.rules) == 15
    assert run_cases(checked) == ()


def test_every_payment_fits_the_schema(project: Path) -> None:
    """No row of either file is refused; the file to score has no labels."""
    schema = load_project(project).schema
    for name in ("payments", "new-payments"):
        table = pq.read_table(project / "data" / f"{name}.parquet")
        assert [reject for batch in batches(table) for reject in normalise(schema, batch).rejects] == []
    assert not set(LABELS) & set(table.column_names)
    assert unlabelled(generate(1000, 7)).column_names == table.column_names


def test_listed_terminals_are_compromised_now(payments: pa.Table) -> None:
    """The list holds terminals at which most swipes of the last month are fraud."""
    listed = pa.array(compromised_terminals(7))
    last = month(payments, first=6, last=6)
    swiped = last.filter(pc.and_(pc.is_in(last["terminal"], listed), pc.equal(last["channel"], "swipe")))
    assert share(swiped["fraud"]) > 0.7


def test_a_folder_with_something_in_it_is_refused_and_left_alone(tmp_path: Path) -> None:
    """A folder that is not empty stays as it was; an empty one is filled."""
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(InputError, match="exists already"):
        write_project(tmp_path, rows=1000)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
    (tmp_path / "empty").mkdir()
    write_project(tmp_path / "empty", rows=1000)
    assert (tmp_path / "empty" / "project.yaml").exists()


def test_too_few_rows_are_refused(tmp_path: Path) -> None:
    """Fewer rows than any model could learn from are refused before anything is written."""
    with pytest.raises(InputError, match="too few"):
        write_project(tmp_path / "small", rows=10)
    assert list(tmp_path.iterdir()) == []


def test_the_rule_on_trial_can_be_enforced(
    project: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With its mode changed and nothing else, as its description invites to."""
    place = tmp_path / "payments"
    shutil.copytree(project, place)
    path = place / "rules" / "fraud.yaml"
    path.write_text(path.read_text().replace("mode: shadow", "mode: enforce"))
    assert main(["check", "--project", str(place)]) == 0
    assert "swipe-abroad" not in "".join(
        line for line in capsys.readouterr().err.splitlines() if "conflict" in line
    )
