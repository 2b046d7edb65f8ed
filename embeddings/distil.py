"""A tower learns from a teacher: from what the ensemble says of rows, and of rows mixed from others.

Hinton et al. 2015, "Distilling the Knowledge in a Neural Network", at temperature 1 and without the labels:
mixing them in was seen to over-fit. Rows whose values are swapped with those of other rows (the noise of
Bahri et al. 2022, "SCARF", section 3) show the student what the teacher says where no training row is.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional

from embeddings.course import Course, Epoch, Keeper
from embeddings.derived import INPUT, Derived
from embeddings.encode import Encoding
from embeddings.network import Network
from embeddings.rows import Rows
from embeddings.spec import Spec
from embeddings.train import OnEpoch, Trained, average, forget_some, judge, optimizer_of

SWAPPED = 0.2
"""Share of the values that are another row's."""
_BATCH = 512
_JUDGED = 10
_COOLING = 0.5
"""Over this last share of the steps the learning rate falls to nought: no row says when to stop."""


def distil(
    spec: Spec,
    encoding: Encoding,
    classes: Mapping[str, int],
    derived: Derived | None,
    teacher: nn.Module,
    rows: Rows,
    validation: Rows,
    on_epoch: OnEpoch | None,
    *,
    start: Network | None = None,
    keeper: Keeper | None = None,
) -> Trained:
    """Train a tower for `spec.distil_steps` steps and keep its last averaged weights.

    It goes on from `start`, a tower that the labels have taught, where there is one.
    `on_epoch` is called ten times, with the validation rows' loss; nothing is chosen by it.
    """
    network = Network(spec, encoding, classes, derived) if start is None else copy.deepcopy(start)
    network = network.to(rows.device).train()
    averaged = copy.deepcopy(network).eval()
    course = Course("distilled tower", network, averaged, optimizer_of(spec, network), _JUDGED, keeper)
    losses: list[Tensor] = []
    every = max(1, spec.distil_steps // _JUDGED)
    size = min(_BATCH, rows.count)
    network.train()
    course.take_up()
    for step in range(course.steps, spec.distil_steps):
        if len(course.order) < size:
            course.order = torch.randperm(rows.count)
        at, course.order = course.order[:size], course.order[size:]
        for group in course.optimizer.param_groups:
            group["lr"] = spec.learning_rate * min(1.0, (1 - step / spec.distil_steps) / _COOLING)
        mixed = swapped(rows.take(at.to(rows.device)).inputs, derived)
        losses.append(_step(network, course.optimizer, teacher, mixed))
        course.steps += 1
        average(averaged, network, min(spec.average, (2 + step) / (11 + step)))
        if course.steps % every == 0:
            course.history.append(Epoch(float(torch.stack(losses).mean()), judge(averaged, validation)))
            losses.clear()
            if on_epoch is not None:
                done = course.history[-1]
                on_epoch(len(course.history), _JUDGED, done.train_loss, done.validation_loss)
            course.keep()
    return Trained(averaged.cpu(), tuple(course.history), len(course.history) - 1)


def swapped(inputs: Mapping[str, Tensor], derived: Derived | None = None) -> dict[str, Tensor]:
    """Each value of a number or category is, one time in five, another row's; a text goes as a whole.

    What is derived from a field goes with it, and so the fields of a pair go together.
    """
    mixed: dict[str, Tensor] = {}
    taken: dict[str, Tensor] = {}
    for name, values in inputs.items():
        if name == INPUT:
            continue
        columns = 1 if name.startswith("text.") else values.shape[1]
        moved = torch.rand((len(values), columns), device=values.device) < SWAPPED
        other = torch.randint(len(values), (len(values), columns), device=values.device)
        stay = torch.arange(len(values), device=values.device)[:, None]
        taken[name] = torch.where(moved, other, stay)
        if name == "categories" and derived is not None and derived.pairs:
            taken[name] = taken[name][:, derived.bound(columns)]
        mixed[name] = values.gather(0, taken[name].expand(values.shape))
    if derived is not None:
        rows = torch.stack([taken[name][:, column] for name, column in derived.sources], dim=1)
        mixed[INPUT] = inputs[INPUT].gather(0, rows)
    return mixed


def _step(
    network: Network, optimizer: torch.optim.Optimizer, teacher: nn.Module, inputs: dict[str, Tensor]
) -> Tensor:
    with torch.no_grad():
        told = {label: said.softmax(dim=1) for label, said in teacher(inputs).items()}
    optimizer.zero_grad(set_to_none=True)
    losses = [
        functional.cross_entropy(logits, told[label])
        for label, logits in network(forget_some(network.fields, inputs)).items()
    ]
    loss = torch.stack(losses).mean()
    loss.backward()
    optimizer.step()
    return loss.detach()
