"""The `variables` of a rule file: named expressions, put in the place of their names in its conditions."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from rules.checking import Environment, environment
from rules.errors import ExpressionProblem, ExpressionProblems, Problem, UnreadableExpression
from rules.expression import (
    BOOL,
    TYPES,
    Call,
    CheckedExpression,
    Foreign,
    ListLiteral,
    Name,
    Node,
    Quantifier,
    Variable,
    children,
    walk,
)
from rules.files import Filters, NamedExpression

PREFIX = "variables."
MAX_VARIABLES = 200
MAX_NODES = 5_000
"""What an expression may come to when its variables are put in."""

_USED = re.compile(r"\bvariables\s*\.\s*([A-Za-z_]\w*)")


@dataclass
class FileNames:
    """What the conditions of one rule file may use, its own variables among it."""

    names: Environment
    problems: list[Problem] = field(default_factory=list)
    _parts: dict[str, Node] = field(default_factory=dict)
    _failed: set[str] = field(default_factory=set)

    def check(
        self, text: str, expect: tuple[str, ...] = (BOOL,)
    ) -> CheckedExpression | ExpressionProblems | None:
        """Give the checked expression, its variables put in, or what is wrong with it.

        None where a variable that it uses is wrong: that has been said.
        """
        if self._failed and self._failed.intersection(_USED.findall(text)):
            return None
        checked = self.names.check(text, expect)
        if isinstance(checked, ExpressionProblems) or not self._parts:
            return checked
        return put_in(checked, self._parts)


def file_names(filters: Filters, known: tuple[Variable, ...], lists: Mapping[str, str]) -> FileNames:
    """Check the variables of a file, each over those above it."""
    if not filters.variables:
        return FileNames(environment(known, lists))
    reader = _Reader(filters, known, lists)
    for position in range(len(filters.variables)):
        reader.read(position)
    found = (*known, *reader.typed)
    return FileNames(environment(found, lists), reader.problems, reader.parts, reader.failed)


def put_in(checked: CheckedExpression, parts: Mapping[str, Node]) -> CheckedExpression | ExpressionProblems:
    """Put variables in the place of their names, and bring what comes of it into normal form again."""
    from rules.checked import decode
    from rules.encoding import encode

    uses = [node for node in walk(checked.node) if isinstance(node, Name) and node.name in parts]
    if not uses:
        return checked
    size = sum(1 for _ in walk(checked.node)) + sum(_size(parts[use.name]) for use in uses)
    if size > MAX_NODES:
        message = f"with its variables put in this has {size:,} parts; at most {MAX_NODES:,} are read"
        return ExpressionProblems(checked.text, [_at(checked.text, uses[0].offset, message)])
    try:
        whole = _put(checked.node, parts)
        decoded = decode(checked.text, encode(whole))
    except _HiddenError as hidden:
        return ExpressionProblems(checked.text, [_at(checked.text, hidden.offset, str(hidden))])
    except UnreadableExpression as error:
        said = str(error).rsplit(": ", 1)[-1]
        return ExpressionProblems(
            checked.text, [_at(checked.text, uses[0].offset, f"with its variables put in: {said}")]
        )
    node = _placed(decoded.node, whole)
    row_by_row = {(one.offset, one.why) for one in walk(node) if isinstance(one, Foreign)}
    return replace(decoded, node=node, row_by_row=tuple(sorted(row_by_row)))


class _HiddenError(Exception):
    def __init__(self, offset: int, name: str, loops: str) -> None:
        super().__init__(f"'{name}' reads '{loops}', which is a loop's variable here; rename that")
        self.offset = offset


@dataclass
class _Reader:
    """Reads a file's variables one after another."""

    filters: Filters
    known: tuple[Variable, ...]
    lists: Mapping[str, str]
    problems: list[Problem] = field(default_factory=list)
    typed: list[Variable] = field(default_factory=list)
    parts: dict[str, Node] = field(default_factory=dict)
    failed: set[str] = field(default_factory=set)

    def read(self, position: int) -> None:
        from rules.cel import Checker

        written = self.filters.variables[position]
        if position >= MAX_VARIABLES or self._taken(written):
            if position == MAX_VARIABLES:
                message = f"more than {MAX_VARIABLES} variables in one file"
                self._note(written, message, "split the file", key=True)
            self.failed.add(written.name)
            return
        if self.failed.intersection(_USED.findall(written.text)) or not written.text.strip():
            self.failed.add(written.name)
            return
        try:
            checked: CheckedExpression | ExpressionProblems = Checker(
                (*self.known, *self.typed), self.lists
            ).check(written.text, TYPES)
        except ExpressionProblems as problems:
            checked = problems
        if isinstance(checked, CheckedExpression):
            checked = put_in(checked, self.parts)
        if isinstance(checked, ExpressionProblems):
            self._tell(written, position, checked.problems)
            self.failed.add(written.name)
            return
        name = PREFIX + written.name
        self.typed.append(Variable(name, checked.type))
        self.parts[name] = checked.node

    def _taken(self, written: NamedExpression) -> bool:
        """Whether a field or a list has the name already."""
        name = PREFIX + written.name
        fields = {variable.name for variable in self.known}
        if name not in fields and PREFIX[:-1] not in {*fields, *self.lists}:
            return False
        self._note(written, f"'{name}' is taken: a field or list has that name", "rename one", key=True)
        return True

    def _tell(self, written: NamedExpression, position: int, problems: Iterable[ExpressionProblem]) -> None:
        later = {one.name: one for one in self.filters.variables[position:]}
        for problem in problems:
            message, hint = problem.message, problem.hint
            used = re.match(r"unknown field 'variables\.(\w+)'", message)
            if used and used[1] == written.name:
                message, hint = f"'{PREFIX}{written.name}' uses itself", ""
            elif used and used[1] in later:
                line = self.filters.document.key_position(later[used[1]].path)[0]
                message = f"'{PREFIX}{used[1]}' is written below, on line {line}"
                hint = "a variable may use those above it"
            self.problems.append(
                self.filters.document.problem_in_text(
                    written.path, problem.line, problem.column, message, hint
                )
            )

    def _note(self, written: NamedExpression, message: str, hint: str, *, key: bool) -> None:
        self.problems.append(self.filters.document.problem(written.path, message, hint, key=key))


