"""The sums of a graph: tensors to which each field adds a part of its own, whatever the others are.

The first layer of a tower is one, and so are the margins of a model that is linear in its inputs. A row made
up of one row's fields and another's then needs no encoding and no first layer: its sums are those of parts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import onnxruntime

from engine.errors import BundleError

PART = "model/scores.json"
ALLOWED = 1e-4  # that parts may be off from their sum, as a share of the largest number in it

Inputs = Mapping[str, np.ndarray]


@dataclass(frozen=True, slots=True)
class Parts:
    """Of each sum, for one row: `wholes` `(width,)`, and `parts` `(fields, width)`, what each field's value
    adds beyond the value of the first reference row.
    """

    wholes: tuple[np.ndarray, ...]
    parts: tuple[np.ndarray, ...]


class Sums:
    """A graph that puts out its sums, and the row that parts are told against."""

    def __init__(
        self,
        session: onnxruntime.InferenceSession,
        names: Sequence[str],
        base: Inputs,
        owners: Mapping[str, np.ndarray],
        fields: int,
    ) -> None:
        """`base` is one row of inputs, `owners` says whose each column of each input is."""
        self._session, self._names = session, list(names)
        self._read = [one.name for one in session.get_inputs()]
        # Row 0 will be the row itself, row 1 + f the base row with the value of field f.
        self._base = {name: np.repeat(base[name], 1 + fields, axis=0) for name in self._read}
        self._own = {name: (owners[name] + 1, np.arange(len(owners[name]))) for name in self._read}
        self._wholes = [value[0] for value in self._run({name: base[name] for name in self._read})]

    def of(self, inputs: Inputs) -> Parts:
        """Take one row apart. Raises BundleError where a tensor is no sum of parts of its fields."""
        rows = {}
        for name in self._read:
            rows[name] = mixed = self._base[name].copy()
            own = inputs[name][0]
            mixed[0] = mixed[self._own[name]] = own
        wholes, parts = [], []
        for name, base, found in zip(self._names, self._wholes, self._run(rows), strict=True):
            part = found[1:] - base
            # INVARIANT: whatever is told of a record rests on this, so it is looked at every time.
            off = np.abs(base + part.sum(axis=0) - found[0]).max(initial=0)
            if off > ALLOWED * (1 + np.abs(found).max(initial=0)):
                raise BundleError(f"'{name}' is no sum of its fields' parts: off by {off:.2g}", part=PART)
            wholes.append(found[0])
            parts.append(part)
        return Parts(tuple(wholes), tuple(parts))

    def _run(self, inputs: Inputs) -> list[np.ndarray]:
        found: list[np.ndarray] = self._session.run(self._names, dict(inputs))
        if any(value.ndim != 2 for value in found):
            raise BundleError("a sum is no table of rows and columns", part=PART)
        return found
