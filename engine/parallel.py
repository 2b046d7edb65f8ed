"""Work over blocks, a thread a core: results in the order of the blocks, few of them in memory at a time.

onnxruntime, NumPy and Arrow let go of Python's lock while they work, so that threads are enough.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

THREADS_MOST = 8  # more would only hold more blocks in memory
CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
THREADS = min(THREADS_MOST, CORES)
AHEAD = 2  # blocks waiting beyond those in work

Given = TypeVar("Given")
Done = TypeVar("Done")


def in_order(
    work: Callable[[Given], Done], blocks: Iterable[Given], *, threads: int = THREADS
) -> Generator[Done, None, None]:
    """Give `work(block)` for each block, in order; blocks are taken in this thread, as results are taken."""
    waiting: deque[Future[Done]] = deque()
    pool = ThreadPoolExecutor(threads, thread_name_prefix="tandem-block")
    try:
        for block in blocks:
            waiting.append(pool.submit(work, block))
            if len(waiting) >= threads + AHEAD:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
