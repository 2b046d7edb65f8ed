"""The network is trained on all labels at once, until validation rows say that it no longer gains."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from embeddings.course import Course, Epoch, Keeper
from embeddings.derived import Derived
from embeddings.encode import Encoding
from embeddings.errors import TrainingError
from embeddings.network import Fields, Network
from embeddings.rows import Rows
from embeddings.spec import Spec

OnEpoch = Callable[[int, int, float, float], None]
"""Called with epoch (from 1), most epochs, training loss, validation loss."""

_STEPS_AN_EPOCH = 100
_SMALLEST_BATCH, _LARGEST_BATCH = 32, 1_024
_JUDGED_AT_ONCE = 8_192
_UNSEEN_SHARE = 0.01


@dataclass(frozen=True)
class Trained:
    """A trained network on the CPU, in evaluation mode; its passes; and the one that was kept, from 0."""

    network: Any
    history: tuple[Epoch, ...]
    best: int


def train(
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
    on_epoch: OnEpoch | None = None,
) -> Trained:
    """Train on encoded rows; keep the averaged weights that were best on the validation rows.

    The CPU is used with one thread, so that a seed gives the same weights on any number of cores. On a GPU
    the last bits may differ between runs.

    Parameters
    ----------
    inputs, validation_inputs: as `encoding.batch` gives them, n rows.
    targets, validation_targets: class codes `(n,)` int64 by label, -1 where the label is missing.
    weights, validation_weights: how much a row counts `(n,)` float64, for the labels that have weights.
    derived: what the columns `derived` of the inputs are, where they have such.
    device: `auto` takes a GPU where there is one; else a name that torch knows.
    on_epoch: called after each pass with its number, the most there can be, training loss, validation loss.

    Raises
    ------
    TrainingError: no label, a label without a known row, arrays that do not fit, a device that is not
        there, or a loss that is no longer finite.
    """
    rows, validation, classes = prepared(
        spec, inputs, targets, validation_inputs, validation_targets, weights, validation_weights
    )
    place = device_of(device)
    spec = spec.sized(rows.count)
    with seeded(spec.seed, place):
        network = Network(spec, encoding, classes, derived).to(place)
        return fit(spec, network, rows.to(place), validation.to(place), on_epoch)


def prepared(
    spec: Spec,
    inputs: Mapping[str, np.ndarray],
    targets: Mapping[str, np.ndarray],
    validation_inputs: Mapping[str, np.ndarray],
    validation_targets: Mapping[str, np.ndarray],
    weights: Mapping[str, np.ndarray] | None = None,
    validation_weights: Mapping[str, np.ndarray] | None = None,
) -> tuple[Rows, Rows, dict[str, int]]:
    """Training rows, at most `max_rows` of them, validation rows, and the classes of each label."""
    rows = Rows.of(inputs, targets, "training", weights, most=spec.max_rows, seed=spec.seed)
    validation = Rows.of(validation_inputs, validation_targets, "validation", validation_weights)
    return rows, validation, _classes(rows, validation)


def fit(
    spec: Spec,
    network: nn.Module,
    rows: Rows,
    validation: Rows,
    on_epoch: OnEpoch | None,
    *,
    stage: str = "tower",
    keeper: Keeper | None = None,
) -> Trained:
    """Train a network of any body on its rows' labels; see `train`.

    With a keeper it goes on from what that kept of the stage, to the weights of a training never stopped.
    """
    averaged = copy.deepcopy(network).eval()
    course = Course(stage, network, averaged, optimizer_of(spec, network), spec.epochs, keeper)
    course.take_up()
    size = spec.batch_size or batch_size(rows.count)
    while len(course.history) < spec.epochs and not course.over:
        loss = _pass(spec, course, rows, size)
        course.history.append(Epoch(loss, judge(averaged, validation)))
        _check_finite(course.history)
        if on_epoch is not None:
            on_epoch(len(course.history), spec.epochs, loss, course.history[-1].validation_loss)
        _note_best(course, spec.patience)
        course.keep()
    averaged.load_state_dict(course.best_weights)
    return Trained(averaged.cpu(), tuple(course.history), course.best)


def embed(network: Network, inputs: Mapping[str, np.ndarray]) -> np.ndarray:
    """What a trained network on the CPU makes of n rows: `(n, width)` float32."""
    count = len(next(iter(inputs.values())))
    vectors = np.empty((count, network.layers[-1].out_features), np.float32)
    with torch.no_grad():
        for at in range(0, count, _JUDGED_AT_ONCE):
            block = {name: torch.tensor(array[at : at + _JUDGED_AT_ONCE]) for name, array in inputs.items()}
            vectors[at : at + _JUDGED_AT_ONCE] = network.embed(block).numpy()
    return vectors


def judge(network: nn.Module, rows: Rows) -> float:
    """Mean over labels of the mean loss by weight, in nats; a label without a known row takes no part."""
    losses = row_losses(network, rows)
    means = [float(rows.mean(label, loss)) for label, loss in losses.items() if rows.known(label)]
    return sum(means) / len(means)


def row_losses(network: nn.Module, rows: Rows) -> dict[str, Tensor]:
    """Loss of each row by label, in nats, `(n,)` float32; 0 where the label is missing."""
    blocks: dict[str, list[Tensor]] = {label: [] for label in rows.targets}
    with torch.no_grad():
        for at in torch.arange(rows.count, device=rows.device).split(_JUDGED_AT_ONCE):
            block = rows.take(at)
            for label, logits in network(block.inputs).items():
                loss = functional.cross_entropy(
                    logits, block.targets[label], ignore_index=-1, reduction="none"
                )
                blocks[label].append(loss)
    return {label: torch.cat(found) for label, found in blocks.items()}


def _pass(spec: Spec, course: Course, rows: Rows, size: int) -> float:
    """All rows once, in random order; gives the mean training loss."""
    course.network.train()
    losses = []
    for at in torch.randperm(rows.count).split(size):
        losses.append(_step(course.network, course.optimizer, rows.take(at.to(rows.device))))
        course.steps += 1
        decay = min(spec.average, (1 + course.steps) / (10 + course.steps))
        average(course.averaged, course.network, decay)
    return float(torch.stack(losses).mean())


def _note_best(course: Course, patience: int) -> None:
    """Keep the averaged weights where they are the best so far; else stop once patience is at an end."""
    history, last = course.history, len(course.history) - 1
    if last == 0 or history[last].validation_loss < history[course.best].validation_loss:
        course.best = last
        course.best_weights = {name: value.clone() for name, value in course.averaged.state_dict().items()}
    elif last - course.best >= patience:
        course.over = True


def _step(network: nn.Module, optimizer: torch.optim.Optimizer, rows: Rows) -> Tensor:
    optimizer.zero_grad(set_to_none=True)
    losses = []
    for label, logits in network(forget_some(network.fields, rows.inputs)).items():
        target = rows.targets[label]
        weights = rows.weights.get(label)
        if logits.ndim == 3:  # each member of an ensemble learns on its own
            members = logits.shape[:2]
            target = target[:, None].expand(members).flatten()
            weights = None if weights is None else weights[:, None].expand(members).flatten()
            logits = logits.flatten(0, 1)
        known = (target >= 0).sum().clamp(min=1)
        if weights is None:
            loss = functional.cross_entropy(logits, target, ignore_index=-1, reduction="sum")
        else:
            # Divided by rows, not by weights: a batch of heavy rows is to move more than one of light rows.
            loss = functional.cross_entropy(logits, target, ignore_index=-1, reduction="none") @ weights
        losses.append(loss / known)
    loss = torch.stack(losses).mean()
    loss.backward()
    optimizer.step()
    return loss.detach()


def forget_some(fields: Fields, inputs: dict[str, Tensor]) -> dict[str, Tensor]:
    """Make a few category values unseen: their rows are then trained even where no level is rare."""
    categories = inputs.get("categories")
    if categories is None:
        return inputs
    forgotten = torch.rand(categories.shape, device=categories.device) < _UNSEEN_SHARE
    return inputs | {"categories": torch.where(forgotten, fields.first_rows, categories)}


def optimizer_of(spec: Spec, network: nn.Module) -> torch.optim.Optimizer:
    """AdamW; its decay falls on matrices alone, not on biases, nor on the scales of an ensemble's members."""
    named = list(network.named_parameters())
    weights = [parameter for name, parameter in named if name.endswith("weight")]
    biases = [parameter for name, parameter in named if not name.endswith("weight")]
    groups = [{"params": weights, "weight_decay": spec.weight_decay}, {"params": biases, "weight_decay": 0.0}]
    fused = biases[0].device.type in ("cpu", "cuda")
    return torch.optim.AdamW(groups, lr=spec.learning_rate, fused=fused)


