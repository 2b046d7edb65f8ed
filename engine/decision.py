"""The decision: what was decided, by what, and why; the same fields are the columns of a scored file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

POLICY = "policy"  # `decided_by` where no rule decided


@dataclass(frozen=True, slots=True)
class Decision:
    """One record's decision.

    `outcome` is what to do; `proposed` what the model's scores alone would have led to; `decided_by` is
    `"policy"` or the id of the rule that decided. `adjusted` holds the scores that a cap or a floor changed.
    `fired` are enforced rules that held, `shadow` rules that would have: on trial, or the record is not in
    their rollout. `suppressed` are rules that held and that an exception kept from firing, `unknown` enforced
    rules that a missing value left open. `bundle` is the digest of all that decided. Where a rule of stage
    `before` decided, the model was not run: `proposed` and every score are None.
    """

    outcome: str
    proposed: str | None
    decided_by: str
    scores: Mapping[str, float | None]
    adjusted: Mapping[str, float]
    reasons: tuple[str, ...]
    fired: tuple[str, ...]
    shadow: tuple[str, ...]
    suppressed: tuple[str, ...]
    unknown: tuple[str, ...]
    tags: tuple[str, ...]
    bundle: str
    id: str | None
    at: datetime

    def to_dict(self) -> dict[str, Any]:
        """Give the decision as plain data: what JSON can hold, with the moment as ISO 8601 text."""
        return {
            "id": self.id,
            "outcome": self.outcome,
            "proposed": self.proposed,
            "decided_by": self.decided_by,
            "scores": dict(self.scores),
            "adjusted": dict(self.adjusted),
            "reasons": list(self.reasons),
            "fired": list(self.fired),
            "shadow": list(self.shadow),
            "suppressed": list(self.suppressed),
            "unknown": list(self.unknown),
            "tags": list(self.tags),
            "bundle": self.bundle,
            "at": self.at.isoformat().replace("+00:00", "Z"),
        }

    def to_json(self) -> str:
        """Give the decision as one line of JSON."""
        return json.dumps(self.to_dict(), ensure_ascii=False, allow_nan=False)
