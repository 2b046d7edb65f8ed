"""How an experiment stands fits the terminal, whatever its size, the number of variants and their names."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from engine.cli.watching import live_lines, shortened
from engine.experiments.load import load_sweep
from engine.experiments.standing import EVIDENCE, Standing
from engine.experiments.trial import Trial
from engine.experiments.variants import variants_of
from tests.engine.experiments.small_sweep import write_sweep

TANDEM = Path(sys.executable).with_name("tandem")


@pytest.fixture(scope="module")
def standings(tmp_path_factory: pytest.TempPathFactory) -> list[Standing]:
    """A hundred variants with long names: twenty have run twice, forty once, ten of these were dropped."""
    whens = [
        f"scores.lost >= 0.3{at:02d} && scores.size.large < 0.9 && scores.lost != 0.5{at:02d}"
        for at in range(99)
    ]
    sweep = "vary:\n  policy.0.when: " + json.dumps(whens) + "\n"
    variants = variants_of(load_sweep(write_sweep(tmp_path_factory.mktemp("many"), sweep, rows=20)))
    assert len(variants) == 100
    found = []
    for one in variants:
        rung = 2 if one.number < 20 else 1 if one.number < 60 else 0
        rows = np.array([0.2, 0.4]) + (one.number - 7) ** 2 / 1_000
        trial = Trial({"log_loss": rows}, {"lost": "logistic"}, {}, "", "", 1, 1.0, 1.0, 0.0, 1, 1, 1)
        fate = EVIDENCE if 50 <= one.number < 60 else ""
        found.append(Standing(one, (trial,) if rung else (), rung, fate))
    return found


@pytest.mark.parametrize("columns", [30, 60, 80, 200])
@pytest.mark.parametrize("lines", [6, 24, 100])
def test_what_is_shown_fits(standings: list[Standing], columns: int, lines: int) -> None:
    """A line of its own each, and room for the cursor's."""
    said = live_lines("rung 2 of 3: " + "long " * 20, 0.5, standings, "log_loss", columns, lines)
    assert len(said) < lines
    assert max(map(cell_len, said)) < columns


def test_the_best_of_those_that_came_furthest_stand_first(standings: list[Standing]) -> None:
    """And it is said how many are not shown, and how many were dropped."""
    title, counts, _, first, *_, rest = live_lines("rung 2 of 3", 0.5, standings, "log_loss", 200, 24)
    assert title == "rung 2 of 3 (50%)"
    assert counts == "100 variants: 90 in the race, 10 dropped"
    assert standings[7].variant.name in first
    assert rest == "and 81 more"


@given(st.text(max_size=60), st.integers(1, 60))
def test_a_shortened_name_fits_and_a_short_one_stays(name: str, width: int) -> None:
    """In columns of a terminal, of which some letters take two."""
    assert cell_len(shortened(name, width)) <= width
    if cell_len(name) <= width:
        assert shortened(name, width) == name


def on_a_terminal(project: Path, columns: int, sweep: str) -> str:
    """What `tandem experiment` shows on a terminal of so many columns, run in the project's folder."""
    (project / "sweep.yaml").write_text(sweep)
    ours, theirs = pty.openpty()
    sized = ["sh", "-c", f"stty cols {columns} rows 20; exec {TANDEM} experiment sweep.yaml"]
    environment = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES")}
    running = subprocess.Popen(
        sized, stdin=theirs, stdout=theirs, stderr=theirs, env=environment, cwd=project
    )
    os.close(theirs)
    said = b""
    while True:
        try:
            came = os.read(ours, 65_536)
        except OSError:  # the other end is closed
            break
        said += came
    os.close(ours)
    assert running.wait(60) == 0
    return said.decode()


def test_on_a_terminal_no_line_is_broken(project: Path) -> None:
    """Of sixty columns: the table as it runs, and the leaderboard without the columns that have no room."""
    sweep = 'vary: {policy.0.when: ["scores.risk >= 0.6 && scores.risk < 0.99999999"]}\nrace: false\n'
    text = on_a_terminal(project, 60, sweep)
    assert "2 variants: 2 in the race, 0 dropped" in text
    assert text.count("note: sweep.yaml:1:8: ") == 1
    board = [line for line in text[text.index("Leaderboard") :].splitlines() if "\x1b" not in line]
    assert sum("±" in line for line in board) == 2
    assert "validation rows" in text
    assert max(map(cell_len, board)) <= 60


def test_what_became_of_a_variant_is_whole_on_a_terminal(project: Path) -> None:
    """Of eighty columns, with long names and two seeds: which variant it decides as, by its number."""
    written = project / "project.yaml"
    written.write_text(written.read_text().replace("epochs: 3", "epochs: 1, learning_rate: 0.000001"))
    sweep = """\
race: false
seeds: [1, 2]
variants:
  - {name: a width that is of no consequence for what the fields alone say, set: {embedding.width: 4}}
"""
    text = on_a_terminal(project, 80, sweep)
    board = text[text.index("Leaderboard") :].splitlines()
    rows = {line.split()[0]: line for line in board if "±" in line}
    assert rows["1"].endswith("winner")
    assert rows["2"].endswith("decides as no. 1")
    assert max(cell_len(line) for line in board if "\x1b" not in line) <= 80
