"""Projects with one hostile or broken thing in each, checked one after the other in a process of its own."""

from __future__ import annotations

import contextlib
import io
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

PROJECT = """\
fields:
  amount: {type: float}
  memo: {type: text, nullable: true}
  is_new: {type: bool}
outcomes: [approve, review]
classifiers: {fraud: {label: is_fraud}}
policy: [{when: "true", decide: approve}]
"""
BOMB = "a: &a [x, x]\n" + "".join(
    f"{chr(98 + i)}: &{chr(98 + i)} [*{chr(97 + i)}, *{chr(97 + i)}]\n" for i in range(20)
)
RULE = "rules:\n  - id: a\n    when: |\n      {0}\n    decide: review\n"


def rule(when: str) -> Callable[[Path], None]:
    return lambda root: rules(root, a=RULE.format(when))


def rules(root: Path, **files: str | bytes) -> None:
    for name, text in files.items():
        data = text if isinstance(text, bytes) else text.encode()
        (root / "rules" / f"{name}.yaml").write_bytes(data)


def huge(root: Path) -> None:
    with (root / "rules/a.yaml").open("wb") as file:
        file.truncate(100 * 1024 * 1024)


def outside(root: Path) -> None:
    (root.parent / "secret.txt").write_text("secret")
    (root / "lists/link.txt").symlink_to(root.parent / "secret.txt")
    lists = ("lists/../../secret.txt", "/etc/passwd", "lists/link.txt")
    declared = "".join(f"  l{number}: {{file: {file}}}\n" for number, file in enumerate(lists))
    rules(root, a=f"lists:\n{declared}rules: []\n")


def one(name: str) -> str:
    return f"rules:\n  - {{id: {name}, when: is_new, decide: review}}\n"


def many(root: Path, count: int, *, field: str = "amount", files: int = 1) -> None:
    """Write so many rules, each of its own threshold, into files of equal length."""
    each = count // files
    for number in range(files):
        lines = [
            f"  - {{id: r{at}, when: {field} > {at}.5, decide: review}}\n"
            for at in range(number * each, (number + 1) * each)
        ]
        rules(root, **{f"f{number:03}": "rules:\n" + "".join(lines)})


def large(root: Path) -> None:
    filling = "#" * 4_000_000
    rules(root, **{f"f{number}": f"rules: []\n{filling}\n" for number in range(5)})


def long_list(root: Path) -> None:
    (root / "lists/a.txt").write_bytes(b"entry\n" * 7_000_000)
    rules(root, a="lists: {a: {file: lists/a.txt}}\nrules: []\n")


def bad_sheet(root: Path) -> None:
    rows = "".join(f"r{at},[{at}..x),'m',reviw\n" for at in range(50_000))
    (root / "lists/t.csv").write_text(f"id,amount,memo,decide\n{rows}")
    rules(root, a="tables: [{id: t, hit_policy: first, inputs: [amount, memo], file: lists/t.csv}]\n")


def tests(root: Path) -> None:
    (root / "tests/a_test.yaml").write_text("cases: " + "[" * 10_000)


def pipe(root: Path) -> None:
    os.mkfifo(root / "rules/a.yaml")


def project_pipe(root: Path) -> None:
    (root / "project.yaml").unlink()
    os.mkfifo(root / "project.yaml")


CASES: dict[str, Callable[[Path], None]] = {
    "yaml bomb": lambda root: rules(root, a=BOMB),
    "100 MB": huge,
    "a pipe": pipe,
    "a pipe for a project": project_pipe,
    "brackets 10,000 deep": lambda root: rules(root, a="rules: " + "[" * 10_000),
    "mappings 10,000 deep": lambda root: rules(root, a="{a: " * 10_000),
    "parentheses 9,000 deep": rule("(" * 9_000 + "is_new" + ")" * 9_000),
    "negations 10,000 deep": rule("!" * 10_000 + "is_new"),
    "lists 9,000 deep": rule("[" * 9_000 + "1" + "]" * 9_000 + " == 1"),
    "10,000 terms": rule(" || ".join(["amount > 1.0"] * 10_000)),
    "2,000 terms": rule("||".join(["is_new"] * 2_000)),
    "a sum of 2,800": rule("+".join(["amount"] * 2_800) + " > 1.0"),
    "a catastrophic regular expression": lambda root: rules(
        root,
        a="rules:\n  - id: a\n    when: memo.matches('^(a+)+$')\n    decide: review\n    tests:\n"
        f"      - {{given: {{memo: {'a' * 5_000}b}}, expect: none}}\n",
    ),
    "a regular expression beyond RE2": rule("memo.matches('(?=a)b')"),
    "a regular expression too large": rule("memo.matches('((a{100}){100}){100}')"),
    "list files outside": outside,
    "ids twice in two files": lambda root: rules(root, a=one("x"), b=one("x")),
    "a tab": lambda root: rules(root, a="rules:\n\t- {id: a}\n"),
    "a byte order mark": lambda root: rules(root, a="\ufeff" + one("x")),
    "carriage returns": lambda root: rules(root, a="rules:\r\n  - {id: x, when: is_nw, decide: review}\r\n"),
    "a look-alike": rule("\u0430mount > 1.0"),
    "a look-alike key": lambda root: rules(root, a=one("x").replace("decide", "d\u0435cide")),
    "a look-alike id": lambda root: rules(root, a=one("p\u0430y")),
    "a right-to-left mark": rule("is_new \u202e"),
    "a test file 10,000 deep": tests,
    "100,000 rules": lambda root: many(root, 100_000, files=10),
    "10,000 bad rules": lambda root: many(root, 10_000, field="amunt"),
    "10,000 bad rules in 100 files": lambda root: many(root, 10_000, field="amunt", files=100),
    "20 MB in five files": large,
    "190,000 unknown keys": lambda root: rules(root, a="".join(f"k{at}: 1\n" for at in range(190_000))),
    "a text of 4 MB": rule("x" * 4_000_000),
    "one id 10,000 times": lambda root: rules(root, a=one("x") + one("x").removeprefix("rules:\n") * 9_999),
    "a list of 7 million lines": long_list,
    "a CSV table of 50,000 bad rows": bad_sheet,
}


def main(folder: Path) -> None:
    """Check every case under `folder` and print what each was told, as JSON."""
    from engine.cli import main as tandem

    told = {}
    for number, (name, prepare) in enumerate(CASES.items()):
        root = folder / str(number)
        for part in ("rules", "lists", "tests"):
            (root / part).mkdir(parents=True)
        (root / "project.yaml").write_text(PROJECT)
        prepare(root)
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = tandem(["check", str(root)])
        told[name] = code, out.getvalue(), err.getvalue()
    print(json.dumps(told))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
