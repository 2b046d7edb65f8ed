"""check, score, explain, evaluate and init: files and records in, results or clear refusals out."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow.csv as pc
import pyarrow.parquet as pq
import pytest

from engine.project import load_project
from tests.engine.cli.conftest import RULES, Run, loans


def test_check_counts_rules_and_tests(fitted: Path, run: Run) -> None:
    """All is well: how many rules, how many tests passed."""
    assert run("check", fitted)[:2] == (0, "loans: 2 rules in 1 file, 1 test passed\n")
    assert json.loads(run("check", fitted, "--json")[1])["rules"] == 2


def test_check_lists_every_problem_with_line_and_caret(project: Path, run: Run) -> None:
    """Two mistakes in one rule file: both, in order, each with its line and a caret; exit 1."""
    rules = RULES.replace("age < 25 && income", "age < 25 && incme").replace("job in", "jobb in")
    (project / "rules" / "loans.yaml").write_text(rules)
    code, out, err = run("check", project)
    assert (code, out) == (1, "")
    assert "rules/loans.yaml:5:44: unknown field 'jobb'; did you mean 'job'?" in err
    assert "rules/loans.yaml:8:23: unknown field 'incme'; did you mean 'income'?" in err
    assert err.count("^") == 2
    assert err.endswith("2 problems\n")
    problems = json.loads(run("check", project, "--json")[1])["problems"]
    assert [problem["line"] for problem in problems] == [5, 8]


def test_check_lists_every_problem_of_the_project_file(project: Path, run: Run) -> None:
    """project.yaml comes first: rules are checked against its fields."""
    text = (project / "project.yaml").read_text()
    (project / "project.yaml").write_text(
        text.replace("width: 8", "width: x").replace("label: bad,", "label: badd,")
    )
    code, _, err = run("check", project)
    assert code == 1
    assert "project.yaml:10:20: " in err
    assert "project.yaml:12:17: unknown label 'badd'; did you mean 'bad'?" in err


def test_a_failed_inline_test_fails_the_check(project: Path, run: Run) -> None:
    """With the test's place, what was expected and what came."""
    (project / "rules" / "loans.yaml").write_text(RULES.replace("income: 500", "income: 5000"))
    code, _, err = run("check", project)
    assert code == 1
    assert "rules/loans.yaml:12:50: test of 'young' failed: expected review, got none" in err


@pytest.mark.parametrize("name", ["out.parquet", "out.csv", "out.csv.gz", "out.jsonl", "out.jsonl.gz"])
def test_score_writes_every_format(fitted: Path, tmp_path: Path, run: Run, name: str) -> None:
    """The format goes by the name; the counts are reported."""
    code, out, _ = run("score", fitted / "new.parquet", "-o", tmp_path / name, "--project", fitted, "--json")
    assert code == 0
    report = json.loads(out)
    assert (report["rows"], report["decided"], report["rejected"]) == (50, 50, 0)
    assert sum(report["outcomes"].values()) == 50
    assert (tmp_path / name).stat().st_size > 0


def test_score_refuses_an_output_that_exists_unless_forced(fitted: Path, tmp_path: Path, run: Run) -> None:
    """Nothing is lost by a second run."""
    (tmp_path / "out.csv").write_text("mine")
    code, _, err = run("score", fitted / "new.parquet", "-o", tmp_path / "out.csv", "--project", fitted)
    assert code == 1
    assert "exists already" in err
    assert (tmp_path / "out.csv").read_text() == "mine"
    assert (
        run("score", fitted / "new.parquet", "-o", tmp_path / "out.csv", "--project", fitted, "--force")[0]
        == 0
    )


def test_score_puts_rows_it_cannot_read_aside_with_every_reason(
    fitted: Path, tmp_path: Path, run: Run
) -> None:
    """Row number, every problem and the record; the other rows are decided."""
    (tmp_path / "in.csv").write_text("loan_id,age,income,job\na,30,1000,cook\nb,x,y,cook\nc,40,,\n")
    code, out, _ = run(
        "score", tmp_path / "in.csv", "-o", tmp_path / "out.csv", "--project", fitted, "--keep"
    )
    assert code == 0
    assert "2 of 3 rows decided" in out
    (rejected,) = (tmp_path / "out.csv.rejects.jsonl").read_text().splitlines()
    assert json.loads(rejected)["row"] == 1
    assert len(json.loads(rejected)["problems"]) == 2
    assert pc.read_csv(tmp_path / "out.csv").column_names[:4] == ["loan_id", "age", "income", "job"]


