"""The engine: what a service holds; opened from a folder or a file, it decides from any thread."""

from __future__ import annotations

import os
import weakref
from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from engine.bundle import Bundle, open_bundle
from engine.decide import decide_record
from engine.decision import Decision
from engine.errors import InputError, shown
from engine.manifest import MANIFEST
from engine.runtime import Runtime
from engine.status import Status

if TYPE_CHECKING:
    import pyarrow as pa

    from engine.explanation import Explanation
    from engine.lifecycle.live import Live
    from engine.lifecycle.registry import Registry
    from rules.checked_rules import CheckedRules

PROJECT = "project.yaml"


class Engine:
    """Decides by one bundle at a time; every decision is made wholly by one bundle and names it.

    Safe to use from any number of threads. With `watch=True` at opening, edits and promotions change what it
    decides by, between two decisions and never within one.
    """

    def __init__(self, runtime: Runtime, *, name: str | None = None) -> None:
        # INVARIANT: read once a call, so that a swap in between cannot mix two bundles in one decision.
        self._runtime = runtime
        self._name = name
        self._live: Live | None = None

    @property
    def runtime(self) -> Runtime:
        """What decides now: one bundle, opened."""
        return self._runtime

    @property
    def digest(self) -> str:
        """The digest of the bundle that decides now."""
        return self._runtime.digest

    def decide(
        self,
        record: Mapping[str, Any],
        *,
        id: str | None = None,  # noqa: A002 - the decision's own word
        now: datetime | None = None,
    ) -> Decision:
        """Decide one record.

        `id` names it, if the id column does not; `now` is the moment written into the decision. Raises
        RecordError with every problem of a record that the schema refuses, and nothing for a bad rule edit.
        """
        return decide_record(self._runtime, record, name=id, now=_moment(now))

    def decide_batch(
        self,
        data: Any,
        *,
        keep: bool = False,
        on_reject: str = "raise",
        reasons_for: Collection[str] = (),
        now: datetime | None = None,
    ) -> pa.Table:
        """Decide every row of a table: pyarrow, pandas, Polars, DuckDB, whatever speaks Arrow.

        Gives one row for each row, in order; the columns are the fields of `Decision`, after the table's own
        with `keep`. Raises RowsError with every row that the schema refuses; with `on_reject="keep"` those
        rows stay in their place without a decision, and a column `problems` says why. `reasons_for` are
        adverse outcomes: a column `adverse_reasons` has the codes of the principal reasons of their rows.
        """
        from engine.tables import decide_table

        return decide_table(
            self._runtime, data, keep=keep, on_reject=on_reject, reasons_for=reasons_for, now=_moment(now)
        )

    def explain(self, record: Mapping[str, Any], *, now: datetime | None = None) -> Explanation:
        """Decide one record and say why: which fields moved each score and by how much, what fired on which
        values, and what would have been without it.
        """
        from engine.explain import explain_record

        return explain_record(self._runtime, record, now=_moment(now))

    def status(self) -> Status:
        """Say what is decided by now and, where files are watched, what is wrong with them and since when."""
        if self._live is None:
            return Status(self.digest, self._name)
        return replace(self._live.status(), digest=self.digest)

    def close(self) -> None:
        """Stop watching. Deciding goes on to work, by the bundle of that moment."""
        if self._live is not None:
            self._live.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Engine({self.digest}{f', name={self._name!r}' if self._name else ''})"

    def watch(self, registry: Registry, name: str, root: Path | None) -> None:
        """Follow a name of a registry and, where `root` is a project, its rule and list files."""
        from engine.lifecycle.live import Live

        method = weakref.WeakMethod(self._swap)

        def swap(bundle: Bundle, checked: CheckedRules | None) -> None:
            if (ours := method()) is not None:
                ours(bundle, checked)

        self._live = Live(registry, name, root, swap, served=self._runtime.bundle)
        # An engine that nobody holds any more is not kept, nor watched for, by its own thread.
        weakref.finalize(self, self._live.stop).atexit = False
        self._live.start()

    def _swap(self, bundle: Bundle, checked: CheckedRules | None) -> None:
        """Decide by another bundle from now on: it is opened first, then one reference is replaced."""
        self._runtime = Runtime.open(bundle, checked=checked, like=self._runtime)


def _moment(now: datetime | None) -> datetime:
    """The moment that a decision names, in UTC; without a zone it would be another one on another machine."""
    if now is None:
        return datetime.now(UTC)
    if not isinstance(now, datetime) or now.utcoffset() is None:
        raise InputError(f"now={shown(now)} is no moment: give a datetime with a time zone")
    return now.astimezone(UTC)


def open_engine(path: Path | str, *, name: str | None = None, watch: bool = False) -> Engine:
    """Open an engine from a bundle (a folder or a `.tandem` file), a registry or a project.

    Of a registry or a project, `name` says which bundle: a name (champion if there is one, else latest), a
    digest or the beginning of one. With `watch`, the engine follows that name and, in a project, the rule and
    list files as they are saved. Raises InputError or BundleError.
    """
    if not isinstance(path, str | os.PathLike):
        raise InputError(f"{shown(path)} is no path: give that of a bundle, a registry or a project")
    path = Path(path)
    try:
        there = path.exists()
    except OSError as error:  # a path too long, say
        raise InputError(f"{path} cannot be opened: {error.strerror or error}") from error
    if not there:
        raise InputError(f"{path} does not exist: give a bundle, a registry or a project")
    if path.is_file() or (path / MANIFEST).is_file():
        if watch or name is not None:
            raise InputError(f"{path} is one bundle: names and watching belong to a registry or a project")
        return Engine(Runtime.open(open_bundle(path)))
    return _open_registry(path, name, watch=watch)


def _open_registry(path: Path, name: str | None, *, watch: bool) -> Engine:
    from engine.lifecycle.registry import CHAMPION, LATEST, Registry

    root = path if (path / PROJECT).is_file() else path.parent if (path.parent / PROJECT).is_file() else None
    place = path / "registry" if path == root else path
    if not (place / "bundles").is_dir():
        hint = "run `tandem fit` first" if path == root else "give a bundle, a registry or a project"
        raise InputError(f"{path} holds no bundles: {hint}")
    registry = Registry(place)
    if name is None:
        name = CHAMPION if registry.names.get(CHAMPION) is not None else LATEST
    bundle = registry.get(name)
    if watch and name not in registry.names.all():
        raise InputError(f"'{name}' is no name in {place}: only a name can be watched")
    engine = Engine(Runtime.open(bundle), name=name)
    if watch:
        engine.watch(registry, name, root)
    return engine
