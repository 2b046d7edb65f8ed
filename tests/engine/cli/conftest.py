"""A small fitted project, made once through the command line, and copies of it to change."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from engine.cli import main

PROJECT = """\
name: loans
id: loan_id
fields:
  age: {type: int, min: 18, max: 120}
  income: {type: float, nullable: true}
  job: {type: category, nullable: true}
outcomes: [accept, review, reject]
labels:
  bad: {column: bad, positive: true}
embedding: {width: 8, hidden: [16], bins: 4, epochs: 3, seed: 7}
classifiers:
  risk: {label: bad, candidates: [logistic, tree], reasons: {income: INCOME_LOW}}
policy:
  - {when: scores.risk >= 0.5, decide: reject}
  - {when: "true", decide: accept}
split: {by: random, validation: 0.2, test: 0.2, seed: 7}
data: {train: loans.parquet}
evaluation:
  label: bad
  acted: [review, reject]
  value: "outcome == 'accept' ? (label.bad ? -100.0 : 10.0) : 0.0"
"""
RULES = """\
filters: loans
lists:
  refused: {file: lists/refused.txt}
rules:
  - {id: refused-job, stage: before, when: job in refused, decide: reject, reason: REFUSED_JOB}
  # Young and poor.
  - id: young
    when: age < 25 && income < 1000
    decide: review
    reason: YOUNG
    tests:
      - {given: {age: 20, income: 500}, expect: review}
"""


def loans(rows: int, seed: int = 7) -> pa.Table:
    draw = np.random.default_rng(seed)
    age = draw.integers(18, 80, rows)
    income = np.round(draw.lognormal(7.5, 0.6, rows), 2)
    job = draw.choice(["clerk", "cook", "pilot", "spy"], rows)
    bad = draw.random(rows) < 1 / (1 + np.exp((income - 1500) / 400 + (age - 40) / 20))
    ids = [f"l{row}" for row in range(rows)]
    return pa.table({"loan_id": ids, "age": age, "income": income, "job": job, "bad": bad})


@pytest.fixture(scope="session")
def fitted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with one bundle, named latest; look, do not change."""
    root = tmp_path_factory.mktemp("loans")
    for name, text in {
        "project.yaml": PROJECT,
        "rules/loans.yaml": RULES,
        "lists/refused.txt": "spy\n",
    }.items():
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_text(text)
    pq.write_table(loans(600), root / "loans.parquet")
    pq.write_table(loans(50, seed=8).drop_columns(["bad"]), root / "new.parquet")
    assert main(["fit", str(root), "--why", "first"]) == 0
    return root


@pytest.fixture
def project(fitted: Path, tmp_path: Path) -> Path:
    """A copy of the fitted project."""
    root = tmp_path / "loans"
    shutil.copytree(fitted, root)
    return root


Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command in this process: gives exit code, stdout and stderr."""

    def command(*arguments: object) -> tuple[int, str, str]:
        capsys.readouterr()
        code = main([str(argument) for argument in arguments])
        printed = capsys.readouterr()
        assert "Traceback" not in printed.err
        return code, printed.out, printed.err

    return command
