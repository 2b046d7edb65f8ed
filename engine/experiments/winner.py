"""The winner of a finished experiment: a project to fit, and what must be as it was for the same digest."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.errors import InputError
from engine.experiments.board import read_board
from engine.experiments.experiment import FOLDER
from engine.project import Project, parse_project, read_rules
from engine.training.reuse import fingerprint, library_versions

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True)
class Winner:
    """A variant as its leaderboard states it."""

    experiment: str
    project: Project
    rules: Mapping[str, bytes] = field(repr=False)
    settings: Mapping[str, Any]  # what makes the project this variant: its changes, and the seed
    digest: str
    data: Mapping[str, str]
    libraries: Mapping[str, str]
    files: Mapping[str, str] = field(repr=False)  # SHA-256 of the project's own rule files, by name

    def check(self, train: pa.Table, test: pa.Table | None) -> None:
        """Refuse rows and libraries that are not those of the experiment. Raises InputError."""
        now = {"train": fingerprint(train)} | ({} if test is None else {"test": fingerprint(test)})
        changed = [
            f"the rows of data.{name}" for name, version in self.data.items() if now.get(name) != version
        ]
        changed += [
            f"{name} (was {version})"
            for name, version in self.libraries.items()
            if library_versions().get(name) != version
        ]
        if changed:
            raise InputError(
                f"experiment '{self.experiment}': changed since it ran: {', '.join(changed)}; "
                "run the experiment again, or fit without --from"
            )

    def other_rules(self) -> list[str]:
        """The rule files that are no longer as the experiment's project had them."""
        return sorted(
            name
            for name, data in read_rules(self.project.root).items()
            if hashlib.sha256(data).hexdigest() != self.files.get(name)
        )

    def check_digest(self, digest: str) -> None:
        """Refuse another bundle than the winner was: lists or code changed. Raises InputError."""
        if digest != self.digest:
            raise InputError(
                f"experiment '{self.experiment}': its winner is {self.digest}, what was fitted is {digest}: "
                "lists, or the code that fits, changed since it ran; run the experiment again"
            )


def read_winner(root: Path, name: str) -> Winner:
    """Read the winner of an experiment of a project, by the experiment's name. Raises InputError."""
    if Path(name).name != name:
        raise InputError(
            f"'{name}' is no experiment's name; give the name alone, as 'tandem fit --from widths'"
        )
    winner = read_board(root / FOLDER / name)["winner"]
    return Winner(
        name,
        parse_project(winner["project"].encode(), root=root),
        {file: text.encode() for file, text in winner["rules"].items()},
        winner["settings"],
        winner["digest"],
        winner["data"],
        winner["libraries"],
        winner["files"],
    )
