"""What the rules of one stage say: of one record (`Verdict`), or of every row of a batch (`Verdicts`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np
import pyarrow as pa

NO_CHANGE: Mapping[str, float] = MappingProxyType({})


# What a rule may have come to, as the lists of a verdict name it; each is counted rule by rule.
COUNTED = ("fired", "shadow", "suppressed", "unknown")


@dataclass(frozen=True, slots=True)
class Verdict:
    """The rules' word on one record.

    outcome: what a rule decided, or None.
    decided_by: the id of the rule that decided.
    adjusted: scores that caps and floors changed, with their new values.
    adjusted_by: the id of the rule that set such a value, the first in file order where there are several.
    reasons: reason codes of fired rules, the deciding rule's (without one, that of `adjusted_by`) first, none
    twice.
    fired: ids of enforced rules whose condition held, in file order.
    shadow: ids of rules that would have fired: on trial (mode shadow), or the record is not in their rollout.
    suppressed: ids of rules whose condition held, and which an exception (`except`) kept from firing.
    unknown: ids of enforced rules that a missing value left open.
    tags: tags of fired rules, none twice.
    """

    outcome: str | None = None
    decided_by: str | None = None
    adjusted: Mapping[str, float] = field(default_factory=lambda: NO_CHANGE)
    adjusted_by: str | None = None
    reasons: tuple[str, ...] = ()
    fired: tuple[str, ...] = ()
    shadow: tuple[str, ...] = ()
    suppressed: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Verdicts:
    """The rules' word on n rows, in columns.

    outcome: `(n,)` int16 codes over `outcomes`, -1 where no rule decided.
    decided_by, adjusted_by: `(n,)` int32 codes over `rules`, -1 for none.
    adjusted: for each score that a rule of the set caps or floors, `(n,)` float64 with the bounds applied.
    changed: for the same scores, `(n,)` bool, where the bounds made a difference.
    fired, shadow, suppressed, unknown, reasons, tags: n lists of dictionary-encoded text.
    fired_counts, shadow_counts, suppressed_counts, unknown_counts: `(rules,)` int64, in how many rows each
    rule fired, would have, was kept from it by an exception, was left open; the last also of rules on trial.
    violations: in how many rows several rules decided of a file that lets one decide (hit policy `unique`).
    """

    outcomes: tuple[str, ...]
    rules: tuple[str, ...]
    outcome: np.ndarray
    decided_by: np.ndarray
    adjusted: Mapping[str, np.ndarray]
    changed: Mapping[str, np.ndarray]
    adjusted_by: np.ndarray
    fired: pa.ListArray
    shadow: pa.ListArray
    suppressed: pa.ListArray
    unknown: pa.ListArray
    reasons: pa.ListArray
    tags: pa.ListArray
    fired_counts: np.ndarray = field(repr=False)
    shadow_counts: np.ndarray = field(repr=False)
    suppressed_counts: np.ndarray = field(repr=False)
    unknown_counts: np.ndarray = field(repr=False)
    violations: int = 0

    def __len__(self) -> int:
        return len(self.outcome)

    @property
    def counts(self) -> dict[str, np.ndarray]:
        """The counts by what they count, each `(rules,)` int64."""
        return {name: getattr(self, f"{name}_counts") for name in COUNTED}

    def row(self, index: int) -> Verdict:
        """Give the verdict on one row: equal to what `RuleSet` says of that record alone."""
        changed = {
            name: float(values[index]) for name, values in self.adjusted.items() if self.changed[name][index]
        }
        return Verdict(
            outcome=_name(self.outcomes, self.outcome[index]),
            decided_by=_name(self.rules, self.decided_by[index]),
            adjusted=changed,
            adjusted_by=_name(self.rules, self.adjusted_by[index]),
            reasons=tuple(self.reasons[index].as_py()),
            fired=tuple(self.fired[index].as_py()),
            shadow=tuple(self.shadow[index].as_py()),
            suppressed=tuple(self.suppressed[index].as_py()),
            unknown=tuple(self.unknown[index].as_py()),
            tags=tuple(self.tags[index].as_py()),
        )


def join_lists(
    first: pa.ListArray, second: pa.ListArray, rows: np.ndarray, leading: np.ndarray | None = None
) -> pa.ListArray:
    """Append the lists of `second` to those of `first`, row by row; `rows` says which rows `second` is about.

    Where `leading`, those of `second` come first.

    **Shape**: n lists, m lists, `(m,)` int and `(m,)` bool → n lists. Both are over one dictionary, as before
    and after verdicts of one `RuleSet` are.
    """
    one, other = (np.diff(lists.offsets.to_numpy()) for lists in (first, second))
    lengths = one.copy()
    lengths[rows] += other
    offsets = np.concatenate([np.zeros(1, np.int32), np.cumsum(lengths, dtype=np.int32)])
    codes = np.empty(int(offsets[-1]), dtype=np.int32)
    starts, following = offsets[:-1].copy(), offsets[:-1][rows] + one[rows]
    if leading is not None:
        starts[rows] += np.where(leading, other, 0).astype(np.int32)
        following -= np.where(leading, one[rows], 0).astype(np.int32)
    codes[_spread(starts, one)] = first.flatten().indices.to_numpy()
    codes[_spread(following, other)] = second.flatten().indices.to_numpy()
    return list_array(offsets, codes, first.values.dictionary)


def list_array(offsets: np.ndarray, codes: np.ndarray, names: pa.Array) -> pa.ListArray:
    """Give lists of names: `(n + 1,)` int32 offsets into int32 codes over `names`."""
    values = pa.DictionaryArray.from_arrays(_int32_array(codes), names)
    return pa.ListArray.from_arrays(_int32_array(offsets), values)


def text_array(texts: Sequence[str]) -> pa.Array:
    """Give texts as an Arrow array.

    By its buffers: `pa.array` of a list imports pandas wherever that is installed, which takes longer than
    opening a bundle.
    """
    encoded = [text.encode() for text in texts]
    offsets = np.cumsum([0, *map(len, encoded)], dtype=np.int32)
    buffers = [None, pa.py_buffer(offsets), pa.py_buffer(b"".join(encoded))]
    return pa.Array.from_buffers(pa.string(), len(encoded), buffers)


def _int32_array(values: np.ndarray) -> pa.Array:
    values = np.ascontiguousarray(values, dtype=np.int32)
    return pa.Array.from_buffers(pa.int32(), len(values), [None, pa.py_buffer(values)])


def _spread(starts: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """Give `start, start + 1, …` for each start, as many as its length, one after the other."""
    ends = np.cumsum(lengths)
    within = np.arange(int(ends[-1]) if len(ends) else 0) - np.repeat(ends - lengths, lengths)
    spread: np.ndarray = np.repeat(starts, lengths) + within
    return spread


def _name(names: tuple[str, ...], code: int) -> str | None:
    return None if code < 0 else names[code]
