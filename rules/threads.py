"""Work on large batches by a thread a core: results in order, the same whatever the number of threads.

Only batches of several blocks come here. Who decides blocks in threads of their own, as `engine` does, hands
over one block at a time, and no thread starts another.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
THREADS = min(8, CORES)

Given = TypeVar("Given")
Done = TypeVar("Done")


def each(work: Callable[[Given], Done], parts: Sequence[Given]) -> list[Done]:
    """Give `work(part)` for each part, in order."""
    threads = min(THREADS, len(parts))
    if threads < 2:
        return [work(part) for part in parts]
    with ThreadPoolExecutor(threads, thread_name_prefix="tandem-rules") as pool:
        return list(pool.map(work, parts))
