"""Rules on their own, without a model: rule files in, rules that judge records and tables out.

    rules.load("rules/", {"amount": "double", "country": "string"}).apply(table)

Nothing of a model runtime is imported. Where a model exists all the same, its scores are given as columns.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from rules.cases import run_cases
from rules.check import check_rules
from rules.checked_rules import CheckedRules
from rules.errors import CheckFailed, Problem, RulesError
from rules.files import read_filters
from rules.folder import TEST_SUFFIX, printable, read_lists, read_rule_files, rule_files
from rules.form import shown
from rules.judged import both, verdict_columns
from rules.named_fields import read_variables
from rules.reader import read_yaml
from rules.records import Records, StrictRecords
from rules.ruleset import RuleSet
from rules.table_reader import read_tables
from rules.table_sheets import read_rows
from rules.tabular import read_table
from rules.verdict import Verdict

BLOCK_ROWS = 1_048_576
FILES_SHOWN = 3


def load(
    path: str | Path,
    fields: Mapping[str, Any],
    *,
    scores: Sequence[str] = (),
    outcomes: Sequence[str] | None = None,
    root: str | Path | None = None,
    event_time: str | None = None,
    strict: bool = False,
) -> LoadedRules:
    """Load a rule file, or all rule files of a folder, for records with these fields.

    fields: the type of each field by name: `"double"`, or `{"type": "double", "min": 0}` with any of `min`,
    `max`, `values` and `nullable`. Types are bool, int, double, string, timestamp. What is said of a
    field helps to find mistakes in conditions; data are not held to it.
    scores: names of a model's scores, where rules use `scores.NAME` or bound them.
    outcomes: what may be decided, mildest first; by default whatever the rules decide, in the order in which
    they first name it, and then a mistyped outcome is an outcome.
    event_time: the field that holds an event's time, where rules have dates; by default a timestamp field
    of that name.
    strict: records and tables hold fields and nothing else: any other name in them is refused, as mistyped.
    root: the folder that `lists/` is in; by default the folder of the files, or of the `rules` folder.

    Raises CheckFailed with every problem of every file, failed inline tests included; RulesError for fields,
    and for a path that can be none.
    """
    variables = read_variables(fields)
    place = _path("path", path)
    home = _home(place) if root is None else _path("root", root)
    files = _files(place, home)
    checked = check_rules(
        files,
        variables=variables,
        scores=tuple(scores),
        outcomes=_decided(files, read_lists(home)) if outcomes is None else tuple(outcomes),
        read_list=read_lists(home),
        event_time=event_time,
    )
    if failed := run_cases(checked):
        raise CheckFailed(failed)
    return LoadedRules(checked, RuleSet.compile(checked), strict)


@dataclass(frozen=True)
class LoadedRules:
    """Rules ready to judge; immutable, and safe to share between threads.

    Rules of stage `before` come first, and where one decides, those of stage `after` are not asked. There is
    no policy: where no rule decides, the outcome is None. Caps and floors show in `adjusted` and lead to no
    outcome by themselves.
    """

    checked: CheckedRules
    rules: RuleSet
    strict: bool = False

    def __repr__(self) -> str:
        files, rules = list(self.checked.files), len(self.checked.ids)
        names = ", ".join(files[:FILES_SHOWN]) + (", …" if len(files) > FILES_SHOWN else "")
        return f"<LoadedRules: {rules} rule{'s' * (rules != 1)} of {names}>"

    @cached_property
    def _records(self) -> Records:
        return (StrictRecords if self.strict else Records)(self.checked.variables)

    def judge(self, record: Mapping[str, Any]) -> Verdict:
        """Judge one record; a field that it lacks is missing, and names of no field are left out.

        Raises RulesError with every value of another type than its field's, and if strict every other name.
        """
        values = self._records.read(record)
        before = self.rules.before(values)
        if before.outcome is not None:
            return before
        after = self.rules.after(values)
        return both(before, after, after_decides=after.outcome is not None)

    def apply(self, table: Any) -> pa.Table:
        """Judge every row of a table: pyarrow's, or anything else that speaks Arrow (pandas, Polars, DuckDB).

        **Shape**: n rows → n rows in the same order: `outcome`, `decided_by`, `adjusted.SCORE` for each score
        that rules bound, and lists: `reasons`, `fired`, `shadow`, `suppressed`, `unknown`, `tags`. Row i
        is what `judge` says of record i. A column that the table lacks is missing in every row.

        Raises RulesError with every column of another type than its field's, and if strict every other one.
        """
        columns = read_table(self.checked.variables, table, strict=self.strict)
        blocks = [
            self._block(columns.slice(start, BLOCK_ROWS).combine_chunks())
            for start in range(0, max(columns.num_rows, 1), BLOCK_ROWS)
        ]
        return pa.Table.from_batches(blocks)

    def _block(self, columns: pa.Table) -> pa.RecordBatch:
        batch = pa.RecordBatch.from_arrays(
            [
                column.chunk(0) if column.num_chunks else pa.array([], column.type)
                for column in columns.columns
            ],
            names=columns.column_names,
        )
        before = self.rules.before_batch(batch)
        rest = np.flatnonzero(before.outcome < 0)
        whole = len(rest) == batch.num_rows
        after = self.rules.after_batch(batch if whole else batch.take(pa.array(rest)))
        return verdict_columns(before, after, rest, self.rules.adjusts)


def _path(argument: str, given: str | Path) -> Path:
    """Give a path that the system can look for; what is found there is told when it is read."""
    try:
        path = Path(given)
        path.lstat()
    except TypeError:
        raise RulesError(f"{argument}: expected the path of a file or folder, got {shown(given)}") from None
    except (FileNotFoundError, NotADirectoryError):
        pass
    except ValueError as error:
        raise RulesError(f"{argument}: {str(given)!a} can be no path: {error}") from None
    except OSError as error:
        message = f"cannot be read: {error.strerror or error}"
        raise CheckFailed([Problem(printable(str(path)), 1, 1, message)]) from None
    return path


def _files(path: Path, home: Path) -> dict[str, bytes]:
    """Read the files, named as problems name them; those of a folder inside `home`, or the folder itself."""
    if path.is_dir():
        found = {n: one for n, one in rule_files(path, path.name).items() if not n.endswith(TEST_SUFFIX)}
        if not found:
            raise RulesError(f"{path}: a folder without rule files (*.yaml)")
        inside = home if path.resolve().is_relative_to(home.resolve()) else path
        return read_rule_files(found, inside)
    return read_rule_files({str(path): path})


def _home(path: Path) -> Path:
    folder = path if path.is_dir() else path.parent
    return folder.resolve().parent if folder.resolve().name == "rules" else folder


def _decided(files: Mapping[str, bytes], read_file: Callable[[str], bytes]) -> tuple[str, ...]:
    """Give every outcome that the rules decide, in the order in which they are first named."""
    found: dict[str, None] = {}
    for name in sorted(files):
        try:
            document = read_yaml(files[name], name)
        except CheckFailed:
            continue  # checking tells it
        for rule in read_filters(document)[0].rules:
            if rule.decide:
                found[rule.decide] = None
            if rule.on_unknown == "review":
                found["review"] = None
        for written in read_tables(document)[0]:
            table = read_rows(written, document, read_file)[0]
            found |= dict.fromkeys(row.decide for row in table.rows if row.decide)
            if table.on_unknown == "review":
                found["review"] = None
    return tuple(found)
