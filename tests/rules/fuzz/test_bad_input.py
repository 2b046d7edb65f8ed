"""Bad input is refused or answered, with the place named: `tandem check` in a process with a limit."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.rules.fuzz.bad_input import CASES

PLACE = re.compile(r"[\w./]+\.(?:yaml|txt|csv):\d+:\d+: ")
ROOT = Path(__file__).parents[3]
SECONDS = 120  # for all of them: what hangs is found, a slow machine is not

DEEP = "nested more than 40 deep"
TOO_DEEP = "nested too deeply"
MORE = "from here on there are more problems than the 500 above"
ANSWERS = {
    "yaml bomb": ["rules/a.yaml:1:4: YAML anchors (&name) are not read"],
    "100 MB": ["rules/a.yaml:1:1: 104,857,600 bytes, and a file holds at most 4,194,304"],
    "a pipe": ["rules/a.yaml:1:1: cannot be read: not a plain file"],
    "a pipe for a project": ["project.yaml:1:1: cannot be read: not a plain file"],
    "brackets 10,000 deep": [f"rules/a.yaml:1:47: {DEEP}"],
    "mappings 10,000 deep": [f"rules/a.yaml:1:161: {DEEP}"],
    "parentheses 9,000 deep": [f"rules/a.yaml:4:7: {TOO_DEEP}"],
    "negations 10,000 deep": [],
    "lists 9,000 deep": [f"rules/a.yaml:4:7: {TOO_DEEP}"],
    "10,000 terms": ["rules/a.yaml:4:7: the expression has 159,997 characters; at most 20,000 are read"],
    "2,000 terms": [],
    "a sum of 2,800": [f"rules/a.yaml:4:7: {TOO_DEEP}"],
    "a catastrophic regular expression": [],
    "a regular expression beyond RE2": ["rules/a.yaml:4:20: not a regular expression (RE2)"],
    "a regular expression too large": ["rules/a.yaml:4:20: not a regular expression (RE2)"],
    "list files outside": [
        "rules/a.yaml:2:14: 'lists/../../secret.txt': a path may not hold '..'",
        "rules/a.yaml:3:14: '/etc/passwd': list files live under lists/",
        "rules/a.yaml:4:14: the list file 'lists/link.txt' cannot be read: lists/link.txt: leads outside",
    ],
    "ids twice in two files": ["rules/b.yaml:2:10: the id 'x' is taken; first at rules/a.yaml:2"],
    "a tab": ["rules/a.yaml:2:1: a tab where YAML wants spaces"],
    "a byte order mark": [],
    "carriage returns": ["rules/a.yaml:2:19: unknown field 'is_nw'; did you mean 'is_new'?"],
    "a look-alike": ["rules/a.yaml:4:7: unexpected character 'а'"],
    "a look-alike key": [
        "rules/a.yaml:2:27: unknown key 'dеcide'",
    ],
    "a look-alike id": ["rules/a.yaml:2:10: 'id' may hold letters, digits, '-', '_' and '.' only"],
    "a right-to-left mark": ["rules/a.yaml:4:14: character U+202E is not read"],
    "a test file 10,000 deep": [f"tests/a_test.yaml:1:47: {DEEP}"],
    "100,000 rules": ["rules/f001.yaml:2:5: more than 10,000 rules in all"],
    "10,000 bad rules": [
        *(f"rules/f000.yaml:{line}:" for line in range(2, 502)),
        f"rules/f000.yaml:502:22: {MORE}",
    ],
    "10,000 bad rules in 100 files": [
        *(f"rules/f00{file}.yaml:{line}:" for file in range(5) for line in range(2, 102)),
        f"rules/f005.yaml:2:22: {MORE}",
    ],
    "20 MB in five files": ["rules/f4.yaml:1:1: with this file the rule files have 20,000,055 bytes"],
    "190,000 unknown keys": ["rules/a.yaml:1:1: unknown key 'k0'"],
    "a text of 4 MB": ["rules/a.yaml:4:7: the expression has 4,000,001 characters; at most 20,000 are read"],
    "one id 10,000 times": ["rules/a.yaml:3:10: the id 'x' is taken; first at rules/a.yaml:2"],
    "a list of 7 million lines": ["lists/a.txt:2000001:1: 7,000,001 lines, and a list file holds at most"],
    "a CSV table of 50,000 bad rows": ["lists/t.csv:2:8: a number is needed, got 'x'"],
}


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[int, str, str]]:
    """What each project was told: exit code, stdout, stderr."""
    command = [sys.executable, "-m", "tests.rules.fuzz.bad_input", str(tmp_path_factory.mktemp("bad"))]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=SECONDS)
    answers: dict[str, tuple[int, str, str]] = json.loads(done.stdout)
    return answers


@pytest.mark.parametrize("name", CASES)
def test_bad_input_is_answered_with_its_place(name: str, told: dict[str, tuple[int, str, str]]) -> None:
    """Refused, every problem at its place and a short line of the file; or taken, and nothing is wrong."""
    code, _, err = told[name]
    assert code == (1 if ANSWERS[name] else 0)
    problems = [line for line in err.splitlines() if PLACE.match(line) and "warning[" not in line]
    for problem, expected in zip(problems, ANSWERS[name], strict=False):
        assert problem.startswith(expected)
    assert bool(problems) == bool(ANSWERS[name])
    assert len(problems) >= len(ANSWERS[name])
    assert max(map(len, err.splitlines())) < 300
