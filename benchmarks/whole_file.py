"""One process of `score`: `engine` or `floor`, PROJECT SOURCE TARGET; prints seconds and peak memory."""

from __future__ import annotations

import json
import sys
import time
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.setting import peak_memory
from engine.model import ROWS_A_CALL
from engine.tabular import BLOCK_ROWS, normalise

THREADS = 2


def score_engine(place: Path, source: Path, target: Path) -> tuple[int, float]:
    """The whole way, as `tandem score` does it: rows, and seconds without opening the bundle."""
    import engine
    from engine.score import score_file

    with engine.open(place) as ours:
        began = time.perf_counter()
        report = score_file(ours.runtime, source, target, keep=False, force=False)
        return report.rows, time.perf_counter() - began


def score_floor(place: Path, source: Path, target: Path) -> tuple[int, float]:
    """Read every column, run the graph on one block's prepared inputs over and over, write id and scores."""
    from benchmarks.bare import BareModel

    bare = BareModel(place)
    rows = 0
    with pq.ParquetFile(source) as file, ThreadPoolExecutor(THREADS) as pool:
        inputs = _prepared(bare, next(file.iter_batches(BLOCK_ROWS)))
        began = time.perf_counter()
        ahead: deque[tuple[pa.RecordBatch, Future[Any]]] = deque()
        writer: pq.ParquetWriter | None = None
        for batch in file.iter_batches(BLOCK_ROWS):
            ahead.append((batch, pool.submit(_forward, bare, inputs, len(batch))))
            if len(ahead) > THREADS:
                writer = _write(writer, target, *ahead.popleft())
            rows += len(batch)
        while ahead:
            writer = _write(writer, target, *ahead.popleft())
        if writer is not None:
            writer.close()
        return rows, time.perf_counter() - began


def _forward(bare: Any, inputs: dict[str, Any], rows: int) -> Any:
    calls = range(0, rows, ROWS_A_CALL)
    return np.concatenate(
        [bare.scores({k: v[at : min(at + ROWS_A_CALL, rows)] for k, v in inputs.items()}) for at in calls]
    )


def _prepared(bare: Any, batch: pa.RecordBatch) -> dict[str, Any]:
    inputs: dict[str, Any] = bare.encoding.batch(normalise(bare.schema, batch).batch)
    return inputs


def _write(
    writer: pq.ParquetWriter | None, target: Path, batch: pa.RecordBatch, scores: Future[Any]
) -> pq.ParquetWriter:
    columns = scores.result().T
    table = pa.table({"id": batch["payment_id"], **{f"s{i}": column for i, column in enumerate(columns)}})
    writer = writer or pq.ParquetWriter(target, table.schema, compression="zstd")
    writer.write_table(table)
    return writer


if __name__ == "__main__":
    side, *paths = sys.argv[1:]
    scored, seconds = {"engine": score_engine, "floor": score_floor}[side](*map(Path, paths))
    print(json.dumps({"rows": scored, "seconds": seconds, "peak": peak_memory()}))
