"""The status of an engine: what it decides by, and what is wrong with the files it watches."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from rules.errors import Problem


@dataclass(frozen=True)
class Status:
    """`digest` decides now. Where an edit cannot be used, `problems` says what is wrong, `since` since when.

    `healthy` is false while files are other than what decides; the last good bundle decides on.
    """

    digest: str
    name: str | None = None
    watching: bool = False
    healthy: bool = True
    problems: tuple[Problem, ...] = ()
    since: datetime | None = None

    def to_dict(self) -> dict[str, Any]:
        """Give the status as plain data."""
        return {
            "digest": self.digest,
            "name": self.name,
            "watching": self.watching,
            "healthy": self.healthy,
            "problems": [str(problem) for problem in self.problems],
            "since": self.since.isoformat() if self.since else None,
        }
