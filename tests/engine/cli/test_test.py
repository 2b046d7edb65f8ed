"""`tandem test`: tests inside rules and cases of test files, chosen, counted and told."""

from __future__ import annotations

import json
from pathlib import Path

from tests.engine.cli.conftest import PROJECT, RULES, Run

CASES = """\
cases:
  - name: young and poor
    given: {age: 20, income: 500, job: cook, scores: {risk: 0.9}}
    expect: {outcome: review, proposed: reject, decided_by: young}
  - {name: a spy, given: {age: 50, income: 5000, job: spy, scores: {risk: 0.1}}, expect: reject}
  - {name: the policy's, given: {age: 50, income: 5000, scores: {risk: 0.6}}, expect: reject}
"""


def made(root: Path, cases: str = CASES) -> Path:
    for name, text in {
        "project.yaml": PROJECT,
        "rules/loans.yaml": RULES,
        "lists/refused.txt": "spy\n",
        "tests/loans_test.yaml": cases,
    }.items():
        (root / name).parent.mkdir(exist_ok=True, parents=True)
        (root / name).write_text(text)
    return root


def test_a_project_is_tested_without_a_model(run: Run, tmp_path: Path) -> None:
    """No bundle was ever fitted here; -k and paths choose."""
    root = made(tmp_path)
    assert run("test", root) == (0, "4 passed\n", "")
    assert run("test", root, "-k", "SPY")[1] == "1 passed\n"
    assert run("test", "-p", root, root / "rules/loans.yaml")[1] == "1 passed\n"
    assert run("test", "-p", root, root / "tests/loans_test.yaml", "-k", "young")[1] == "1 passed\n"
    assert run("test", root, "-k", "nobody")[0] == 2
    assert run("check", root)[1].endswith("4 tests passed\n")
    assert run("test", tmp_path / "nowhere", "-p", tmp_path / "nowhere")[0] == 1


def test_what_fails_ends_with_one(run: Run, tmp_path: Path) -> None:
    """In `test` and in `check`; `--json` lists every test."""
    root = made(tmp_path, CASES.replace("decided_by: young", "decided_by: policy"))
    code, out, err = run("test", root)
    assert (code, out) == (1, "1 failed, 3 passed\n")
    assert err.startswith(
        "tests/loans_test.yaml:4:61: case 'young and poor' failed: decided_by: expected policy"
    )
    assert run("check", root)[0] == 1
    code, out, _ = run("test", root, "--json")
    told = json.loads(out)
    assert (code, told["ok"], told["failed"], told["passed"]) == (1, False, 1, 3)
    assert [(test["name"], test["line"], test["passed"]) for test in told["tests"]] == [
        ("young [1]", 12, True),
        ("young and poor", 2, False),
        ("a spy", 5, True),
        ("the policy's", 6, True),
    ]


def test_files_that_are_wrong_are_told(run: Run, tmp_path: Path) -> None:
    """A mistake in a test file, and a test file among the rules."""
    root = made(tmp_path, "casse: []")
    code, out, err = run("test", root)
    assert (code, out) == (1, "")
    assert "tests/loans_test.yaml:1:1: unknown key 'casse'; did you mean 'cases'?" in err
    (root / "rules/loans_test.yaml").write_text(CASES)
    code, _, err = run("test", root)
    assert code == 1
    assert "rules/loans_test.yaml:1:1: a test file among the rules; move it to tests/" in err
    assert json.loads(run("test", root, "--json")[1])["ok"] is False


def test_the_tests_of_tables_are_run_and_told_as_their_own(run: Run, tmp_path: Path) -> None:
    """A failed test of a table is no other test's."""
    root = made(tmp_path)
    table = (
        "tables:\n  - id: rich\n    inputs: [income]\n    rows: [{id: a, income: '> 5000', decide: accept}]\n"
        "    tests:\n      - {given: {income: 6000}, expect: accept}\n"
        "      - {given: {income: 6000}, expect: none}\n"
    )
    (root / "rules/loans.yaml").write_text(RULES + table)
    code, out, err = run("test", root)
    assert (code, out) == (1, "1 failed, 5 passed\n")
    assert err.count("failed:") == 1
    assert run("test", root, "-k", "rich [1]")[:2] == (0, "1 passed\n")


def test_periods_go_by_the_field_that_the_project_names(run: Run, tmp_path: Path) -> None:
    """`event_time: seen_at` holds in `tandem test` as it does in `tandem check`."""
    root = made(tmp_path)
    field = "event_time: seen_at\nfields:\n  seen_at: {type: timestamp, nullable: true}\n"
    (root / "project.yaml").write_text(PROJECT.replace("fields:\n", field, 1))
    rule = "rules: [{id: old, when: age > 90, decide: review, effective: {from: 2026-01-01}}]\n"
    (root / "rules/old.yaml").write_text(rule)
    assert run("test", root) == (0, "4 passed\n", "")


def test_a_file_that_is_not_there_is_refused(run: Run, tmp_path: Path) -> None:
    """Alone, beside one that is there, and where it stands in the project's folder alone; so is a folder."""
    root = made(tmp_path)
    for given, said in (
        (["nofile.yaml"], "nofile.yaml: no such file"),
        ([root / "rules/loans.yaml", "nofile.yaml"], "nofile.yaml: no such file"),
        (["rules/loans.yaml"], f"did you mean {root}/rules/loans.yaml?"),
        ([root / "rules", root / "rules/loans.yaml"], "a folder; name one project"),
    ):
        code, _, err = run("test", "-p", root, *given)
        assert (code, said in err) == (1, True), err
    for given, said in (
        ([root / "project.yaml"], "there is no test in"),
        (["-k", "nobody"], "no test has 'nobody' in its name"),
    ):
        code, _, err = run("test", "-p", root, *given)
        assert (code, said in " ".join(err.split())) == (2, True), err


def test_links_out_of_the_project_are_not_read(run: Run, tmp_path: Path) -> None:
    """A rule file, a test file and project.yaml; links within the project are followed."""
    root = made(tmp_path / "p")
    (tmp_path / "secret").write_text("password: 1234\n")
    (root / "kept.yaml").write_text("rules: [{id: kept, when: age > 90, decide: review}]")
    (root / "rules/kept.yaml").symlink_to(root / "kept.yaml")
    assert run("test", root)[0] == 0
    for name in ("rules/x.yaml", "tests/x_test.yaml", "project.yaml"):
        (root / name).unlink(missing_ok=True)
        (root / name).symlink_to(tmp_path / "secret")
        code, out, err = run("check", root)
        assert (code, out) == (1, "")
        assert f"{name}:1:1: a link that leads outside the project; put the file itself there" in err
        assert "1234" not in err
        (root / name).unlink()
