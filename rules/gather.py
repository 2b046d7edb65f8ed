"""A set of rule files as far as no expression is needed: their form, lists, ids, effects and order."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from rules import turns
from rules.cases import WORDS, check_case
from rules.checked_rules import CheckedCase, CheckedRule, CheckedRules
from rules.checked_tables import CheckedTable, effect_problems
from rules.errors import MOST_TOLD, CheckFailed, Problem, nearest
from rules.expression import CheckedExpression, Variable
from rules.files import Filters, Rule, read_filters
from rules.hit_policy import Rank, ranks, ties
from rules.lists import ListValues, read_list_values
from rules.reader import MAX_BYTES, Document, read_yaml
from rules.sheets import few
from rules.table_rank import TableRank, table_ranks
from rules.table_reader import read_tables
from rules.table_sheets import read_rows
from rules.tables import Table, rows_problems

# CEL's reserved words, and the names that the engine gives.
RESERVED = frozenset(
    (
        *(
            "as",
            "break",
            "const",
            "continue",
            "else",
            "false",
            "for",
            "function",
            "if",
            "import",
            "in",
            "let",
        ),
        *("loop", "namespace", "null", "package", "return", "true", "var", "void", "while"),
        *("scores", "proposed", "label", "outcome", "variables"),
    )
)

MAX_RULES = 10_000
MAX_TOTAL = 4 * MAX_BYTES
LARGE_HINT = "rules that differ by values alone fit into a decision table in CSV, values into a list file"

_UNKNOWN = re.compile(r"unknown (?:field|list) '(\w+)'")


class Gathered:
    """A set of rule files as read; `problems` grows until `finish` raises them all."""

    def __init__(
        self,
        files: Mapping[str, bytes],
        scores: Sequence[str],
        outcomes: Sequence[str],
        read_list: Callable[[str], bytes],
        fields: Iterable[str] = (),
        *,
        bounded: bool = False,
    ) -> None:
        """Read files; `bounded` ones are refused where they are too large or have too many rules."""
        self._fields = frozenset(fields)
        self.files = {name: files[name] for name in sorted(files)}
        self.scores = tuple(scores)
        self.outcomes = tuple(outcomes)
        self.problems: list[Problem] = []
        self.filters: list[Filters] = []
        self.lists: dict[str, ListValues] = {}
        self.list_files: dict[str, bytes] = {}
        self._tables: list[tuple[Filters, Table]] = []
        self._unread: list[bytes] = []
        if bounded:
            self._refuse_sizes()
        self._read_files(MAX_RULES if bounded else sys.maxsize)
        self._read_lists(read_list)
        self._read_tables(read_list)
        self._put_in_order()
        self._refuse_repeated_ids()
        for filters in self.filters:
            self.problems += ties(filters)
            for rule in filters.rules:
                self._refuse_effects(rule, filters.document)

    @property
    def enough(self) -> bool:
        """Whether more problems are known than are told: looking for others is in vain."""
        return len(self.problems) > MOST_TOLD + 1

    def ranked(self) -> Iterator[tuple[Filters, Rule, Rank]]:
        """Give every rule in order, and its rank in deciding."""
        return ranks(self.filters, self.outcomes)

    def ranked_tables(self) -> Iterator[tuple[Filters, Table, int, TableRank]]:
        """Give every table in order, the number of its file, and how its rows rank in deciding."""
        return table_ranks(self.filters, self._tables, self.outcomes)

    def cases(
        self, rule: Rule, document: Document, variables: Mapping[str, Variable]
    ) -> tuple[CheckedCase, ...]:
        cases = []
        for case in rule.tests:
            checked, problems = check_case(case, rule, document, variables, self.outcomes)
            cases.append(checked)
            self.problems += problems
        return tuple(cases)

    def refuse_list_names(self, taken: Iterable[str]) -> None:
        refused = RESERVED.union(taken)
        for filters in self.filters:
            for source in filters.lists:
                if source.name in refused:
                    message = f"'{source.name}' cannot name a list: the name is taken"
                    self.problems.append(filters.document.problem(source.path, message, key=True))
                    self.lists.pop(source.name, None)

    def too_many_rounds(self, condition: CheckedExpression) -> str:
        """Say which lists a condition would loop over for too long, or nothing."""
        if not condition.lists:
            return ""
        from rules.limits import too_many_rounds

        sizes = {name: len(self.lists[name].entries) for name in condition.lists if name in self.lists}
        return too_many_rounds(condition.node, sizes)

    def finish(
        self, rules: list[CheckedRule], tables: list[CheckedTable], variables: tuple[Variable, ...]
    ) -> CheckedRules:
        if self.problems:
            raise CheckFailed(one for one in self.problems if not self._follows(one))
        return CheckedRules(
            files=self.files,
            list_files=self.list_files,
            filters=tuple(self.filters),
            rules=tuple(rules),
            tables=tuple(tables),
            lists=self.lists,
            scores=self.scores,
            outcomes=self.outcomes,
            variables=variables,
        )

    def _follows(self, problem: Problem) -> bool:
        """Say whether a name is unknown only because the file that may declare it cannot be read."""
        found = _UNKNOWN.match(problem.message) if self._unread else None
        return found is not None and any(f"{found[1]}:".encode() in data for data in self._unread)

    def _refuse_sizes(self) -> None:
        size = 0
        for name, data in self.files.items():
            size += len(data)
            if size > MAX_TOTAL:
                message = (
                    f"with this file the rule files have {size:,} bytes, and at most {MAX_TOTAL:,} are read"
                )
                raise CheckFailed([Problem(name, 1, 1, message, LARGE_HINT)])

    def _read_files(self, most: int) -> None:
        """Read all files; ends at the first rule beyond so many."""
        count = 0
        for name, data in self.files.items():
            try:
                document = read_yaml(data, name)
            except CheckFailed as failed:
                self.problems += failed.problems
                self._unread.append(data)
            else:
                rules = document.root.get("rules") if isinstance(document.root, dict) else None
                own = len(rules) if isinstance(rules, list) else 0
                if count + own > most:
                    message = f"more than {most:,} rules in all"
                    self.problems.append(document.problem(("rules", most - count), message, LARGE_HINT))
                    raise CheckFailed(self.problems)
                count += own
                filters, problems = read_filters(document)
                tables, more = read_tables(document)
                self.filters.append(filters)
                self._tables += [(filters, table) for table in tables]
                self.problems += [*problems, *more]

    def _put_in_order(self) -> None:
        """Put the files in the order that they state; all of them state one, or none."""
        stated = [filters for filters in self.filters if filters.order is not None]
        first: dict[int | None, Filters] = {}
        for filters in stated if len(stated) == len(self.filters) else ():
            other = first.setdefault(filters.order, filters)
            if other is not filters:
                message = f"the order {filters.order} is taken"
                line = other.document.position(("order",))[0]
                hint = f"first at {other.document.file}:{line}"
                self.problems.append(filters.document.problem(("order",), message, hint))
        if stated and len(stated) < len(self.filters):
            hint = f"{stated[0].document.file} states one: let every rule file state one, or none"
            for filters in self.filters:
                if filters.order is None:
                    message = "the file states no order"
                    self.problems.append(filters.document.problem((), message, hint))
        elif stated:
            self.filters.sort(key=lambda filters: filters.order or 0)

    def _read_lists(self, read_list: Callable[[str], bytes]) -> None:
        first: dict[str, str] = {}
        for filters in self.filters:
            for source in filters.lists:
                document = filters.document
                if source.name in first:
                    message = f"the list '{source.name}' is declared twice"
                    hint = f"first at {first[source.name]}"
                    self.problems.append(document.problem(source.path, message, hint, key=True))
                    continue
                first[source.name] = f"{document.file}:{document.key_position(source.path)[0]}"
                values, data, problems = read_list_values(source, document, read_list)
                self.lists[source.name] = values
                self.problems += problems
                if source.file and data is not None:
                    self.list_files[source.file] = data

    def _read_tables(self, read_file: Callable[[str], bytes]) -> None:
        for place, (filters, table) in enumerate(self._tables):
            document = filters.document
            table, data, problems = read_rows(table, document, read_file, self._fields)
            if table.file and data is not None:
                self.list_files[table.file] = data
            self._tables[place] = filters, table
            self.problems += problems
            self.problems += rows_problems(table, document)
            effects = effect_problems(table, document, self.outcomes, self.scores, WORDS)
            self.problems += few(effects)

    def _refuse_repeated_ids(self) -> None:
        first: dict[str, str] = {}
        for filters in self.filters:
            for rule in filters.rules:
                turns.step()
                at = (*rule.path, "id")
                if rule.id == "policy":
                    message = "'policy' cannot name a rule: `decided_by` says it of the policy"
                    self.problems.append(filters.document.problem(at, message, "rename the rule"))
                if rule.id and rule.id in first:
                    message = f"the id '{rule.id}' is taken"
                    hint = f"first at {first[rule.id]}"
                    self.problems.append(filters.document.problem(at, message, hint))
                first.setdefault(rule.id, f"{filters.document.file}:{filters.document.position(at)[0]}")
        self._refuse_repeated_tables(first)

    def _refuse_repeated_tables(self, first: dict[str, str]) -> None:
        """Refuse tables, and rows of tables, whose id is taken."""
        for filters, table in self._tables:
            document, at = filters.document, (*table.path, "id")
            if table.id and table.id in first:
                hint = f"first at {first[table.id]}"
                self.problems.append(document.problem(at, f"the id '{table.id}' is taken", hint))
            first.setdefault(table.id, f"{document.file}:{document.position(at)[0]}")
        rows: dict[str, Table] = {}
        for filters, table in self._tables:
            names = [f"{table.id}.{row.id}" for row in table.rows]
            taken = [name for name in names if name in first or rows.setdefault(name, table) is not table]
            if taken and table.id:
                message = f"the id '{taken[0]}', of a row of this table, is taken"
                self.problems.append(
                    filters.document.problem((*table.path, "id"), message, "rename the table")
                )

    def _refuse_effects(self, rule: Rule, document: Document) -> None:
        if rule.decide and rule.decide not in self.outcomes:
            hint = nearest(rule.decide, self.outcomes)
            message = f"unknown outcome '{rule.decide}'"
            self.problems.append(document.problem((*rule.path, "decide"), message, hint))
        elif rule.decide in WORDS:
            message = f"'{rule.decide}' cannot be decided: in tests it has another meaning"
            self.problems.append(document.problem((*rule.path, "decide"), message, "rename the outcome"))
        for effect, bounds in (("cap", rule.cap), ("floor", rule.floor)):
            for score in bounds:
                if score not in self.scores:
                    at = (*rule.path, effect, score)
                    hint = nearest(score, self.scores)
                    self.problems.append(document.problem(at, f"unknown score '{score}'", hint, key=True))
        if rule.on_unknown == "review" and "review" not in self.outcomes:
            message = "'on_unknown: review' needs an outcome 'review'"
            hint = nearest("review", self.outcomes)
            self.problems.append(document.problem((*rule.path, "on_unknown"), message, hint))