def test_a_file_of_which_no_row_can_be_read_ends_with_1(fitted: Path, tmp_path: Path, run: Run) -> None:
    """Every row is put aside with its reasons, and the exit code says that the file is wrong."""
    (tmp_path / "in.csv").write_text("loan_id,age,income,job\na,x,1000,cook\nb,x,y,cook\n")
    code, out, _ = run("score", tmp_path / "in.csv", "-o", tmp_path / "out.csv", "--project", fitted)
    assert code == 1
    assert "0 of 2 rows decided" in out
    assert len((tmp_path / "out.csv.rejects.jsonl").read_text().splitlines()) == 2


def test_explain_says_what_fired_on_which_values(fitted: Path, run: Run) -> None:
    """A record as JSON, a record in a file, a row of a file."""
    record = {"loan_id": "x", "age": 20, "income": 500.0, "job": "cook"}
    code, out, _ = run("explain", "--record", json.dumps(record), "--project", fitted)
    assert code == 0
    assert "review, decided by young" in out
    assert "age = 20" in out
    explained = json.loads(
        run("explain", fitted / "new.parquet", "--row", 3, "--project", fitted, "--json")[1]
    )
    assert explained["decision"]["id"] == "l3"


def test_explain_says_which_fields_moved_the_score(fitted: Path, run: Run) -> None:
    """Log-odds and fields of the score that decided, reasons under the project's codes; all of it as JSON."""
    record = json.dumps({"loan_id": "x", "age": 30, "income": 450.0, "job": "cook"})
    code, out, _ = run("explain", "--record", record, "--project", fitted, "--fields", 1)
    assert code == 0
    assert "log-odds" in out
    assert "2 other fields" in out
    assert "most against it: INCOME_LOW (income +" in out
    explained = json.loads(run("explain", "--record", record, "--project", fitted, "--json")[1])
    moved = explained["contributions"]["risk"]
    assert set(moved["fields"]) == {"age", "income", "job"}
    assert abs(moved["base"] + sum(moved["fields"].values()) - moved["log_odds"]) < 1e-9
    assert explained["decided_on"] == ["risk"]
    assert explained["adverse_reasons"][0]["fields"] == ["income"]


def test_explain_reads_a_record_from_a_file(fitted: Path, tmp_path: Path, run: Run) -> None:
    """@FILE holds one JSON object."""
    (tmp_path / "one.json").write_text('{"loan_id": "y", "age": 44, "job": "spy"}')
    code, out, _ = run("explain", "--record", f"@{tmp_path / 'one.json'}", "--project", fitted)
    assert code == 0
    assert "reject, decided by refused-job" in out


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["explain", "--record", "{"], 1, "not JSON"),
        (["explain", "--record", "[1]"], 1, "a record is a JSON object"),
        (["explain", "--record", "@nowhere.json"], 1, "nowhere.json: No such file"),
        (["explain", "--record", '{"age": "old"}'], 1, "age: "),
        (["explain", "NEW", "--row", "50"], 1, "no row 50; it has 50 rows"),
        (["explain"], 2, "give FILE with --row N, or --record JSON"),
        (["explain", "NEW"], 2, "give FILE with --row N, or --record JSON"),
        (["score", "nowhere.csv", "-o", "out.csv"], 1, "nowhere.csv does not exist"),
        (["score", "NEW", "-o", "out.xyz"], 1, "unknown format"),
        (["score", "NEW"], 2, "Missing option '--out'"),
        (["evaluate", "NEW"], 1, "no column 'bad'"),
        (["evaluate", "nowhere.parquet"], 1, "nowhere.parquet does not exist"),
        (["show", "nobody"], 1, "no name 'nobody'"),
        (["show", "somewhere/else"], 1, "no bundle there"),
        (["show", "lost.tandem"], 1, "no such file"),
        (["promote", "nobody"], 1, "no name 'nobody'"),
        (["promote", "latest", "--as", "Über"], 1, "cannot be a name"),
        (["diff", "latest"], 2, "Missing argument 'B'"),
        (["fit", "--bundle"], 2, "No such option"),
        (["nonsense"], 2, "No such command 'nonsense'"),
    ],
)
def test_bad_input_is_exit_1_and_misuse_exit_2(
    fitted: Path, run: Run, arguments: list[str], code: int, message: str
) -> None:
    """A message that names the place; never a traceback, nothing on stdout."""
    known = ("explain", "score", "evaluate", "show", "promote", "diff")
    where = ["--project", str(fitted)] if arguments[0] in known else []
    given = [str(fitted / "new.parquet") if one == "NEW" else one for one in arguments]
    found, out, err = run(*given, *where)
    assert (found, out) == (code, "")
    assert message in err


