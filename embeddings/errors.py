"""What can go wrong between fields and a vector, as one tree.

EmbeddingError (ValueError)
├── SpecError       settings with problems, all of them
├── EncodingError   fields that cannot be encoded, or an encoding's written form that is not sound
│   └── OutputError the output that is named of a user's encoder is not there, or gives no vector
├── TrainingError   a network that cannot be trained on what was given
└── ParityError     an exported graph that does not give the network's vectors
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


class EmbeddingError(ValueError):
    """Something of the embedding that cannot be used as given."""


@dataclass(frozen=True)
class SpecProblem:
    """One setting that is wrong: its key, what is wrong with it, what to try; `place` leads into a list."""

    key: str
    message: str
    hint: str = ""
    place: tuple[int, ...] = ()

    def __str__(self) -> str:
        return f"{self.key}: {self.message}" + (f"; {self.hint}" if self.hint else "")


class SpecError(EmbeddingError):
    """Settings with problems: every problem, in the order of the settings."""

    def __init__(self, problems: Iterable[SpecProblem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


class EncodingError(EmbeddingError):
    """Fields that cannot be encoded, or a written encoding that is not one."""


class OutputError(EncodingError):
    """An encoder of the user's has no such output, or one that gives no vector for a text."""


class TrainingError(EmbeddingError):
    """A network that cannot be trained on the given rows."""


class ParityError(EmbeddingError):
    """A graph whose vectors differ from the network's by more than is allowed."""

    def __init__(self, difference: float, allowed: float) -> None:
        self.difference = difference
        super().__init__(
            f"the exported embedding differs from the trained one by {difference:.3g}; "
            f"allowed is {allowed:.3g}, so the graph is refused"
        )
