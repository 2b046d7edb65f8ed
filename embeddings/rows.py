"""Encoded rows with their labels, as tensors that are taken from together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from embeddings.errors import TrainingError

MISSING = -1
"""The class code of a missing label."""


@dataclass(frozen=True)
class Rows:
    """n rows: `inputs` as `Encoding.batch` gives them, `targets` class codes `(n,)` int64 by label.

    `weights` `(n,)` float32 say how much a row counts, for the labels that have weights.
    """

    inputs: dict[str, Tensor]
    targets: dict[str, Tensor]
    count: int
    weights: dict[str, Tensor] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        inputs: Mapping[str, np.ndarray],
        targets: Mapping[str, np.ndarray],
        what: str,
        weights: Mapping[str, np.ndarray] | None = None,
        *,
        most: int | None = None,
        seed: int = 0,
    ) -> Rows:
        """Take arrays as rows; of more than `most`, so many drawn without replacement, kept in order.

        Raises `TrainingError` if there are none, they are not equally long, or a weight is no number from 0
        on. Weights are scaled so that those of known labels are 1 on average.
        """
        if not inputs or not targets:
            raise TrainingError(f"{what} needs at least one input and one label")
        weights = weights or {}
        pairs = [*inputs.items(), *targets.items(), *((f"weights of {k}", v) for k, v in weights.items())]
        lengths = {name: len(array) for name, array in pairs}
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
        scaled = {
            label: _scaled(array, codes[label], f"{what} label '{label}'") for label, array in weights.items()
        }
        drawn: slice | np.ndarray = slice(None)
        if most is not None and count > most:
            drawn = np.sort(np.random.default_rng(seed).choice(count, most, replace=False))
            count = most
        return cls(
            {name: torch.tensor(array[drawn]) for name, array in inputs.items()},
            {label: torch.from_numpy(array[drawn]) for label, array in codes.items()},
            count,
            {label: torch.from_numpy(array[drawn]) for label, array in scaled.items()},
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
            {label: tensor.to(device) for label, tensor in self.weights.items()},
        )

    def take(self, at: Tensor) -> Rows:
        """Rows by number."""
        return Rows(
            {name: tensor[at] for name, tensor in self.inputs.items()},
            {label: tensor[at] for label, tensor in self.targets.items()},
            len(at),
            {label: tensor[at] for label, tensor in self.weights.items()},
        )

    def mean(self, label: str, losses: Tensor) -> Tensor:
        """The mean of `(n,)` losses over the rows whose label is known, by their weights."""
        known = self.targets[label] > MISSING
        if label not in self.weights:
            return losses[known].mean()
        weights = self.weights[label][known]
        return (losses[known] * weights).sum() / weights.sum().clamp(min=1e-12)

    def known(self, label: str) -> int:
        """Rows whose label is known."""
        known: int = (self.targets[label] > MISSING).sum().item()
        return known


def _scaled(weights: np.ndarray, codes: np.ndarray, what: str) -> np.ndarray:
    known = codes > MISSING
    if not (np.isfinite(weights[known]).all() and (weights[known] >= 0).all() and weights[known].sum() > 0):
        raise TrainingError(f"{what}: weights are finite numbers from 0 on, and not all are 0")
    return np.asarray(np.where(known, weights, 0) / weights[known].mean(), np.float32)
