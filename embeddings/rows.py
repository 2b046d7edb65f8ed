"""Encoded rows with their labels, as tensors that are taken from together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from embeddings.errors import TrainingError

MISSING = -1
"""The class code of a missing label."""


@dataclass(frozen=True)
class Rows:
    """n rows: `inputs` as `Encoding.batch` gives them, `targets` class codes `(n,)` int64 by label."""

    inputs: dict[str, Tensor]
    targets: dict[str, Tensor]
    count: int

    @classmethod
    def of(cls, inputs: Mapping[str, np.ndarray], targets: Mapping[str, np.ndarray], what: str) -> Rows:
        """Take arrays as rows. Raises `TrainingError` if there are none, or they are not equally long."""
        if not inputs or not targets:
            raise TrainingError(f"{what} needs at least one input and one label")
        lengths = {name: len(array) for name, array in [*inputs.items(), *targets.items()]}
        count = next(iter(lengths.values()))
        if set(lengths.values()) != {count}:
            raise TrainingError(f"{what} arrays differ in length: {lengths}")
        if count == 0:
            raise TrainingError(f"{what} has no rows")
        codes = {label: np.array(array, np.int64) for label, array in targets.items()}
        for label, array in codes.items():
            if array.min() < MISSING:
                raise TrainingError(
                    f"{what} label '{label}' holds code {array.min()}; codes begin at 0, {MISSING} is missing"
                )
        return cls(
            {name: torch.tensor(array) for name, array in inputs.items()},
            {label: torch.from_numpy(array) for label, array in codes.items()},
            count,
        )

    @property
    def device(self) -> torch.device:
        return next(iter(self.targets.values())).device

    def to(self, device: torch.device) -> Rows:
        """The same rows on a device."""
        return Rows(
            {name: tensor.to(device) for name, tensor in self.inputs.items()},
            {label: tensor.to(device) for label, tensor in self.targets.items()},
            self.count,
        )

    def take(self, at: Tensor) -> Rows:
        """Rows by number."""
        return Rows(
            {name: tensor[at] for name, tensor in self.inputs.items()},
            {label: tensor[at] for label, tensor in self.targets.items()},
            len(at),
        )

    def sampled(self, most: int, seed: int) -> Rows:
        """At most so many rows, drawn without replacement and kept in order."""
        if self.count <= most:
            return self
        drawn = np.random.default_rng(seed).choice(self.count, most, replace=False)
        return self.take(torch.from_numpy(np.sort(drawn)))

    def known(self, label: str) -> int:
        """Rows whose label is known."""
        known: int = (self.targets[label] > MISSING).sum().item()
        return known
