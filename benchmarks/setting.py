"""What benchmarks work on, in .bench/: payments with 100 filters, large files, child processes."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.hundred import FILE, hundred_filters, rule_file

ROOT = Path(__file__).resolve().parents[1]
WORK = ROOT / ".bench"
SEED = 7
BLOCK_ROWS = 250_000
_SHAPES_A_BUNDLE = (
    "embeddings",
    "rules",
    "engine/training",
    "engine/samples",
    "engine/project",
    "benchmarks/hundred.py",
)


class Unavailable(Exception):
    """A benchmark that cannot run here, and why."""


def payments_project(*, quick: bool) -> Path:
    """The payments sample with its three classifiers and 100 generated filters, fitted; kept in .bench/."""
    from engine.samples.payments import write_project

    rows = 8_000 if quick else 40_000
    place = WORK / f"payments-{rows}-{_source_digest()}"
    if not (place / "registry" / "names").exists():
        for old in WORK.glob(f"payments-{rows}-*"):
            shutil.rmtree(old)
        write_project(place, rows=rows, seed=SEED)
        for sample in (place / "rules").iterdir():
            sample.unlink()
        (place / FILE).write_bytes(rule_file(hundred_filters()))
        tandem("fit", cwd=place)
        tandem("promote", "--why", "benchmark", cwd=place)
    return place


def payments_file(rows: int, *, labels: bool = False) -> Path:
    """A Parquet file of `rows` payments, made of blocks with a seed each; kept in .bench/."""
    from engine.samples.payments import generate, unlabelled

    path = WORK / f"{'labelled-' if labels else ''}payments-{rows}.parquet"
    if path.exists():
        return path
    WORK.mkdir(exist_ok=True)
    beside = path.with_suffix(".tmp")
    writer: pq.ParquetWriter | None = None
    for block, start in enumerate(range(0, rows, BLOCK_ROWS)):
        table = generate(min(BLOCK_ROWS, rows - start), SEED + block)
        table = table if labels else unlabelled(table)
        writer = writer or pq.ParquetWriter(beside, table.schema, compression="zstd")
        writer.write_table(table)
    if writer is not None:
        writer.close()
    beside.rename(path)
    return path


def payments_records(rows: int) -> list[dict[str, Any]]:
    """`rows` payments as a service would send them: plain dicts."""
    from engine.samples.payments import generate, unlabelled

    table: pa.Table = unlabelled(generate(max(rows, 1000), SEED + 1000)).slice(0, rows)
    return list(table.to_pylist())


def tandem(*arguments: str, cwd: Path) -> str:
    """Run the command line as a user would; a failure shows what it said."""
    command = [str(Path(sys.executable).with_name("tandem")), *arguments]
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(
            f"tandem {' '.join(arguments)} ended with {done.returncode}:\n{done.stdout}{done.stderr}"
        )
    return done.stdout


def child(module: str, *arguments: str, threads: int | None = None) -> Any:
    """Run `python -m module arguments` in a fresh process; the last line it prints is JSON."""
    environment = installed()
    if threads is not None:
        environment |= {"OMP_NUM_THREADS": str(threads), "ARROW_NUM_THREADS": str(threads)}
    command = [sys.executable, "-m", module, *arguments]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return json.loads(done.stdout.splitlines()[-1])


def installed() -> dict[str, str]:
    """The environment of a process whose modules are byte code already, as pip leaves what it installs.

    A source tree under PYTHONDONTWRITEBYTECODE would be compiled anew by each process; the libraries are not.
    """
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {**kept, "PYTHONPYCACHEPREFIX": str(WORK / "bytecode")}


def peak_memory() -> int:
    """Bytes of this process at their highest, since its own start (ru_maxrss would count the parent's)."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) * 1024
    raise Unavailable("peak memory is read from /proc, which this system does not have")


def percentile(values: list[float] | np.ndarray, percent: float) -> float:
    return float(np.percentile(np.asarray(values), percent))


def _source_digest() -> str:
    """A short digest of the sources that shape the project's bundle: a change makes a fresh one."""
    digest = hashlib.sha256()
    for name in _SHAPES_A_BUNDLE:
        place = ROOT / name
        for path in sorted(place.rglob("*.*") if place.is_dir() else [place]):
            if path.suffix in {".py", ".yaml"}:
                digest.update(path.read_bytes())
    return digest.hexdigest()[:12]
