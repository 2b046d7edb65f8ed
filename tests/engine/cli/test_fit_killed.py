"""`tandem fit` killed in the middle and run again comes to the digest that it would have come to."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from engine.experiments.cache import CACHE, read_arrays
from engine.spill import SPILL
from tests.engine.cli.conftest import Run, loans

TANDEM = (str(Path(sys.executable).with_name("tandem")),)
_IN_FILES = """\
from engine import cli, spill
spill.MOST_BYTES, spill.BLOCK_ROWS = 0, 1_000
raise SystemExit(cli.main())
"""
IN_FILES = (sys.executable, "-c", _IN_FILES)
"""The same command, with tables of any size in files as those are that memory is too small for."""
ROWS = 12_000


@pytest.fixture
def long_project(project: Path) -> Path:
    """A project whose network trains for some seconds."""
    return lengthened(project)


@pytest.fixture(scope="module")
def alone(fitted: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    """What the same project comes to, left alone."""
    whole = tmp_path_factory.mktemp("alone") / "loans"
    shutil.copytree(fitted, whole)
    came = fit(lengthened(whole))
    assert came["went_on"] == []
    return came


def lengthened(project: Path) -> Path:
    """The project with more rows, and 40 epochs, none left out."""
    text = (project / "project.yaml").read_text()
    longer = text.replace("hidden: [16]", "hidden: [64, 64]").replace("epochs: 3", "epochs: 40, patience: 40")
    assert longer != text
    (project / "project.yaml").write_text(longer)
    pq.write_table(loans(ROWS), project / "loans.parquet")
    shutil.rmtree(project / ".tandem", ignore_errors=True)
    return project


def passes_kept(project: Path) -> int:
    """Epochs of the course that is kept; 0 where there is none."""
    for path in (project / CACHE).glob("??/*.npz"):
        arrays = read_arrays(path)
        if arrays is not None and "random.cpu" in arrays:
            return len(json.loads(arrays["about"].tobytes())["history"])
    return 0


def fit_and_stop(
    project: Path, after: int, stop: signal.Signals, command: tuple[str, ...] = TANDEM
) -> tuple[int, str]:
    """Fit, stop it once more passes than `after` are kept; gives how many are, and what it said."""
    fitting = subprocess.Popen(
        [*command, "fit", project], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    while passes_kept(project) <= after:
        assert fitting.poll() is None, "it ended before it could be stopped"
        time.sleep(0.01)
    fitting.send_signal(stop)
    out, err = fitting.communicate(timeout=60)
    assert fitting.returncode != 0
    assert out == ""
    return passes_kept(project), err


def fit(project: Path, *options: str, command: tuple[str, ...] = TANDEM) -> dict[str, object]:
    done = subprocess.run(
        [*command, "fit", project, "--json", *options], capture_output=True, text=True, check=True
    )
    assert done.stderr == ""
    return json.loads(done.stdout)  # type: ignore[no-any-return]


def test_killed_twice_and_run_again_it_comes_to_the_same(
    long_project: Path, alone: dict[str, object]
) -> None:
    """SIGKILL in the training, SIGKILL later in it, then to the end: the digest of a fit left alone."""
    first, err = fit_and_stop(long_project, 0, signal.SIGKILL)
    assert err == ""
    second, err = fit_and_stop(long_project, first, signal.SIGKILL)
    assert f"training of the tower goes on from epoch {first + 1} of 40 (interrupted after 2" in err
    assert first < second < 40
    again = fit(long_project)
    (went_on,) = again["went_on"]  # type: ignore[misc]
    assert f"goes on from epoch {second + 1} of 40" in went_on
    assert again["digest"] == alone["digest"]
    assert again["evaluation"] == alone["evaluation"]
    assert passes_kept(long_project) == 0


def test_killed_with_its_rows_in_files_it_goes_on_there(long_project: Path, alone: dict[str, object]) -> None:
    """It reads them again, and comes to the digest of a fit in memory; no rows are left in the folder."""
    kept, _ = fit_and_stop(long_project, 0, signal.SIGKILL, IN_FILES)
    again = fit(long_project, command=IN_FILES)
    (went_on,) = again["went_on"]  # type: ignore[misc]
    assert f"goes on from epoch {kept + 1} of 40" in went_on
    assert again["digest"] == alone["digest"]
    assert again["evaluation"] == alone["evaluation"]
    assert list((long_project / SPILL).iterdir()) == []


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_it_says_so_and_goes_on(
    long_project: Path, alone: dict[str, object], stop: signal.Signals
) -> None:
    """Ctrl-C and SIGTERM alike."""
    kept, err = fit_and_stop(long_project, 0, stop)
    assert err.endswith("; nothing half-written was left behind; run again, it goes on where it was\n")
    again = fit(long_project)
    assert str(again["went_on"]).count(f"goes on from epoch {kept + 1} of 40") == 1
    assert again["digest"] == alone["digest"]


def test_fresh_begins_anew_and_comes_to_the_same(long_project: Path, alone: dict[str, object]) -> None:
    """`--fresh` takes nothing from a fit that was interrupted."""
    fit_and_stop(long_project, 0, signal.SIGINT)
    fresh = fit(long_project, "--fresh")
    assert fresh["went_on"] == []
    assert fresh["digest"] == alone["digest"]


def test_where_nothing_can_be_kept_it_fits_all_the_same(project: Path, run: Run) -> None:
    """A fit needs no cache: that none can be written is said once, and the bundle is the same."""
    was = run("fit", str(project), "--fresh", "--json")
    shutil.rmtree(project / ".tandem", ignore_errors=True)
    (project / ".tandem").write_text("a file where the folder would be")
    (project / "registry").rename(project / "set-aside")
    code, out, err = run("fit", str(project), "--json")
    assert (code, err) == (0, "")
    assert json.loads(out)["digest"] == json.loads(was[1])["digest"]
    assert sum("nothing is kept" in said for said in json.loads(out)["went_on"]) == 1
