"""The policy: what the model alone would decide, as conditions of which the first that holds wins."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from rules.checking import environment
from rules.errors import CheckFailed, ExpressionProblems, RulesError, nearest
from rules.expression import CheckedExpression, Literal, Variable
from rules.form import Form, Path
from rules.reader import Document

if TYPE_CHECKING:
    import pyarrow as pa

ROW_KEYS = ("when", "decide")
_EMPTY: dict[str, frozenset[Any]] = {}


@dataclass(frozen=True)
class Policy:
    """Conditions and the outcome of each; the last condition always holds, an unknown one does not.

    `propose` and `propose_batch` agree on every record.
    """

    conditions: tuple[CheckedExpression, ...]
    decides: tuple[str, ...]
    outcomes: tuple[str, ...]
    _scalar: Any = field(init=False, repr=False, compare=False)
    _columnar: Any = field(init=False, repr=False, compare=False)
    _codes: Any = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        from rules import columnar, scalar

        object.__setattr__(self, "_scalar", scalar.compile_conditions(self.conditions, _EMPTY))
        object.__setattr__(self, "_columnar", columnar.conditions(self.conditions, _EMPTY))
        codes = np.array([self.outcomes.index(outcome) for outcome in self.decides], dtype=np.int16)
        object.__setattr__(self, "_codes", codes)

    @classmethod
    def check(
        cls,
        rows: Sequence[Mapping[str, Any]],
        document: Document,
        path: Path,
        *,
        variables: Sequence[Variable],
        outcomes: Sequence[str],
    ) -> Policy:
        """Check the policy written at `path` of `document`; `variables` are the fields and `scores.NAME`.

        Raises `CheckFailed` with every problem.
        """
        form = Form(document)
        names = environment(tuple(variables), {})
        conditions, decides = [], []
        written = form.sequence(path, rows)
        for index, row in enumerate(written):
            at = (*path, index)
            read = form.mapping(at, row, ROW_KEYS, what="a row of the policy")
            condition, outcome = _row(form, at, read, outcomes)
            checked = names.check(condition) if condition.strip() else None
            if isinstance(checked, ExpressionProblems):
                place = (*at, "when")
                form.problems += [
                    document.problem_in_text(place, p.line, p.column, p.message, p.hint)
                    for p in checked.problems
                ]
            elif checked is not None:
                conditions.append(checked)
                decides.append(outcome)
                if index == len(written) - 1 and condition.strip() != "true":
                    message = "the last row of the policy must always hold"
                    form.note((*at, "when"), message, 'end with {when: "true", decide: …}')
        if written == [] and not form.problems:
            form.note(path, "the policy has no rows", 'end with {when: "true", decide: …}')
        if form.problems:
            raise CheckFailed(form.problems)
        return cls(tuple(conditions), tuple(decides), tuple(outcomes))

    @classmethod
    def restore(cls, kept: Mapping[str, Any]) -> Policy:
        """Give the policy that `to_json` wrote, without compiling any CEL. Raises `RulesError`."""
        from rules.checked import decode

        try:
            rows = [(row["when"], row["decide"], row["checked"]) for row in kept["rows"]]
            outcomes = tuple(kept["outcomes"])
            conditions = tuple(
                decode(when, base64.b64decode(checked, validate=True)) for when, _, checked in rows
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise RulesError(f"the policy has no well-formed rows and outcomes: {error!r}") from None
        except RulesError as error:
            raise RulesError(f"a checked expression of the policy cannot be read: {error}") from None
        except ValueError as error:
            raise RulesError(f"a checked expression of the policy is not base64: {error}") from None
        decides = tuple(decide for _, decide, _ in rows)
        unknown = [decide for decide in decides if decide not in outcomes]
        if unknown:
            raise RulesError(f"the policy decides '{unknown[0]}', which is no outcome")
        if not rows or str(rows[-1][0]).strip() != "true":
            raise RulesError("the last row of the policy must be 'true'")
        if any(condition.type != "bool" for condition in conditions):
            raise RulesError("a row of the policy is no condition")
        if conditions[-1].node != Literal("bool", True, conditions[-1].node.offset):
            raise RulesError("the last row of the policy does not always hold")
        if any(condition.lists for condition in conditions):
            raise RulesError("a row of the policy needs a list: a policy has none")
        return cls(conditions, decides, outcomes)

    def to_json(self) -> dict[str, Any]:
        """Give the policy as JSON-able data, from which `restore` needs no CEL compiler."""
        rows = [
            {
                "when": condition.text,
                "decide": outcome,
                "checked": base64.b64encode(condition.checked).decode("ascii"),
            }
            for condition, outcome in zip(self.conditions, self.decides, strict=True)
        ]
        return {"rows": rows, "outcomes": list(self.outcomes)}

    def propose(self, values: Mapping[str, Any]) -> str:
        """Give the outcome of the first row that holds."""
        return self.decides[self.first(values)]

    def first(self, values: Mapping[str, Any]) -> int:
        """Give the number, from 0, of the first row that holds."""
        held: list[int] = self._scalar(values)[0]
        return held[0]

    def propose_batch(self, batch: pa.RecordBatch) -> np.ndarray:
        """Give for each row the code, over `outcomes`, of the first row of the policy that holds.

        **Shape**: n rows → `(n,)` int16.
        """
        # INVARIANT: the last condition is `true`, so that what no other decides is its.
        codes = np.full(batch.num_rows, self._codes[-1])
        held = self._columnar.evaluate(batch).true
        for code, rows in zip(self._codes[-2::-1], held[-2::-1], strict=True):
            codes[rows] = code
        return codes


def _row(form: Form, at: Path, row: Mapping[str, Any], outcomes: Sequence[str]) -> tuple[str, str]:
    """Read one row; a part with a problem is empty."""
    for key in ROW_KEYS:
        if row and key not in row:
            form.note(at, f"a row of the policy needs '{key}'")
    when = form.expression((*at, "when"), row["when"]) if "when" in row else ""
    decide = form.word((*at, "decide"), row["decide"]) if "decide" in row else ""
    if decide and decide not in outcomes:
        form.note((*at, "decide"), f"unknown outcome '{decide}'", nearest(decide, outcomes))
    return when, decide
