"""The principal reasons of rows whose outcome is adverse, as a column beside their decisions."""

from __future__ import annotations

from collections.abc import Collection, Sequence, Set
from datetime import datetime

import numpy as np
import pyarrow as pa

from engine.decided import take_rows
from engine.errors import InputError
from engine.runtime import Runtime
from rules.errors import nearest
from rules.form import shown

ADVERSE_REASONS = pa.field("adverse_reasons", pa.list_(pa.string()))


def check_adverse(runtime: Runtime, outcomes: Collection[str]) -> None:
    """Refuse outcomes that there are not, and a bundle that could tell no reasons of its scores."""
    given: object = outcomes  # what a service hands on
    listed = isinstance(given, Sequence | Set) and not isinstance(given, str | bytes)
    wrong = [shown(one) for one in outcomes if not isinstance(one, str)] if listed else [shown(given)]
    if wrong:
        hint = f"as ['{runtime.outcomes[-1]}']; known: {', '.join(runtime.outcomes)}"
        raise InputError(f"reasons_for is a list of outcomes, got {wrong[0]}{' in it' * listed}; {hint}")
    for outcome in outcomes:
        if outcome not in runtime.outcomes:
            hint = nearest(outcome, runtime.outcomes)
            raise InputError(f"reasons for '{outcome}': no such outcome{f'; {hint}' if hint else ''}")
    if outcomes and runtime.model.references is None:
        from engine.explain import NO_REFERENCES

        raise InputError(f"reasons for '{next(iter(outcomes))}': {NO_REFERENCES}")


def adverse_reasons(
    runtime: Runtime, batch: pa.RecordBatch, outcome: np.ndarray, adverse: Collection[str], now: datetime
) -> pa.Array:
    """Give for each of n rows in normal form, decided as the codes `outcome` `(n,)` say, the codes of the
    principal reasons, the strongest first; null where its outcome is none of `adverse`.
    """
    from engine.explain import explain_record  # loaded where something is explained

    codes = [runtime.outcomes.index(name) for name in adverse]
    rows = np.flatnonzero(np.isin(outcome, codes))
    found: list[list[str] | None] = [None] * batch.num_rows
    for row, record in zip(rows.tolist(), take_rows(batch, rows).to_pylist(), strict=True):
        reasons = explain_record(runtime, record, now=now).adverse_reasons()
        found[row] = [reason.code for reason in reasons]
    return pa.array(found, ADVERSE_REASONS.type)
