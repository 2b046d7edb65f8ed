"""The teacher: several networks in one, which share their large weights and are told apart by small ones.

Gorishniy et al. 2025, "TabM: Advancing Tabular Deep Learning with Parameter-Efficient Ensembling", section 3.
Unlike the paper, the first layer is computed once for all members, who each turn its outputs over by random
signs before the activation: most of the work is there, and half of each plane is as random a choice as any.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from embeddings.derived import Derived
from embeddings.encode import Encoding
from embeddings.network import Fields
from embeddings.spec import Spec


class Ensemble(nn.Module):  # type: ignore[misc]  # torch is not followed by mypy here
    """Features → logits of every member `(n, members, classes)` a label; judged, the log of their mean.

    It learns each member's loss on its own and gives the mean of their probabilities.
    """

    def __init__(
        self, spec: Spec, encoding: Encoding, classes: Mapping[str, int], derived: Derived | None = None
    ) -> None:
        super().__init__()
        members = spec.members
        self.fields = Fields(spec, encoding, derived)
        self.first = self.fields.first_layer(spec.layers[0])
        self.signs = nn.Parameter(torch.randint(0, 2, (members, spec.layers[0])).float() * 2 - 1)
        self.layers = nn.ModuleList(_Shared(members, a, b) for a, b in pairwise(spec.layers))
        self.heads = nn.ModuleList(_Own(members, spec.layers[-1], count) for count in classes.values())
        self.labels = tuple(classes)
        self.dropout = spec.dropped

    def forward(self, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """In training logits `(n, members, classes)` by label; else log-probabilities `(n, classes)`."""
        state = self._active(self.first(self.fields(inputs))[:, None, :] * self.signs)
        for layer in self.layers:
            state = self._active(layer(state))
        logits = {label: head(state) for label, head in zip(self.labels, self.heads, strict=True)}
        return logits if self.training else {label: _mean(each) for label, each in logits.items()}

    def _active(self, state: Tensor) -> Tensor:
        return functional.dropout(functional.relu(state), self.dropout, self.training)


class _Shared(nn.Module):  # type: ignore[misc]
    """One linear layer for all members, each with its own scales before and after and its own bias."""

    def __init__(self, members: int, given: int, width: int) -> None:
        super().__init__()
        self.linear = nn.Linear(given, width, bias=False)
        self.before = nn.Parameter(torch.ones(members, given))
        self.after = nn.Parameter(torch.ones(members, width))
        bound = 1 / math.sqrt(given)
        self.bias = nn.Parameter(torch.empty(members, width).uniform_(-bound, bound))

    def forward(self, state: Tensor) -> Tensor:
        moved: Tensor = self.linear(state * self.before) * self.after + self.bias
        return moved


class _Own(nn.Module):  # type: ignore[misc]
    """A linear layer of each member's own: `(n, members, given)` → `(n, members, width)`."""

    def __init__(self, members: int, given: int, width: int) -> None:
        super().__init__()
        bound = 1 / math.sqrt(given)
        self.weight = nn.Parameter(torch.empty(members, given, width).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.empty(members, width).uniform_(-bound, bound))

    def forward(self, state: Tensor) -> Tensor:
        moved: Tensor = torch.bmm(state.transpose(0, 1), self.weight).transpose(0, 1) + self.bias
        return moved


def _mean(logits: Tensor) -> Tensor:
    """Log of the members' mean probability: `(n, members, classes)` → `(n, classes)`."""
    return functional.log_softmax(logits, dim=2).logsumexp(dim=1) - math.log(logits.shape[1])
