"""The compiled rules of a project: a record or a batch in, what the rules say of it out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from rules.assembly import Assembly
from rules.checked_rules import CheckedRule, CheckedRules
from rules.columnar import conditions
from rules.scalar import compile_conditions
from rules.stage import Stage
from rules.table_run import TableRun
from rules.verdict import Verdict, Verdicts


@dataclass(frozen=True)
class RuleSet:
    """Compiled rules; immutable, and safe to share between threads.

    `before(values)` and `after(values)` judge one record, given as a flat dict that holds every field (and,
    for `after`, `scores.NAME` and `proposed`); `before_batch` and `after_batch` judge a normal batch whose
    columns have the same names. `Verdicts.row(i)` of a batch equals the verdict on row i alone.
    """

    checked: CheckedRules
    rules: tuple[str, ...]
    _before: _Compiled
    _after: _Compiled

    @classmethod
    def compile(cls, checked: CheckedRules) -> RuleSet:
        """Compile the conditions of both stages, for one record and for columns."""
        stages = Stage(checked, "before"), Stage(checked, "after")
        return cls(checked, checked.ids, *(_Compiled(stage, stages, checked) for stage in stages))

    def before(self, values: Mapping[str, Any]) -> Verdict:
        """Judge a record before the model has run."""
        return self._before.record(values)

    def after(self, values: Mapping[str, Any]) -> Verdict:
        """Judge a record with its scores and the policy's proposal."""
        return self._after.record(values)

    def before_batch(self, batch: pa.RecordBatch) -> Verdicts:
        """Judge every row before the model has run."""
        return self._before.batch(batch)

    def after_batch(self, batch: pa.RecordBatch) -> Verdicts:
        """Judge every row with its scores and the policy's proposal."""
        return self._after.batch(batch)

    def rule(self, rule_id: str) -> CheckedRule:
        """Give a rule, or a row of a table as one, by its id. Raises KeyError."""
        return self.checked.rule(rule_id)

    @property
    def adjusts(self) -> tuple[str, ...]:
        """The scores that some enforced rule caps or floors, in the order of the scores."""
        bounded = {
            score
            for act in self._after.stage.every_act
            if not act.shadow
            for score in (*act.caps, *act.floors)
        }
        return tuple(score for score in self.checked.scores if score in bounded)


class _Compiled:
    """One stage, compiled both ways."""

    def __init__(self, stage: Stage, stages: Sequence[Stage], checked: CheckedRules) -> None:
        self.stage = stage
        self._assembly = Assembly(stage, stages, checked.outcomes, checked.ids)
        self._tables = [
            (TableRun(member.acts.checked, checked.list_entries, checked.outcomes), member.position)
            for member in stage.tables
        ]
        self._scalar = compile_conditions(stage.conditions, checked.list_entries)
        self._columnar = conditions(stage.conditions, checked.list_entries)
        self._verdict = stage.verdict
        self._nothing = stage.verdict((), (), {})

    def record(self, values: Mapping[str, Any]) -> Verdict:
        held, unknown = self._scalar(values)
        for table, position in self._tables:
            hit, opened = table.record(values)
            if hit:
                held = [*held, *(position + row for row in hit)]
            if opened:
                unknown = [*unknown, *(position + row for row in opened)]
        if not held and not unknown:
            return self._nothing
        return self._verdict(held, unknown, values)

    def batch(self, batch: pa.RecordBatch) -> Verdicts:
        tables = [table.batch(batch) for table, _ in self._tables]
        return self._assembly.verdicts(self._columnar.evaluate(batch), batch, tables)