def unused(filters: Filters) -> Sequence[NamedExpression]:
    """Give the variables of a file that nothing in it uses."""
    used = set(_USED.findall(filters.document.text)) if filters.variables else set()
    return [written for written in filters.variables if written.name not in used]


def _put(node: Node, parts: Mapping[str, Node]) -> Node:
    match node:
        case Name():
            part = parts.get(node.name)
            return node if part is None else _moved(part, node.offset)
        case Call():
            return replace(node, arguments=tuple(_put(child, parts) for child in node.arguments))
        case ListLiteral():
            return replace(node, elements=tuple(_put(child, parts) for child in node.elements))
        case Quantifier():
            return replace(node, body=_put(node.body, parts))
        case Foreign():
            return _put_foreign(node, parts)
        case _:
            return node


def _put_foreign(node: Foreign, parts: Mapping[str, Node]) -> Foreign:
    from rules import tree as trees
    from rules.encoding import to_tree
    from rules.foreign import inputs, substituted
    from rules.tree_writer import write_tree

    used = [one.name for one in node.inputs if one.name in parts]
    if not used:
        return node
    bound = {name for one in trees.walk(node.tree) if one.kind == "loop" for name in one.value}
    for name in used:
        for one in walk(parts[name]):
            if isinstance(one, Name) and one.name in bound:
                raise _HiddenError(node.offset, name, one.name)
    tree = substituted(node.tree, {name: to_tree(parts[name]) for name in used})
    return Foreign(write_tree(tree), node.type, tuple(inputs(tree)), node.why, node.offset, tree)


def _moved(node: Node, offset: int) -> Node:
    """Say of a variable's nodes that they stand where its name does."""
    below = tuple(_moved(child, offset) for child in children(node))
    match node:
        case Call():
            return replace(node, arguments=below, offset=offset)
        case ListLiteral():
            return replace(node, elements=below, offset=offset)
        case Quantifier():
            return replace(node, body=below[1], offset=offset)
        case _:
            return replace(node, offset=offset)


def _placed(node: Node, like: Node) -> Node:
    """Give nodes the offsets of others that are alike."""
    if type(node) is not type(like) or len(children(node)) != len(children(like)):
        return node
    below = tuple(map(_placed, children(node), children(like)))
    match node:
        case Call():
            return replace(node, arguments=below, offset=like.offset)
        case ListLiteral():
            return replace(node, elements=below, offset=like.offset)
        case Quantifier():
            return replace(node, body=below[1], offset=like.offset)
        case _:
            return replace(node, offset=like.offset)


def _size(node: Node) -> int:
    return sum(1 for _ in walk(node))


def _at(text: str, offset: int, message: str) -> ExpressionProblem:
    from rules.diagnosis import place

    line, column = place(text, max(offset, 0))
    hint = "write it out shorter, or in several rules" if "parts" in message else ""
    return ExpressionProblem(line, column, message, hint)
