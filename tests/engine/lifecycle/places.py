"""A project's folder with a registry and a champion in it, around the tiny bundle of the core tests."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from engine.bundle import Bundle
from engine.lifecycle.edit import checked_for, edited
from engine.lifecycle.names import Act
from engine.lifecycle.registry import Registry
from engine.lifecycle.watch import state
from tests.engine.core.tiny import RULES, bundle

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
RECORD = {"txn": "t1", "amount": 600.0, "is_new": True, "country": "FR", "channel": "web", "at_time": NOW}


def act(action: str = "promoted", **more: str) -> Act:
    return Act(action=action, who="ana", now=NOW, **{"why": "test", **more})


def folder(place: Path, rules: bytes = RULES) -> Path:
    """Rules and lists, and a project.yaml that marks the folder as a project's."""
    for name, data in {
        "rules/first.yaml": rules,
        "lists/known.txt": b"rent\n",
        "project.yaml": b"{}\n",
    }.items():
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_bytes(data)
    return place


def made(root: Path) -> Bundle:
    """The bundle of the folder's rules as they are now."""
    return edited(bundle(), checked_for(bundle(), root), now=NOW)


def promoted(root: Path, name: str = "champion") -> str:
    """Put the bundle of the folder's rules and promote it; gives its digest."""
    registry = Registry(root / "registry")
    digest = registry.put(made(root))
    registry.promote(name, digest, act(files=state(root)))
    return digest


def versioned(version: int) -> bytes:
    """A rule file whose two rules, one of each stage, tag every decision with its version."""
    return (
        f"rules:\n"
        f"  - {{id: early, stage: before, when: amount >= 0.0, tag: before-{version}}}\n"
        f"  - {{id: late, when: scores.fraud >= 0.0, tag: after-{version}, "
        f"decide: {('approve', 'review', 'decline')[version % 3]}}}\n"
    ).encode()


def until(holds: Callable[[], bool], seconds: float = 20.0) -> bool:
    """Wait for something that another thread does; gives whether it came."""
    deadline = time.monotonic() + seconds
    while not holds() and time.monotonic() < deadline:
        time.sleep(0.002)
    return holds()
