"""A rule file saved while four threads decide: how soon the new bundle decides, and what an edit costs.

Every edit gives the file a new version, and two filters, one in each stage, tag every decision with it. A
decision whose two tags differ, or a digest seen with two versions, would be a decision by a mixed bundle.
"""

from __future__ import annotations

import shutil
import threading
import time
from pathlib import Path

import engine
from benchmarks.figures import Figure, against, figure
from benchmarks.hundred import FILE, hundred_filters, rule_file
from benchmarks.setting import WORK, payments_project, payments_records, percentile

THREADS = 4
PATIENCE = 10.0  # seconds to wait for one edit before it counts as lost
PAUSE = 0.05


class Deciders:
    """Threads that decide without a pause; each notes how long a decision took and which versions it saw."""

    def __init__(self, ours: engine.Engine) -> None:
        self.ours = ours
        self.first_seen: dict[int, float] = {}
        self.seen = threading.Event()  # set when a version is first seen
        self.versions_of: dict[str, set[int]] = {}
        self.mixed = 0
        self.decided = 0
        self.taken: list[list[float]] = []
        self._records = payments_records(1000)
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._decide, args=(place,)) for place in range(THREADS)]

    def __enter__(self) -> Deciders:
        self.taken = [[] for _ in range(THREADS)]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def window(self) -> list[int]:
        """Where each thread's measurements stand now."""
        return [len(taken) for taken in self.taken]

    def between(self, start: list[int], end: list[int]) -> list[float]:
        """Microseconds of every decision made between two windows."""
        return [time for taken, a, b in zip(self.taken, start, end, strict=True) for time in taken[a:b]]

    def _decide(self, place: int) -> None:
        taken = self.taken[place]
        at = place * len(self._records) // THREADS
        while not self._stop.is_set():
            record = self._records[at % len(self._records)]
            began = time.perf_counter()
            decision = self.ours.decide(record)
            ended = time.perf_counter()
            taken.append((ended - began) * 1e6)
            at += 1
            self._note(decision, ended)

    def _note(self, decision: engine.Decision, now: float) -> None:
        versions = {
            int(tag.rpartition("-")[2]) for tag in decision.tags if tag.startswith(("before-", "after-"))
        }
        if not versions:
            return
        if len(versions) > 1:
            self.mixed += 1
        version = max(versions)
        if version not in self.first_seen:
            self.first_seen.setdefault(version, now)
            self.seen.set()
        self.versions_of.setdefault(decision.bundle, set()).add(version)


def run(*, quick: bool) -> list[Figure]:
    place = _fresh_copy(payments_project(quick=quick))
    edits = 15 if quick else 100
    filters = hundred_filters()
    saves = {version: rule_file(filters, version=version) for version in range(1, edits + 1)}
    with engine.open(place, watch=True) as ours, Deciders(ours) as deciders:
        time.sleep(1.0)
        quiet = [deciders.window()]
        time.sleep(2.0 if quick else 10.0)
        quiet.append(deciders.window())
        delays = [_edit(place / FILE, data, version, deciders) for version, data in saves.items()]
        busy = deciders.window()
        time.sleep(2.0 if quick else 10.0)
        quiet.append(deciders.window())
    calm = deciders.between(quiet[0], quiet[1]) + deciders.between(busy, quiet[2])
    edited = deciders.between(quiet[1], busy)
    mixed = deciders.mixed + sum(len(seen) > 1 for seen in deciders.versions_of.values())
    return [
        figure("saved to first decision, p50", percentile(delays, 50), "ms", target="<= 200"),
        figure("saved to first decision, p99", percentile(delays, 99), "ms"),
        against(
            f"decide p99 during {edits} edits",
            percentile(edited, 99),
            "us",
            "without edits",
            percentile(calm, 99),
            target="ratio <= 2",
        ),
        against(
            f"decide p50 during {edits} edits",
            percentile(edited, 50),
            "us",
            "without edits",
            percentile(calm, 50),
        ),
        figure("decisions during the edits", len(edited), ""),
        figure("decisions by a mixed bundle", mixed, "", target="== 0"),
    ]


def _edit(path: Path, data: bytes, version: int, deciders: Deciders) -> float:
    """Save a version; milliseconds until some thread's decision carries it."""
    path.write_bytes(data)
    saved = time.perf_counter()
    # Waited for without looking again and again, which would take Python's lock from who decides.
    while version not in deciders.first_seen:
        deciders.seen.clear()
        if version not in deciders.first_seen and not deciders.seen.wait(PATIENCE):
            raise RuntimeError(f"edit {version} was not live after {PATIENCE} s: {deciders.ours.status()}")
    time.sleep(PAUSE)
    return (deciders.first_seen[version] - saved) * 1000


def _fresh_copy(place: Path) -> Path:
    copy = WORK / "reload"
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(place, copy)
    return copy
