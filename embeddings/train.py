"""The network is trained on all labels at once, until validation rows say that it no longer gains."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from embeddings.encode import Encoding
from embeddings.errors import TrainingError
from embeddings.network import Network
from embeddings.rows import Rows
from embeddings.spec import Spec

OnEpoch = Callable[[int, int, float, float], None]
"""Called with epoch (from 1), most epochs, training loss, validation loss."""

_STEPS_AN_EPOCH = 100
_SMALLEST_BATCH, _LARGEST_BATCH = 32, 1_024
_JUDGED_AT_ONCE = 8_192
_UNSEEN_SHARE = 0.01


@dataclass(frozen=True)
class Epoch:
    """What one pass came to: mean losses over labels, in nats."""

    train_loss: float
    validation_loss: float


@dataclass(frozen=True)
class Trained:
    """A trained network on the CPU, in evaluation mode; its passes; and the one that was kept, from 0."""

    network: Network
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
    device: `auto` takes a GPU where there is one; else a name that torch knows.
    on_epoch: called after each pass with its number, the most there can be, training loss, validation loss.

    Raises
    ------
    TrainingError: no label, a label without a known row, arrays that do not fit, a device that is not
        there, or a loss that is no longer finite.
    """
    rows = Rows.of(inputs, targets, "training").sampled(spec.max_rows, spec.seed)
    validation = Rows.of(validation_inputs, validation_targets, "validation")
    classes = _classes(rows, validation)
    place = _device(device)
    with _seeded(spec.seed, place):
        network = Network(spec, encoding, classes).to(place)
        return _fit(spec, network, rows.to(place), validation.to(place), on_epoch)


def _fit(spec: Spec, network: Network, rows: Rows, validation: Rows, on_epoch: OnEpoch | None) -> Trained:
    optimizer = _optimizer(spec, network)
    averaged = copy.deepcopy(network).eval()
    kept = averaged.state_dict()
    history: list[Epoch] = []
    best, steps = 0, 0
    size = spec.batch_size or _batch_size(rows.count)
    for number in range(spec.epochs):
        network.train()
        losses = []
        for at in torch.randperm(rows.count).split(size):
            losses.append(_step(network, optimizer, rows.take(at.to(rows.device))))
            steps += 1
            _average(averaged, network, min(spec.average, (1 + steps) / (10 + steps)))
        history.append(Epoch(float(torch.stack(losses).mean()), judge(averaged, validation)))
        _check_finite(history)
        if on_epoch is not None:
            on_epoch(number + 1, spec.epochs, history[-1].train_loss, history[-1].validation_loss)
        if number == 0 or history[-1].validation_loss < history[best].validation_loss:
            best = number
            kept = {name: value.clone() for name, value in averaged.state_dict().items()}
        elif number - best >= spec.patience:
            break
    averaged.load_state_dict(kept)
    return Trained(averaged.cpu(), tuple(history), best)


def judge(network: Network, rows: Rows) -> float:
    """Mean over labels of the mean loss over rows, in nats; a label without a known row takes no part."""
    with torch.no_grad():
        totals: dict[str, Tensor] = {}
        for at in torch.arange(rows.count, device=rows.device).split(_JUDGED_AT_ONCE):
            block = rows.take(at)
            for label, logits in network(block.inputs).items():
                loss = functional.cross_entropy(
                    logits, block.targets[label], ignore_index=-1, reduction="sum"
                )
                totals[label] = totals.get(label, torch.zeros_like(loss)) + loss
        means = [float(total) / known for label, total in totals.items() if (known := rows.known(label))]
    return sum(means) / len(means)


def _step(network: Network, optimizer: torch.optim.Optimizer, rows: Rows) -> Tensor:
    optimizer.zero_grad(set_to_none=True)
    losses = []
    for label, logits in network(_forget_some(network, rows.inputs)).items():
        target = rows.targets[label]
        loss = functional.cross_entropy(logits, target, ignore_index=-1, reduction="sum")
        losses.append(loss / (target >= 0).sum().clamp(min=1))
    loss = torch.stack(losses).mean()
    loss.backward()
    optimizer.step()
    return loss.detach()


def _forget_some(network: Network, inputs: dict[str, Tensor]) -> dict[str, Tensor]:
    """Make a few category values unseen: their rows are then trained even where no level is rare."""
    categories = inputs.get("categories")
    if categories is None:
        return inputs
    forgotten = torch.rand(categories.shape, device=categories.device) < _UNSEEN_SHARE
    return inputs | {"categories": torch.where(forgotten, network.first_rows, categories)}


def _optimizer(spec: Spec, network: Network) -> torch.optim.Optimizer:
    biases = [parameter for parameter in network.parameters() if parameter.ndim == 1]
    weights = [parameter for parameter in network.parameters() if parameter.ndim > 1]
    groups = [{"params": weights, "weight_decay": spec.weight_decay}, {"params": biases, "weight_decay": 0.0}]
    fused = biases[0].device.type in ("cpu", "cuda")
    return torch.optim.AdamW(groups, lr=spec.learning_rate, fused=fused)


def _average(averaged: Network, network: Network, decay: float) -> None:
    """Exponential moving average of the weights, quicker at the start, when there is little to average."""
    with torch.no_grad():
        for mean, now in zip(averaged.parameters(), network.parameters(), strict=True):
            mean.lerp_(now, 1 - decay)


def _batch_size(rows: int) -> int:
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


def _device(name: str) -> torch.device:
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
def _seeded(seed: int, place: torch.device) -> Iterator[None]:
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
