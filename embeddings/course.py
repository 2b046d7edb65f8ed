"""A training under way as arrays and back, bit for bit: all that its next pass depends on, and no objects.

A course that was kept after some pass and taken up again ends in the weights of one that nobody stopped: the
weights, their average, the best so far, the optimiser's moments and the random states are all there.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn

Arrays = Mapping[str, np.ndarray]
_MOMENTS = ("step", "exp_avg", "exp_avg_sq")


@dataclass(frozen=True)
class Epoch:
    """What one pass came to: mean losses over labels, in nats."""

    train_loss: float
    validation_loss: float


class Keeper(Protocol):
    """Where courses are kept, by stage: `tower`, `ensemble`, `distilled tower`."""

    def due(self) -> bool:
        """Whether it is time to keep one again."""

    def keep(self, stage: str, arrays: Arrays) -> None:
        """Keep a course in place of what was kept of this stage."""

    def kept(self, stage: str) -> Arrays | None:
        """What was kept last."""

    def goes_on(self, stage: str, done: int, most: int, *, over: bool) -> None:
        """Hear that a course is taken up after so many passes of at most so many."""


@dataclass
class Course:
    """A network, and how far its training is.

    most: passes there can be; after each the course may be kept.
    best, best_weights: the pass that was best, from 0, and its averaged weights, where training keeps those.
    order: the rows that are next, where a pass is not all rows once.
    over: whether training was stopped early.
    """

    stage: str
    network: nn.Module
    averaged: nn.Module
    optimizer: torch.optim.Optimizer
    most: int
    keeper: Keeper | None = None
    history: list[Epoch] = field(default_factory=list)
    best: int = 0
    steps: int = 0
    over: bool = False
    order: Tensor = field(default_factory=lambda: torch.empty(0, dtype=torch.int64))
    best_weights: dict[str, Tensor] = field(default_factory=dict)

    @property
    def place(self) -> torch.device:
        """The device that it runs on."""
        found: torch.device = next(self.network.parameters()).device
        return found

    def keep(self) -> None:
        """Keep it as it stands, where that is due."""
        if self.keeper is not None and self.keeper.due():
            self.keeper.keep(self.stage, _written(self))

    def take_up(self) -> None:
        """Go on from what was kept; from the start where nothing was, or what is not of this course."""
        found = None if self.keeper is None else self.keeper.kept(self.stage)
        if self.keeper is None or found is None:
            return
        try:
            _restore(self, found)
        except (KeyError, ValueError, TypeError, RuntimeError):  # another course's, or no course at all
            return
        over = self.over or len(self.history) == self.most
        self.keeper.goes_on(self.stage, len(self.history), self.most, over=over)


def _written(course: Course) -> dict[str, np.ndarray]:
    about = {
        "device": course.place.type,
        "most": course.most,
        "history": [[epoch.train_loss, epoch.validation_loss] for epoch in course.history],
        "best": course.best,
        "steps": course.steps,
        "over": course.over,
    }
    tensors = {
        **_under("network", course.network.state_dict()),
        **_under("averaged", course.averaged.state_dict()),
        **_under("best", course.best_weights),
        **{
            f"moment.{number}.{name}": value
            for number, moments in course.optimizer.state_dict()["state"].items()
            for name, value in moments.items()
        },
        **{f"random.{name}": state for name, state in _random(course.place).items()},
        "order": course.order,
    }
    arrays = {name: value.detach().cpu().numpy() for name, value in tensors.items()}
    return {"about": np.frombuffer(json.dumps(about).encode(), np.uint8), **arrays}


def _restore(course: Course, arrays: Arrays) -> None:
    """Check all of it, then take it over. Raises ValueError and the like, and has then changed nothing."""
    about = json.loads(arrays["about"].tobytes())
    if about["device"] != course.place.type or about["most"] != course.most:
        raise ValueError("of another device, or of another length")
    history = [Epoch(float(ours), float(theirs)) for ours, theirs in about["history"]]
    best, steps, over = int(about["best"]), int(about["steps"]), bool(about["over"])
    if not 0 <= best < len(history) <= course.most or steps < 1:
        raise ValueError("no such pass")
    network = _like(course.network.state_dict(), "network", arrays)
    averaged = _like(course.averaged.state_dict(), "averaged", arrays)
    kept_best = any(name.startswith("best.") for name in arrays)
    best_weights = _like(course.averaged.state_dict(), "best", arrays) if kept_best else {}
    moments = _moments(course.optimizer, arrays)
    order = torch.tensor(arrays["order"], dtype=torch.int64)
    random = {name: torch.tensor(arrays[f"random.{name}"]) for name in _random(course.place)}
    for name, state in random.items():  # refuses what is no state
        torch.Generator(course.place if name == "cuda" else "cpu").set_state(state)

    course.network.load_state_dict(network)
    course.averaged.load_state_dict(averaged)
    groups = course.optimizer.state_dict()["param_groups"]
    course.optimizer.load_state_dict({"state": moments, "param_groups": groups})
    torch.set_rng_state(random["cpu"])
    if "cuda" in random:
        torch.cuda.set_rng_state(random["cuda"], course.place)
    course.history, course.best, course.steps, course.over = history, best, steps, over
    course.order, course.best_weights = order, best_weights


def _under(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {f"{prefix}.{name}": value for name, value in tensors.items()}


def _random(place: torch.device) -> dict[str, Tensor]:
    states = {"cpu": torch.get_rng_state()}
    return states | ({"cuda": torch.cuda.get_rng_state(place)} if place.type == "cuda" else {})


def _like(wanted: Mapping[str, Tensor], prefix: str, arrays: Arrays) -> dict[str, Tensor]:
    """Tensors of those names, shapes and types."""
    found = {}
    for name, tensor in wanted.items():
        found[name] = _tensor(arrays[f"{prefix}.{name}"], tensor)
    return found


def _tensor(array: np.ndarray, wanted: Tensor) -> Tensor:
    tensor = torch.tensor(array)
    if tensor.shape != wanted.shape or tensor.dtype != wanted.dtype:
        raise ValueError(f"{tuple(tensor.shape)} {tensor.dtype} where {tuple(wanted.shape)} is due")
    return tensor.to(wanted.device)


def _moments(optimizer: torch.optim.Optimizer, arrays: Arrays) -> dict[int, dict[str, Any]]:
    """The optimiser's state by the number of the parameter: those that have had a gradient."""
    parameters = [one for group in optimizer.param_groups for one in group["params"]]
    found: dict[int, dict[str, Any]] = {}
    for number, parameter in enumerate(parameters):
        if f"moment.{number}.step" in arrays:
            step = torch.tensor(arrays[f"moment.{number}.step"], dtype=torch.float32)
            if step.shape != ():
                raise ValueError("a step is one number")
            found[number] = {"step": step} | {
                name: _tensor(arrays[f"moment.{number}.{name}"], parameter) for name in _MOMENTS[1:]
            }
    return found
