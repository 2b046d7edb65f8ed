"""The compiled rules of a project: a record or a batch in, what the rules say of it out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa

from rules import turns
from rules.assembly import Assembly
from rules.checked_rules import CheckedRule, CheckedRules
from rules.columnar import conditions
from rules.hits import NOWHERE, Hits
from rules.scalar import compile_conditions
from rules.stage import Stage
from rules.table_acts import Pairs
from rules.table_run import Settled, TableRun
from rules.verdict import Verdict, Verdicts

Columnar = Callable[[pa.RecordBatch], Hits]


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

    def without(self, rule_id: str) -> RuleSet:
        """Give the same rules of which one, or one row of a table, never holds: what would be without it.

        Nothing is compiled again, but for a table that loses a row. Raises KeyError.
        """
        if rule_id not in self.rules:
            raise KeyError(rule_id)
        return replace(self, _before=_Less(self._before, rule_id), _after=_Less(self._after, rule_id))

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
        self.stage, self.checked = stage, checked
        self.assembly = Assembly(stage, stages, checked.outcomes, checked.ids)
        self.tables: list[tuple[TableRun | _Shifted, int]] = [
            (TableRun(member.acts.checked, checked.list_entries, checked.outcomes), member.position)
            for member in stage.tables
        ]
        turns.step()
        self.scalar = compile_conditions(stage.conditions, checked.list_entries)
        self.columnar: Columnar = conditions(stage.conditions, checked.list_entries).evaluate
        self._verdict = stage.verdict
        self._nothing = stage.verdict((), (), {})

    def record(self, values: Mapping[str, Any]) -> Verdict:
        held, unknown = self.scalar(values)
        for table, position in self.tables:
            hit, opened = table.record(values)
            if hit:
                held = [*held, *(position + row for row in hit)]
            if opened:
                unknown = [*unknown, *(position + row for row in opened)]
        if not held and not unknown:
            return self._nothing
        return self._verdict(held, unknown, values)

    def batch(self, batch: pa.RecordBatch) -> Verdicts:
        tables = [table.batch(batch) for table, _ in self.tables]
        return self.assembly.verdicts(self.columnar(batch), batch, tables)


class _Less(_Compiled):
    """One stage without a rule: its condition is asked with the others, and the answer passed over."""

    def __init__(self, whole: _Compiled, rule_id: str) -> None:
        stage, checked = whole.stage, whole.checked
        self.stage, self.checked, self.assembly = stage, checked, whole.assembly
        self._whole = whole
        self._gone = next((at for at, act in enumerate(stage.acts) if act.id == rule_id), -1)
        self.scalar, self.columnar = self._scalar_rest, self._columnar_rest
        self.tables = list(whole.tables)
        for place, member in enumerate(stage.tables):
            table = member.acts.checked
            if rule_id in table.places:
                row = table.places[rule_id]
                less = TableRun(table.without(row), checked.list_entries, checked.outcomes)
                self.tables[place] = _Shifted(less, row), member.position
        self._verdict = stage.verdict
        self._nothing = stage.verdict((), (), {})

    def _scalar_rest(self, values: Mapping[str, Any]) -> tuple[list[int], list[int]]:
        held, unknown = self._whole.scalar(values)
        return [at for at in held if at != self._gone], [at for at in unknown if at != self._gone]

    def _columnar_rest(self, batch: pa.RecordBatch) -> Hits:
        hits = self._whole.columnar(batch)
        if self._gone < 0:
            return hits
        true, unknown = list(hits.true), list(hits.unknown)
        true[self._gone] = unknown[self._gone] = NOWHERE
        return Hits(hits.rows, tuple(true), tuple(unknown))


class _Shifted:
    """A table that lost a row: the rows after it keep their places."""

    def __init__(self, table: TableRun, gone: int) -> None:
        self._table, self._gone = table, gone

    def record(self, values: Mapping[str, Any]) -> Settled:
        hit, opened = self._table.record(values)
        return tuple(self._placed(row) for row in hit), tuple(self._placed(row) for row in opened)

    def batch(self, batch: pa.RecordBatch) -> Pairs:
        records, rows, opened = self._table.batch(batch)
        return records, (rows + (rows >= self._gone)).astype(np.int32), opened

    def _placed(self, row: int) -> int:
        return row + (row >= self._gone)
