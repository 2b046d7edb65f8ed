"""The CEL library's own runtime: the bytes of a checked expression and a record's values in, its value out.

The library is imported when something is first evaluated here: the reference, or a part that the fast
evaluators lack.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

from rules import tree as trees
from rules import wire
from rules.environment import running
from rules.errors import UnreadableExpression
from rules.expression import BOOL, DOUBLE, DURATION, INT, NULL, STRING, TIMESTAMP, ListName, Name
from rules.foreign import substituted
from rules.functions.clock import format_timestamp
from rules.functions.span import format_duration
from rules.functions.table import ERROR
from rules.tree import Tree, called
from rules.tree_writer import write_tree

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FORMATS: dict[str, Callable[[int], str]] = {TIMESTAMP: format_timestamp, DURATION: format_duration}

Value = Callable[[Sequence[Any]], Any]

MOST_MENDED = 8


def compiled(checked: bytes, names: Sequence[Name | ListName]) -> Value:
    """Give a function of the values of `names`, in their order, that evaluates an expression.

    Values are as everywhere (moments and durations in microseconds, None for what is missing); a list's are a
    list. The function gives the value, None for null, or ERROR.
    """
    return _program(checked, tuple(names)).evaluate


class Program:
    """One expression ready for the runtime, and what the library's binding does not take made ready for it.

    The binding takes no moments and durations: they come as text, and the expression converts them. It cuts
    a text at its first NUL: an expression with such a value has it written out.
    """

    def __init__(self, checked: bytes, names: tuple[Name | ListName, ...]) -> None:
        from cel_expr_python import cel

        self._tree = _mended(trees.typed(trees.read(checked)))
        self._names = names
        self._formats = [_FORMATS.get(name.type) for name in names]
        self._texts = [
            position
            for position, name in enumerate(names)
            if STRING in (name.type, getattr(name, "element", ""))
        ]
        converted = {name.name: _converted(name) for name in names if name.type in _FORMATS}
        self._expression = _deserialized(substituted(self._tree, converted), names)
        self._kinds = {
            cel.Type.NULL.name(): NULL,
            cel.Type.BOOL.name(): BOOL,
            cel.Type.INT.name(): INT,
            cel.Type.DOUBLE.name(): DOUBLE,
            cel.Type.STRING.name(): STRING,
            cel.Type.TIMESTAMP.name(): TIMESTAMP,
            cel.Type.DURATION.name(): DURATION,
        }

    def evaluate(self, values: Sequence[Any]) -> Any:
        """Evaluate over the values of the names."""
        for position in self._texts:
            value = values[position]
            if value is not None and _cut(value):
                return self._written_out(values)
        return self._run(self._expression, self._data(values))

    def _data(self, values: Sequence[Any]) -> dict[str, Any]:
        return {
            name.name: form(value) if form is not None and value is not None else value
            for name, form, value in zip(self._names, self._formats, values, strict=True)
        }

    def _written_out(self, values: Sequence[Any]) -> Any:
        written = {
            name.name: _literal(value)
            for name, value in zip(self._names, values, strict=True)
            if value is not None and name.type not in _FORMATS
        }
        written |= {name.name: _converted(name) for name in self._names if name.type in _FORMATS}
        return self._run(_deserialized(substituted(self._tree, written), self._names), self._data(values))

    def _run(self, expression: Any, data: Mapping[str, Any]) -> Any:
        if expression is None:
            return ERROR
        try:
            value = expression.eval(data=data)
        except RuntimeError:
            # A loop of more rounds than the runtime allows.
            return ERROR
        # The type comes first: value() of a null is not to be trusted.
        kind = self._kinds.get(value.type().name())
        if kind is None:
            return ERROR
        if kind == NULL:
            return None
        if kind in _FORMATS:
            return _microseconds(kind, value.plain_value())
        return value.plain_value()


def _microseconds(kind: str, value: Any) -> int:
    return (value - _EPOCH if kind == TIMESTAMP else value) // timedelta(microseconds=1)  # type: ignore[no-any-return]


def _cut(value: Any) -> bool:
    return "\0" in value if isinstance(value, str) else any("\0" in text for text in value)


def _converted(name: Name | ListName) -> Tree:
    """Read a moment or a duration from its text, if there is one."""
    text = Tree(0, "name", name.name, declared="dyn")
    null = Tree(0, "constant", None, NULL)
    return called(
        "_?_:_", "conditional", called("_==_", "equals", text, null), null, called(name.type, "", text)
    )


def _mended(tree: Tree) -> Tree:
    """Walk around a fault of the library: `t.substring(a, b)` has no value there where b is the size of t.

    (t.substring(a) + ' ').substring(0, b - a) is the same, and has one. Its start stands twice; where many
    such starts would stand within one another, the tree is left as it is.
    """
    cuts = sum(_cuts_to(node) for node in trees.walk(tree))
    return _with_whole_ends(tree) if 0 < cuts <= MOST_MENDED else tree


def _cuts_to(tree: Tree) -> bool:
    return tree.kind == "call" and tree.value == "substring" and len(tree.children) == 3


def _with_whole_ends(tree: Tree) -> Tree:
    children = tuple(map(_with_whole_ends, tree.children))
    if not _cuts_to(tree):
        return tree._replace(children=children)
    text, start, end = children
    rest = called("substring", "string_substring_int", text, start, member=True)
    longer = called("_+_", "add_string", rest, Tree(0, "constant", " ", STRING))
    length = called("_-_", "subtract_int64", end, start)
    first = Tree(0, "constant", 0, INT)
    return called("substring", "string_substring_int_int", longer, first, length, member=True)


def _literal(value: Any) -> Tree:
    if isinstance(value, list):
        return Tree(0, "list", (), children=tuple(map(_literal, value)))
    kind = {bool: BOOL, int: INT, float: DOUBLE, str: STRING}[type(value)]
    return Tree(0, "constant", value, kind)


def _deserialized(tree: Tree, names: Sequence[Name | ListName]) -> Any:
    """Give the runtime's expression; None of what it does not take, which no author's text comes to."""
    environment = _environment(frozenset(name.name for name in names))
    try:
        return environment.deserialize(wire.wrap(write_tree(tree)))
    except (RuntimeError, UnreadableExpression):
        return None


@lru_cache(maxsize=256)
def _environment(names: frozenset[str]) -> Any:
    return running(names)


@lru_cache(maxsize=4096)
def _program(checked: bytes, names: tuple[Name | ListName, ...]) -> Program:
    return Program(checked, names)
