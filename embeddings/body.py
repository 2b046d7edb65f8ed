"""Which body the embedding gets: a tower taught by the labels, or by an ensemble; a tower serves."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from embeddings.course import Keeper
from embeddings.derived import Derived
from embeddings.distil import distil
from embeddings.encode import Encoding
from embeddings.ensemble import Ensemble
from embeddings.network import Network
from embeddings.rows import Rows
from embeddings.spec import Spec
from embeddings.train import OnEpoch, Trained, device_of, fit, prepared, row_losses, seeded

OnStep = Callable[[str, float], None]
"""Called with what is being trained and the share of it that is done at most."""

LEAST_ROWS = 5_000
"""With fewer training rows `auto` trains no ensemble: one standard error was more than any gain there."""
START_STEPS = 1_000
"""Steps of a tower that goes on from what the labels taught it: it has less to learn."""


@dataclass(frozen=True)
class Body:
    """The tower that serves, what taught it (`labels` or `ensemble`), and how that was chosen."""

    trained: Trained
    taught_by: str
    report: Mapping[str, Any]


def train_body(
    spec: Spec,
    encoding: Encoding,
    inputs: Mapping[str, np.ndarray],
    targets: Mapping[str, np.ndarray],
    validation_inputs: Mapping[str, np.ndarray],
    validation_targets: Mapping[str, np.ndarray],
    *,
    derived: Derived | None = None,
    weights: Mapping[str, np.ndarray] | None = None,
    validation_weights: Mapping[str, np.ndarray] | None = None,
    device: str = "auto",
    on_step: OnStep | None = None,
    keeper: Keeper | None = None,
) -> Body:
    """Train as `spec.body` says. Arguments and errors are those of `train`; deterministic on the CPU.

    With a keeper, a training that was cut off goes on where it was last kept, and comes to the same.
    """
    rows, validation, classes = prepared(
        spec, inputs, targets, validation_inputs, validation_targets, weights, validation_weights
    )
    place = device_of(device)
    spec = spec.sized(rows.count)
    tell = on_step or _silent
    rows, judges = rows.to(place), validation.to(place)
    with seeded(spec.seed, place):
        alone = None
        if spec.body != "ensemble":
            alone = fit(
                spec,
                Network(spec, encoding, classes, derived).to(place),
                rows,
                judges,
                _told(tell, "tower"),
                keeper=keeper,
            )
            if spec.body == "tower" or rows.count < LEAST_ROWS:
                return Body(alone, "labels", {"body": "tower"})
        teacher = teach(spec, encoding, classes, derived, rows, judges, _told(tell, "ensemble"), keeper)
        report: dict[str, Any] = {"body": "tower", "ensemble_epochs": len(teacher.history)}
        if alone is not None:
            gain, error = paired_gain(alone.network, teacher.network, validation)
            report |= {"ensemble_gain": gain, "standard_error": error}
            if gain <= error:
                return Body(alone, "labels", report)
        steps = spec.distil_steps if alone is None else min(spec.distil_steps, START_STEPS)
        student = distil(
            replace(spec, distil_steps=steps),
            encoding,
            classes,
            derived,
            teacher.network.to(place),
            rows,
            judges,
            _told(tell, "distilled tower"),
            start=None if alone is None else alone.network,
            keeper=keeper,
        )
        return Body(student, "ensemble", report | {"body": "ensemble"})


def teach(
    spec: Spec,
    encoding: Encoding,
    classes: Mapping[str, int],
    derived: Derived | None,
    rows: Rows,
    validation: Rows,
    on_epoch: OnEpoch | None,
    keeper: Keeper | None = None,
) -> Trained:
    """Train the ensemble: at twice the tower's learning rate; stopped sooner, for its curve is smoother."""
    settings = replace(spec, learning_rate=2 * spec.learning_rate, patience=max(2, spec.patience - 2))
    network = Ensemble(spec, encoding, classes, derived).to(rows.device)
    return fit(settings, network, rows, validation, on_epoch, stage="ensemble", keeper=keeper)


def paired_gain(network: torch.nn.Module, other: torch.nn.Module, rows: Rows) -> tuple[float, float]:
    """How much less the other's loss is, a row and label, and the standard error of that."""
    ours, theirs = row_losses(network, rows), row_losses(other, rows)
    one = torch.ones(rows.count)
    gains = torch.cat(
        [
            ((ours[label] - theirs[label]) * rows.weights.get(label, one))[codes >= 0]
            for label, codes in rows.targets.items()
        ]
    )
    return float(gains.mean()), float(gains.std()) / max(1, len(gains)) ** 0.5


def _told(tell: OnStep, what: str) -> OnEpoch:
    """Tell of each pass, and of the best so far; a training taken up again knows the best since then."""
    losses: list[float] = []

    def on_epoch(number: int, most: int, training: float, validation: float) -> None:
        losses.append(validation)
        tell(
            f"{what}: epoch {number} of {most}, loss {training:.4f}, on validation rows {validation:.4f} "
            f"(best {min(losses):.4f})",
            number / most,
        )

    return on_epoch


def _silent(_: str, __: float) -> None:
    """Report progress to nobody."""
