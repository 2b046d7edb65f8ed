"""The live loop: watches a project's files and a registry's name, and has the engine swap what it decides by.

The latest act wins. A name that was moved means its bundle, as it is. Files in another state than at that
move were saved after it: an edit, made into a bundle of its own on top of the one that the name means. An
edit that does not check changes nothing but the status. See docs/decisions/0005.

What was saved counts once nothing was written for a while. It is checked meanwhile, so that the wait costs an
edit next to nothing; where more is written, what was checked is dropped.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from math import inf
from pathlib import Path

from engine.bundle import Bundle
from engine.errors import TandemError
from engine.lifecycle.edit import checked_for, edited
from engine.lifecycle.names import Act, Name, current_user
from engine.lifecycle.registry import EDITED, Registry
from engine.lifecycle.watch import Look, look, look_at, state
from engine.project.folder import RULES
from engine.status import Status
from rules.checked_rules import CheckedRules
from rules.errors import CheckFailed, Problem
from rules.turns import politely

POLL_SECONDS = 0.025
SETTLE_SECONDS = 0.1
"""For so long nothing may be written to the files before they count as saved."""
# A file that is gone or empty may be half-saved: some editors remove or empty it before they write anew.
GONE_SECONDS = 1.0
RETRY_SECONDS = 1.0
JOIN_SECONDS = 5.0

Swap = Callable[[Bundle, CheckedRules | None], None]


class _UnsettledError(Exception):
    """The files are still being written."""


class Live:
    """Follows one name of one registry, and the files of one project, for one engine.

    `swap(bundle, checked)` makes the engine decide by `bundle` from then on; `checked` are its rules where
    they have just been checked, else None. It is called in this loop's thread, or by `start`. `root` is the
    project's folder, None where there is none.
    """

    def __init__(
        self,
        registry: Registry,
        name: str,
        root: Path | None,
        swap: Swap,
        *,
        served: Bundle,
        poll_seconds: float = POLL_SECONDS,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._registry, self._name, self._root, self._swap = registry, name, root, swap
        self._poll_seconds, self._clock = poll_seconds, clock
        self._served = self._base = served
        self._move: Name | None = None
        self._edited = False  # whether files were saved since the name's last move
        self._seen: tuple[Look, object] | None = None
        self._pending: tuple[Look, object] | None = None  # a look that must last before it counts
        self._pending_since = 0.0
        self._written_at = -inf  # when the files were first seen as they are now
        self._retry_at = 0.0
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._status = Status(served.digest, name, watching=True)

    def start(self) -> None:
        """Catch up with files saved while nobody watched, then watch from a background thread."""
        self._seen = self._look()
        self._follow()
        self._thread = threading.Thread(target=self._watch, name="tandem-live", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Have the thread end soon, without waiting for it."""
        self._stop.set()

    def close(self) -> None:
        """Stop watching; the engine decides on by what it has."""
        self.stop()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(JOIN_SECONDS)

    def status(self) -> Status:
        """What is decided by now, and what is wrong with the files, if anything.

        Nobody watches after `close`, nor in a forked process: threads are not forked.
        """
        watching = not self._stop.is_set() and self._thread is not None and self._thread.is_alive()
        return replace(self._status, watching=watching)

    def _watch(self) -> None:
        with politely():
            self._warm()
            while not self._stop.wait(self._poll_seconds):
                try:
                    self._step()
                except Exception as failed:
                    self._report_failure(failed)

    def _step(self) -> None:
        seen, now = self._look(), time.monotonic()
        if seen != self._pending:
            if self._pending is None or seen[0] != self._pending[0]:
                self._written_at = now
            self._pending, self._pending_since = seen, now
        if seen == self._seen:
            if self._retry_at and now >= self._retry_at:
                self._follow()
        elif seen[0] == (self._seen or seen)[0] or now - self._pending_since >= self._settled_after(seen[0]):
            self._seen = seen
            self._follow()

    def _warm(self) -> None:
        """Check the files once: it loads the checker and fills its cache, for the first edit to be quick."""
        with suppress(Exception):  # what is wrong with them is the status' to tell, and told already
            if self._root is not None:
                checked_for(self._base, self._root)

    def _look(self) -> tuple[Look, object]:
        files = look(self._root) if self._root is not None else ()
        return files, look_at(self._registry.names.path(self._name))

    def _settled_after(self, files: Look) -> float:
        """How long a look must stay the same before it counts as saved."""
        before = {file[0] for file in self._seen[0]} if self._seen else set()
        gone = before - {file[0] for file in files}
        return GONE_SECONDS if gone or any(file[2] == 0 for file in files) else self._poll_seconds / 2

    def _follow(self) -> None:
        """Have the engine decide by what the latest act left. Raises nothing: it is the body of a thread."""
        self._retry_at = 0.0
        try:
            self._follow_latest()
        except _UnsettledError:
            self._retry_at = time.monotonic()  # the next look may find the same again, and must go on
        except CheckFailed as failed:
            self._report(failed.problems)
        except Exception as failed:
            self._report_failure(failed)
        else:
            self._status = Status(self._served.digest, self._name, watching=True)

    def _report_failure(self, failed: Exception) -> None:
        """A full disk, a damaged registry, what nobody foresaw: the loop outlives it, and tries again."""
        known = isinstance(failed, TandemError | OSError)
        message = str(failed) if known else f"{type(failed).__name__}: {failed}"
        self._report((Problem(str(self._registry.root), 1, 1, message),))
        self._retry_at = time.monotonic() + RETRY_SECONDS

    def _follow_latest(self) -> None:
        move = self._registry.names.get(self._name)
        if move is None:
            raise TandemError(f"the name '{self._name}' is gone from {self._registry.root}")
        moved = self._move is None or move.entry.id != self._move.entry.id
        if moved:
            self._base = (
                self._served if move.digest == self._served.digest else self._registry.get(move.digest)
            )
            edit = self._registry.names.get(EDITED)
            self._edited = edit is not None and edit.basis == move.entry.id
            self._move = move
        if self._root is None:
            return self._serve(self._base, None)
        files = state(self._root)
        self._edited = self._edited or files != move.files
        if not self._edited:
            return self._serve(self._base, None)
        try:
            self._serve_edit(self._root, files, move)
        except (CheckFailed, _UnsettledError):
            # The files are no good, and yet the name was moved: its bundle is the last good one now.
            if moved:
                self._serve(self._base, None)
            raise

    def _serve_edit(self, root: Path, files: str, move: Name) -> None:
        """Check the files, keep them as a bundle, decide by it. Raises CheckFailed where they do not."""
        try:
            checked = self._checked(root)
        except CheckFailed:
            self._settle(root)
            raise
        now = self._clock()
        bundle = edited(self._base, checked, now=now)
        if bundle.digest == self._served.digest:
            return
        self._settle(root)
        if not self._registry.has(bundle.digest):
            self._registry.put(bundle, like=self._base)
        act = Act(
            "edited",
            current_user(),
            now,
            f"{_changed(self._served, bundle)} saved",
            files,
            basis=move.entry.id,
        )
        # INVARIANT: kept before it decides, so that a decision never names a bundle that cannot be found.
        self._registry.names.move(EDITED, bundle.digest, act)
        self._serve(bundle, checked)

    def _checked(self, root: Path) -> CheckedRules:
        if not (root / RULES).is_dir() and self._served.folder(f"{RULES}/"):
            # Moved away, by a deployment say: to decide without any rule is no edit that anybody saved.
            message, hint = "the folder is gone", "put it back; to decide without rules, leave it empty"
            raise CheckFailed([Problem(RULES, 1, 1, message, hint)])
        return checked_for(self._base, root)

    def _settle(self, root: Path) -> None:
        """Wait until nothing was written for a while. Raises _UnsettledError where something is."""
        files = self._seen[0] if self._seen else ()
        while True:
            if look(root) != files:
                raise _UnsettledError("more is being written")
            left = self._written_at + SETTLE_SECONDS - time.monotonic()
            if left <= 0:
                return
            if self._stop.wait(min(left, self._poll_seconds)):
                raise _UnsettledError("nobody watches any more")

    def _serve(self, bundle: Bundle, checked: CheckedRules | None) -> None:
        if bundle.digest != self._served.digest and not self._stop.is_set():
            self._swap(bundle, checked)
            self._served = bundle

    def _report(self, problems: tuple[Problem, ...]) -> None:
        since = self._status.since or self._clock()
        self._status = Status(self._served.digest, self._name, True, False, problems, since)


def _changed(old: Bundle, new: Bundle) -> str:
    """The files that differ between two bundles, for the journal."""
    names = {*old.folder("rules/"), *old.folder("lists/"), *new.folder("rules/"), *new.folder("lists/")}
    return ", ".join(sorted(name for name in names if old.parts.get(name) != new.parts.get(name))) or "files"
