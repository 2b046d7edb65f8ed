"""Where the entries of a list file stand in its bytes, and what is said of an entry that cannot be read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from rules.buckets import BLOCK
from rules.expression import CIDR

MAX_PROBLEMS = 20

WANTED = {
    "string": "text",
    "int": "a whole number",
    "double": "a number",
    CIDR: "an IP address or network",
}

Found = tuple[int, int, str, str, str]  # line, column, message, hint, the line


@dataclass(frozen=True)
class Cuts:
    """Where entries stand in the bytes of a file, and on which lines: arrays of int64."""

    data: bytes
    starts: np.ndarray
    ends: np.ndarray
    lines: np.ndarray

    def __len__(self) -> int:
        return len(self.starts)

    @property
    def octets(self) -> np.ndarray:
        return np.frombuffer(self.data, np.uint8)

    def kept(self, which: slice) -> Cuts:
        return Cuts(self.data, self.starts[which], self.ends[which], self.lines[which])

    def blocks(self) -> Iterator[Cuts]:
        for begin in range(0, len(self), BLOCK):
            yield self.kept(slice(begin, begin + BLOCK))

    def text(self, place: int) -> str:
        return self.data[int(self.starts[place]) : int(self.ends[place])].decode()

    def texts(self) -> Iterator[str]:
        for start, end in zip(self.starts.tolist(), self.ends.tolist(), strict=True):
            yield self.data[start:end].decode()


def refuse(cuts: Cuts, bad: np.ndarray, kind: str, problems: list[Found]) -> None:
    """Tell the first of the entries that are bad, up to MAX_PROBLEMS."""
    places = np.flatnonzero(bad)[: MAX_PROBLEMS - len(problems)].tolist()
    problems += [bad_entry(cuts, place, kind, "") for place in places]


def bad_entry(cuts: Cuts, place: int, kind: str, hint: str) -> Found:
    """Say that an entry is no value of its type."""
    start = int(cuts.starts[place])
    entry = cuts.data[start : min(int(cuts.ends[place]), start + 800)].decode(errors="ignore")
    message = f"an entry must be {WANTED[kind]}, got '{entry[:60]}'"
    return int(cuts.lines[place]), 1, message, hint, entry[:200]
