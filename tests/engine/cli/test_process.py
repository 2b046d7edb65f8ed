"""The `tandem` script as a process: exit codes, signals, full disks, pipes, and what it imports."""

from __future__ import annotations

import json
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

TANDEM = Path(sys.executable).with_name("tandem")


def tandem(*arguments: object, **how: object) -> subprocess.CompletedProcess[str]:
    given = [str(TANDEM), *map(str, arguments)]
    return subprocess.run(given, capture_output=True, text=True, check=False, timeout=120, **how)  # type: ignore[call-overload,no-any-return]


def test_the_script_and_the_module_are_the_same_command(tmp_path: Path) -> None:
    """`tandem` and `python -m engine` print the same help."""
    module = subprocess.run(
        [sys.executable, "-m", "engine", "--help"], capture_output=True, text=True, check=True
    )
    assert tandem("--help").stdout == module.stdout
    assert tandem("--version").stdout.startswith("tandem ")


def test_help_imports_nothing_heavy() -> None:
    """`tandem --help` must be there at once: no numpy, no pyarrow, no runtime, no rich."""
    heavy = ["numpy", "pyarrow", "onnxruntime", "torch", "sklearn", "cel_expr_python", "rich", "pydantic"]
    program = (
        "import sys; from engine.cli import main; main(['--help'])\n"
        f"print([module for module in {heavy} if module in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_score_imports_no_training_library(fitted: Path, tmp_path: Path) -> None:
    """A host that only scores needs none of the train extra."""
    given = ["score", str(fitted / "new.parquet"), "-o", str(tmp_path / "out.csv"), "-p", str(fitted)]
    program = (
        "import sys; from engine.cli import main\n"
        f"code = main({given})\n"
        "print(code, [m for m in ('torch', 'sklearn', 'skl2onnx', 'onnx') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "0 []"


def test_check_imports_no_model_runtime(project: Path) -> None:
    """Nor does it with test files, whose cases give the scores."""
    (project / "tests").mkdir()
    case = "{name: old, given: {age: 70, scores: {risk: 0.1}}, expect: accept}"
    (project / "tests" / "loans_test.yaml").write_text(f"cases:\n  - {case}\n")
    program = (
        "import sys; from engine.cli import main\n"
        f"code = main(['check', {str(project)!r}])\n"
        "print(code, [m for m in ('onnxruntime', 'torch', 'sklearn') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "0 []"


def test_output_into_a_pipe_has_no_colours(fitted: Path) -> None:
    """And a JSON answer is one object and nothing else."""
    for command in (["show"], ["list"], ["log"]):
        assert "\x1b" not in tandem(*command, "--project", fitted).stdout
    json.loads(tandem("show", "--project", fitted, "--json").stdout)


def test_a_reader_that_has_had_enough_is_no_error(fitted: Path) -> None:
    """`tandem show | head -1` ends quietly."""
    piped = f"{TANDEM} show --project {fitted} | head -1"
    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {piped}"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    shut = subprocess.run(["bash", "-c", f"{TANDEM} list --project {fitted} >&- 2>&-"], check=False)
    assert shut.returncode == 0


@pytest.mark.parametrize(
    ("stop", "code", "said"),
    [(signal.SIGINT, 130, "interrupted"), (signal.SIGTERM, 143, "terminated")],
)
def test_a_stop_is_one_line_and_leaves_nothing(
    project: Path, tmp_path: Path, stop: signal.Signals, code: int, said: str
) -> None:
    """Ctrl-C or a scheduler's SIGTERM while rows are scored: no traceback, no file half-written."""
    out = tmp_path / "out"
    out.mkdir()
    rows = pq.read_table(project / "new.parquet")
    pq.write_table(pa.concat_tables([rows] * (2_000_000 // len(rows))), tmp_path / "many.parquet")
    command = ["score", tmp_path / "many.parquet", "-o", out / "o.jsonl", "--project", project]
    scoring = subprocess.Popen(
        [TANDEM, *map(str, command)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    while not any(out.iterdir()):
        time.sleep(0.01)
    scoring.send_signal(stop)
    _, err = scoring.communicate(timeout=60)
    assert (scoring.returncode, err) == (code, f"{said}; nothing half-written was left behind\n")
    assert list(out.iterdir()) == []


def test_an_interrupt_is_one_line_and_leaves_nothing(project: Path) -> None:
    """Ctrl-C during a fit: exit 130, no traceback, the registry as it was."""
    text = (project / "project.yaml").read_text()
    (project / "project.yaml").write_text(text.replace("epochs: 3", "epochs: 9999, patience: 9999"))
    before = sorted(path.name for path in project.rglob("*") if ".tandem" not in path.parts)
    fitting = subprocess.Popen(
        [TANDEM, "fit", project], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    time.sleep(5)
    fitting.send_signal(signal.SIGINT)
    out, err = fitting.communicate(timeout=60)
    assert (fitting.returncode, out) == (130, "")
    assert err.startswith("interrupted; nothing half-written was left behind")
    assert err.count("\n") == 1
    left = (path for path in project.rglob("*") if ".tandem" not in path.parts)
    assert sorted(path.name for path in left) == before


def test_a_disk_that_is_full_is_one_clear_line(project: Path, tmp_path: Path) -> None:
    """No byte more can be written: exit 1, the path, no half-written file."""
    out = tmp_path / "out"
    out.mkdir()

    def full() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (64, 64))

    done = tandem(
        "score", project / "new.parquet", "-o", out / "o.csv", "--project", project, preexec_fn=full
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert "o.csv" in done.stderr
    assert "File too large" in done.stderr
    assert "Traceback" not in done.stderr
    assert list(out.iterdir()) == []
    done = tandem("promote", "--project", project, preexec_fn=full)
    assert done.returncode == 1
    assert "cannot be written" in done.stderr
    assert "champion" not in tandem("list", "--project", project).stdout
