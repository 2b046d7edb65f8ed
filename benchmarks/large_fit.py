"""One process of `fit`: a large table of payments, fitted as the command line does; prints what it took.

The project is the sample's with one classifier and two passes of the network: neither moves the peak, which
is of the rows.
"""

from __future__ import annotations

import json
import re
import shutil
import sys
import time
from pathlib import Path

import pyarrow.parquet as pq

from benchmarks.setting import SEED, WORK, payments_file, peak_memory


def large_project(rows: int) -> Path:
    """A project of so many payments, not fitted yet."""
    from engine.samples.payments import write_project

    data, place = payments_file(rows, labels=True), WORK / f"large-{rows}"
    shutil.rmtree(place, ignore_errors=True)
    write_project(place, rows=1_000, seed=SEED)
    for sample in (place / "rules").iterdir():
        sample.unlink()
    text = (place / "project.yaml").read_text().replace("epochs: 15", "epochs: 2")
    text = re.sub(r"(?m)^  (kind|disputed): .*\n", "", text).replace(" || scores.disputed >= 0.3", "")
    (place / "project.yaml").write_text(text)
    # Within the folder as a user's table is, and not a second time on the disk.
    (place / "data" / "payments.parquet").unlink()
    (place / "data" / "payments.parquet").hardlink_to(data)
    return place


def decoded_bytes(rows: int) -> float:
    """What the table takes in memory, from its first block."""
    with pq.ParquetFile(payments_file(rows, labels=True)) as file:
        block = next(file.iter_batches(65_536))
    return float(block.nbytes / block.num_rows * rows)


if __name__ == "__main__":
    from engine.cli import main

    began = time.perf_counter()
    if code := main(["fit", str(Path(sys.argv[1])), "--json"]):
        raise SystemExit(code)
    print(json.dumps({"seconds": time.perf_counter() - began, "peak": peak_memory()}))