def average(averaged: nn.Module, network: nn.Module, decay: float) -> None:
    """Exponential moving average of the weights, quicker at the start, when there is little to average."""
    with torch.no_grad():
        for mean, now in zip(averaged.parameters(), network.parameters(), strict=True):
            mean.lerp_(now, 1 - decay)


def batch_size(rows: int) -> int:
    """A power of two with about a hundred steps a pass."""
    wanted: int = 2 ** round(math.log2(max(1.0, rows / _STEPS_AN_EPOCH)))
    return min(_LARGEST_BATCH, max(_SMALLEST_BATCH, wanted))


def _classes(rows: Rows, validation: Rows) -> dict[str, int]:
    """Classes of each label: as many as the highest code asks for, two at least."""
    if set(rows.targets) != set(validation.targets):
        raise TrainingError(
            f"labels differ: {sorted(rows.targets)} in training, {sorted(validation.targets)} in validation"
        )
    for label in rows.targets:
        if not rows.known(label):
            raise TrainingError(f"label '{label}' is missing in every training row")
    if not any(validation.known(label) for label in validation.targets):
        raise TrainingError("no validation row has a label; training could not tell when to stop")
    return {
        label: max(2, 1 + int(max(codes.max(), validation.targets[label].max())))
        for label, codes in rows.targets.items()
    }


def _check_finite(history: list[Epoch]) -> None:
    if not math.isfinite(history[-1].train_loss + history[-1].validation_loss):
        raise TrainingError(
            f"the loss is no longer finite in epoch {len(history)}; try a lower learning_rate"
        )


def device_of(name: str) -> torch.device:
    """The device of that name. Raises `TrainingError` where it cannot be used."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        place = torch.device(name)
        torch.empty(0, device=place)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise TrainingError(f"device '{name}' cannot be used ({reason}); try 'auto' or 'cpu'") from error
    return place


@contextmanager
def seeded(seed: int, place: torch.device) -> Iterator[None]:
    """Seed torch for the block and leave the process's own random state and threads as they were."""
    threads, on_gpu = torch.get_num_threads(), place.type == "cuda"
    devices = [torch.cuda.current_device() if place.index is None else place.index] if on_gpu else []
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(seed)
        torch.set_num_threads(1)
        try:
            yield
        finally:
            torch.set_num_threads(threads)