def test_evaluate_judges_any_labelled_file(fitted: Path, tmp_path: Path, run: Run) -> None:
    """The latest bundle, three ways, on rows it has never seen; a bundle may be named first."""
    pq.write_table(loans(200, seed=9), tmp_path / "more.parquet")
    code, out, err = run("evaluate", tmp_path / "more.parquet", "--project", fitted)
    assert (code, err) == (0, "")
    assert "model alone" in out
    assert "200 rows" in out
    named = run("evaluate", "latest", tmp_path / "more.parquet", "--project", fitted, "--json")[1]
    assert json.loads(named)["rows"] == 200


def test_a_broken_row_is_left_out_and_said(tmp_path: Path, run: Run) -> None:
    """The note gives the first one's row and what is wrong with it."""
    (tmp_path / "few.csv").write_text("a,bad\n1,true\n2\n3,false\n")
    code, _, err = run("init", "few", tmp_path / "few", "--data", tmp_path / "few.csv", "--label", "bad")
    assert code == 0
    assert "few.csv: 1 row is broken and left out; row 1: 1 cells where the header has 2" in err


def test_evaluating_on_the_rows_of_the_fit_is_said(fitted: Path, run: Run) -> None:
    """The figures come all the same, and the note says what they are worth."""
    code, out, _ = run("evaluate", fitted / "loans.parquet", "--project", fitted)
    assert (code, "model alone" in out) == (0, True)
    assert "the bundle was fitted on rows of" in out


def test_init_payments_writes_a_project_that_checks(tmp_path: Path, run: Run) -> None:
    """And says that the payments are synthetic."""
    code, _, err = run("init", "payments", tmp_path / "pay", "--rows", 1000)
    assert code == 0
    assert "SYNTHETIC" in err
    assert run("check", tmp_path / "pay")[0] == 0


def test_init_from_a_table_writes_a_project_that_checks(tmp_path: Path, run: Run) -> None:
    """Fields, label, policy and an example rule; the data stays where it is."""
    pq.write_table(loans(100), tmp_path / "loans.parquet")
    given = ("init", "shop", tmp_path / "shop", "--data", tmp_path / "loans.parquet", "--label", "bad")
    assert run(*given)[0] == 0
    assert run("check", tmp_path / "shop")[0] == 0
    project = load_project(tmp_path / "shop")
    assert project.data.train is not None
    assert (project.root / project.data.train).resolve() == tmp_path / "loans.parquet"
    code, _, err = run(*given)
    assert code == 1
    assert "exists already" in err


def test_init_without_data_says_what_to_give(tmp_path: Path, run: Run) -> None:
    """Misuse: exit 2, and no folder."""
    code, _, err = run("init", "shop", tmp_path / "shop")
    assert code == 2
    assert "--data FILE and --label COLUMN" in err
    assert not (tmp_path / "shop").exists()


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("train: loans.parquet", "train: lost.parquet", "lost.parquet: no such file"),
        ("data: {train: loans.parquet}\n", "", "names no data to fit on"),
        ("column: bad", "column: good", "good"),
        ("  age: {type: int, min: 18, max: 120}", "  years: {type: int}", "no column 'years'"),
    ],
)
def test_fit_refuses_data_it_cannot_learn_from(
    project: Path, run: Run, old: str, new: str, message: str
) -> None:
    """Exit 1, the place and what to do; the registry is as it was."""
    text = (project / "project.yaml").read_text()
    assert old in text
    (project / "project.yaml").write_text(text.replace(old, new))
    (project / "rules" / "loans.yaml").write_text("rules: []\n")
    before = sorted(path.name for path in (project / "registry").rglob("*"))
    code, out, err = run("fit", project)
    assert (code, out) == (1, "")
    assert message in err
    assert sorted(path.name for path in (project / "registry").rglob("*")) == before
