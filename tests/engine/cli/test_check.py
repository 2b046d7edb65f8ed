"""`tandem check` and its flags: findings beside problems, strictness, coverage, SARIF, watching."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from tests.engine.cli.conftest import Run

SHADOWED = """\
rules:
  - {id: poor, when: income < 1000, decide: review, owner: risk}
  - {id: poorer, when: income < 500, decide: accept, owner: risk}
"""


def test_findings_go_to_stderr_and_do_not_fail_the_check(project: Path, run: Run) -> None:
    """The record of a finding can be pasted into a test."""
    (project / "rules" / "more.yaml").write_text(SHADOWED)
    code, out, err = run("check", project)
    assert (code, out) == (0, "loans: 4 rules in 2 files, 1 test passed\n")
    assert "rules/more.yaml:3:24: warning[shadowed]: 'poorer' never decides" in err
    assert "    for example: {income: " in err


def test_strict_lets_warnings_fail(project: Path, run: Run) -> None:
    assert run("check", project)[0] == 0
    assert run("check", project, "--strict")[0] == 1


def test_fields_without_a_reason_code_are_told_where_others_have_one(project: Path, run: Run) -> None:
    """Only then: who gives no codes is not asked for any, and who gives all has given them."""
    path = project / "project.yaml"
    text = path.read_text()
    code, _, err = run("check", project)
    assert code == 0
    assert "project.yaml:12:52: warning[no-reason-code]: no reason code for 'age', 'job'" in err
    log = json.loads(run("check", project, "--sarif", "-")[1])
    assert "no-reason-code" in {one["ruleId"] for one in log["runs"][0]["results"]}
    for codes in ("", ", reasons: {income: INCOME_LOW, age: AGE, job: JOB}"):
        path.write_text(text.replace(", reasons: {income: INCOME_LOW}", codes))
        assert "no-reason-code" not in run("check", project)[2]


def test_the_folder_is_given_as_the_other_commands_take_it_too(project: Path, run: Run) -> None:
    """By -p and --project; two different folders are refused."""
    told = run("check", project)
    assert told[0] == 0
    assert run("check", "-p", project) == run("check", "--project", project) == told
    assert run("check", project, "-p", project) == told
    code, _, err = run("check", project, "-p", project / "rules")
    assert code == 2
    assert "two projects" in err
    assert run("fit", "-p", project / "nowhere")[0] == 1


def test_findings_stand_between_problems_in_file_order(project: Path, run: Run) -> None:
    """A failed test does not keep the rest from being said."""
    path = project / "rules" / "loans.yaml"
    path.write_text(path.read_text().replace("expect: review", "expect: none"))
    code, out, err = run("check", project)
    assert (code, out) == (1, "")
    where = [err.index(text) for text in ("refused-job", "test of 'young' failed: expected none, got review")]
    assert where == sorted(where)
    assert "age < 25 is true, income < 1000 is true" in err
    assert "1 problem, " in err


def test_json_has_findings_with_their_records(project: Path, run: Run) -> None:
    (project / "rules" / "more.yaml").write_text(SHADOWED)
    told = json.loads(run("check", project, "--json")[1])
    found = [one for one in told["findings"] if one["code"] == "shadowed"]
    assert told["ok"]
    assert told["undecided"] == []
    assert found[0]["record"]["income"] < 500
    assert {one["code"] for one in told["findings"]} >= {"conflict", "untested"}


def test_coverage_names_what_no_test_has_seen(project: Path, run: Run) -> None:
    """A row a rule, the totals, and each branch with its place."""
    out = run("check", project, "--coverage")[1]
    assert "all 2" in out
    assert "rules/loans.yaml:8:11: no test has age < 25 false\n" in out
    covered = json.loads(run("check", project, "--coverage", "--json")[1])["coverage"]
    assert [one["rule"] for one in covered] == ["refused-job", "young"]
    assert covered[1]["branches"][0] == {
        "text": "age < 25", "line": 8, "column": 11, "true": True, "false": False, "unknown": False,
        "missed": ["false"],
    }  # fmt: skip


def test_sarif_has_rules_levels_and_regions(project: Path, run: Run) -> None:
    """The shape that SARIF 2.1.0 asks for, for problems and findings alike."""
    (project / "rules" / "more.yaml").write_text(SHADOWED)
    target = project / "check.sarif"
    assert run("check", project, "--sarif", target)[0] == 0
    log = json.loads(target.read_text())
    assert log["version"] == "2.1.0"
    (one,) = log["runs"]
    rules = one["tool"]["driver"]["rules"]
    assert len({rule["id"] for rule in rules}) == len(rules)
    for result in one["results"]:
        assert result["ruleId"] == rules[result["ruleIndex"]]["id"]
        assert result["level"] in ("error", "warning", "note")
        assert result["message"]["text"]
        place = result["locations"][0]["physicalLocation"]
        assert (project / place["artifactLocation"]["uri"]).is_file()
        assert place["region"]["startLine"] >= 1
        assert place["region"]["startColumn"] >= 1
    assert "shadowed" in {result["ruleId"] for result in one["results"]}
    (project / "rules" / "more.yaml").write_text("rules: [{id: a, when: incme > 1, tag: b}]")
    code, out, _ = run("check", project, "--sarif", "-")
    assert code == 1
    assert json.loads(out)["runs"][0]["results"][0]["ruleId"] == "problem"


def test_flags_that_do_not_go_together_are_misuse(project: Path, run: Run) -> None:
    assert run("check", project, "--watch", "--json")[0] == 2
    assert run("check", project, "--json", "--sarif", "-")[0] == 2


def test_watch_checks_on_every_save_and_ends_on_ctrl_c(project: Path) -> None:
    """An interrupt is how it ends: exit 0, and no traceback."""
    command = [sys.executable, "-u", "-m", "engine", "check", str(project), "--watch"]
    watching = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=Path(__file__).parents[3]
    )
    assert watching.stdout is not None
    try:
        assert _until(watching.stdout, "watching; Ctrl-C ends it")
        path = project / "rules" / "loans.yaml"
        path.write_text(path.read_text().replace("age < 25", "agee < 25"))
        assert "unknown field 'agee'" in _until(watching.stdout, "watching; Ctrl-C ends it")
        os.kill(watching.pid, signal.SIGINT)
        assert watching.wait(timeout=20) == 0
        assert "Traceback" not in watching.stdout.read()
    finally:
        watching.kill()
        watching.wait()
        watching.stdout.close()


def _until(stream: object, text: str, seconds: float = 60.0) -> str:
    """Read lines up to one that holds a text."""
    read = ""
    end = time.monotonic() + seconds
    while text not in read and time.monotonic() < end:
        read += stream.readline()  # type: ignore[attr-defined]
    return read


def test_coverage_of_a_table_counts_the_rows_that_fire(project: Path, run: Run) -> None:
    """Each row that no test makes fire is named, where it stands."""
    (project / "rules" / "table.yaml").write_text(
        "tables:\n  - id: ages\n    hit_policy: first\n    inputs: [age]\n    file: lists/ages.csv\n"
        "    tests: [{given: {age: 30}, expect: adult}, {given: {age: 19}, expect: none}]\n"
    )
    (project / "lists" / "ages.csv").write_text("id,age,decide\nadult,[20..70),review\nold,>= 70,reject\n")
    out = run("check", project, "--coverage")[1]
    assert "lists/ages.csv:3:1: no test makes the row ages.old fire\n" in out
    covered = json.loads(run("check", project, "--coverage", "--json")[1])["coverage"][-1]
    assert (covered["rule"], covered["tests"], covered["fires"]) == ("ages", 2, True)
    assert [(one["true"], one["file"]) for one in covered["branches"]] == [
        (True, "lists/ages.csv"),
        (False, "lists/ages.csv"),
    ]
