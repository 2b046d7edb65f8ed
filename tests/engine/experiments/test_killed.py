"""An experiment killed in the middle and run again comes to what it would have come to."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from engine.experiments.cache import read_arrays
from engine.experiments.outcome import Outcome
from tests.engine.experiments.small_sweep import QUICK, board_of, run, write_sweep

ROOT = Path(__file__).parents[3]
SWEEP = (
    "vary: {embedding.width: [2, 16], classifiers.lost.candidates: [[logistic], [tree]]}\nrace: {rungs: 2}\n"
)
SCRIPT = """
import sys
from pathlib import Path
from tests.engine.experiments.small_sweep import run
run(Path(sys.argv[1]))
"""
ROWS = 6_000


def finished(folder: Path) -> int:
    """Files of what is through; a training under way is kept as well, and has embedded nothing yet."""
    kept = [read_arrays(path) for path in folder.rglob("*.npz")]
    return sum(arrays is not None and "random.cpu" not in arrays for arrays in kept)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    """What the experiment comes to, left alone."""
    return run(write_sweep(tmp_path_factory.mktemp("whole"), SWEEP, text=QUICK, rows=ROWS))


@pytest.mark.parametrize("files", [1, 6])
def test_killed_and_run_again_it_comes_to_the_same(tmp_path: Path, whole: Outcome, files: int) -> None:
    """SIGKILL when so many are kept: the rerun embeds less than a first run, and gives its figures."""
    path = write_sweep(tmp_path / "killed", SWEEP, text=QUICK, rows=ROWS)
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    with subprocess.Popen([sys.executable, "-c", SCRIPT, str(path)], cwd=ROOT, env=environment) as process:
        while finished(path.parent) < files:
            assert process.poll() is None, "it ended before it could be killed"
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    again = run(path)
    assert board_of(again) == board_of(whole)
    assert again.embedded_rows < whole.embedded_rows
