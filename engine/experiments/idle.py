"""Changes of a sweep that cannot change what it compares: log-loss and AUC are of models without rules."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from engine.experiments.sweep import Sweep
from engine.experiments.variants import Variant
from engine.training.reuse import canonical_json
from rules.errors import Problem

OF_THE_MODEL = ("log_loss", "auc")


def idle(sweep: Sweep, variants: Sequence[Variant], model: Callable[[Variant], str]) -> Iterator[Problem]:
    """Give what to know before it runs; `model` names a variant's model.

    The first of the variants is the project as it is.
    """
    if sweep.measure not in OF_THE_MODEL:
        return
    models = {one.number: model(one) for one in variants}
    base, *others = variants
    varied = [one for one in others if one.place == ("vary",)]
    for axis in sweep.axes:
        if _same_whatever(axis.key, [base, *varied], models):
            message = (
                f"'{axis.key}' cannot change {sweep.measure}, which is of the model, without policy and rules"
            )
            hint = "leave it out, or compare by value_per_row"
            yield sweep.document.problem(axis.path, message, hint, key=True)
    for one in others:
        if one.place != ("vary",) and models[one.number] == models[base.number]:
            message = (
                f"variant '{one.name}' has the model of the project as it is, and the same {sweep.measure}"
            )
            yield sweep.document.problem(one.place, message, "compare by value_per_row")


def _same_whatever(key: str, variants: Sequence[Variant], models: Mapping[int, str]) -> bool:
    """Whether those that differ in one key alone have the same model, and there are such."""
    alike: dict[bytes, list[str]] = {}
    for one in variants:
        rest = canonical_json({name: value for name, value in one.changes.items() if name != key})
        alike.setdefault(rest, []).append(models[one.number])
    several = [some for some in alike.values() if len(some) > 1]
    return bool(several) and all(len(set(some)) == 1 for some in several)
