"""Typed nodes in, Python source out: what computes them on the values of one record.

Nothing of an author's text reaches the source: names are made here (v0, k0, t0), and constants and field
names are handed over beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any, cast

from rules.expression import (
    BOOL,
    DOUBLE,
    DURATION,
    INT,
    NULL,
    TIMESTAMP,
    Call,
    Element,
    Foreign,
    ListLiteral,
    ListName,
    Literal,
    Name,
    Node,
    Quantifier,
)
from rules.foreign_values import one_record
from rules.functions import SCOPE, TABLE
from rules.functions.forms import Elements, Source, truth
from rules.functions.table import Form, Function
from rules.membership import Lists, membership
from rules.sharing import Sharing

Link = Callable[[Lists], Any]

TALL = 12
"""Nested brackets after which a value gets a statement of its own: Python's parser has a limit."""

_FINITE = 2.0**1023


class Generator:
    """Turns nodes into Python source, and keeps the statements, names and constants that it needs.

    `missing` says whether variables may be None. Both branches of one function share names and constants.
    """

    def __init__(self, missing: bool, sharing: Sharing, shared: Generator | None = None) -> None:
        self._sharing = sharing
        self.lists: dict[tuple[str, str], str] = shared.lists if shared else {}
        self.links: dict[tuple[str, str], tuple[str, Link]] = shared.links if shared else {}
        self.missing = missing
        self.names: dict[str, str] = shared.names if shared else {}
        self.scope: dict[str, Any] = shared.scope if shared else {**SCOPE}
        self.statements: list[str] = []
        self._temporaries = 0
        self.constants: dict[tuple[str, str], str] = shared.constants if shared else {}

    def source(self, node: Node) -> Source:
        """Give the source of one node; of a shared part, the source that asks for it."""
        slot = self._sharing.slot(node)
        return self.own_source(node) if slot is None else self._part(node, slot)

    def own_source(self, node: Node) -> Source:
        """Give the source of one node that computes it, also where it is shared."""
        source = self._source(node)
        return self._named(source) if source.height > TALL else source

    def _part(self, node: Node, slot: int) -> Source:
        value = f"(cells[{slot}] if cells[{slot}] is not UNSET else s{slot}(values, cells))"
        true, false = (f"({value} is True)", f"({value} is False)") if node.type == BOOL else ("", "")
        return Source(node.type, value, null=True, error=True, true=true, false=false, height=1)

    def once(self, source: Source) -> tuple[list[str], str]:
        """Give the guards under which a source has a value or null, and a name for it."""
        if source.atom:
            return [f"{source.value} is not ERROR"] if source.error else [], source.value
        if not source.error:
            return [], source.value
        name = self._temporary()
        return [f"({name} := {source.value}) is not ERROR"], name

    def hoist(self, source: Source) -> Source:
        """Compute an open bool once, ahead: its T and F would be written twice where it is used."""
        return source if source.atom or (not source.open and source.height < 3) else self._named(source)

    def _source(self, node: Node) -> Source:
        if isinstance(node, Literal):
            return self._literal(node)
        if isinstance(node, Name):
            return self._name(node)
        if isinstance(node, Element):
            return self._element(node)
        if isinstance(node, Quantifier):
            return self._quantifier(node)
        if isinstance(node, Foreign):
            return self._foreign(node)
        if not isinstance(node, Call):
            raise TypeError(f"no source for {node!r}")
        row = TABLE[node.overload]
        if isinstance(row, Form):
            return self._form(row, node)
        return self._strict(row, [self.source(argument) for argument in node.arguments])

    def _form(self, row: Form, node: Call) -> Source:
        if row.name in ("@in", "in_ranges"):
            needle = self._settled(self.source(node.arguments[0]))
            source = row.scalar(self, needle, self._elements(node.arguments[1], needle.type))
        elif row.name in ("_==_", "_!=_"):
            source = row.scalar(self, *(self._settled(self.source(argument)) for argument in node.arguments))
        else:
            source = row.scalar(self, *(self.source(argument) for argument in node.arguments))
        return cast(Source, source)

    def _settled(self, source: Source) -> Source:
        """Name an operand that a form writes more than once."""
        if source.atom or (source.type != BOOL and source.height < 3):
            return source
        return self._named(source)

    def _strict(self, row: Function, arguments: list[Source]) -> Source:
        guards: list[str] = []
        names = []
        for position, argument in enumerate(arguments):
            repeated = row.scalar.count(f"{{{position}}}") > 1
            if not argument.atom and (argument.null or argument.error or repeated):
                name = self._temporary()
                guards.append(f"({name} := {argument.value}) is not {'None' if argument.null else 'ERROR'}")
                if argument.null and argument.error:
                    guards.append(f"{name} is not ERROR")
            else:
                name = argument.value if argument.atom else f"({argument.value})"
                guards += [f"{name} is not None"] if argument.null else []
                guards += [f"{name} is not ERROR"] if argument.error else []
            names.append(name)
        core = row.scalar.format(*names, t=self._temporary() if "{t}" in row.scalar else "")
        height = max((argument.height for argument in arguments), default=0) + 2
        if row.result == BOOL and not row.fails:
            return self._test(row, arguments, guards, core, height)
        value = f"(({core}) if {' and '.join(guards)} else ERROR)" if guards else f"({core})"
        source = Source(row.result, value, error=bool(guards) or row.fails, height=height)
        return self._named(source) if row.result == BOOL else source

    def _test(
        self, row: Function, arguments: list[Source], guards: list[str], core: str, height: int
    ) -> Source:
        if not guards:
            return truth(f"({core})", None, height)
        held = " and ".join(guards)
        return truth(f"({held} and {core})", f"({held} and not {core})", height)

    def _literal(self, node: Literal) -> Source:
        if node.type == NULL:
            return Source(NULL, "None", null=True, atom=True, true="False", false="False")
        if node.type == BOOL:
            return Source(BOOL, str(node.value), atom=True, true=str(node.value), false=str(not node.value))
        if node.type in (INT, TIMESTAMP, DURATION) and isinstance(node.value, int):
            return Source(node.type, f"({int(node.value)!r})", atom=True)
        if node.type == DOUBLE and -_FINITE < node.value < _FINITE:
            return Source(DOUBLE, f"({float(node.value)!r})", atom=True)
        return Source(node.type, self._constant(node.type, node.value), atom=True)

    def _name(self, node: Name) -> Source:
        name = self.names.setdefault(node.name, f"v{len(self.names)}")
        if node.type == BOOL:
            false = f"({name} is False)"
            return Source(BOOL, name, null=self.missing, atom=True, true=f"({name} is True)", false=false)
        return Source(node.type, name, null=self.missing, atom=True)

    def _element(self, node: Element) -> Source:
        name = f"e{node.number}"
        return Source(node.type, name, atom=True)

    def _quantifier(self, node: Quantifier) -> Source:
        """Loop over a list in statements of their own, until the result is settled."""
        outer, self.statements = self.statements, []
        body = self.source(node.body)
        within, self.statements = self.statements, outer
        name = self._temporary()
        which = node.over.name
        entries = self._linked("entries", which, lambda lists: tuple(lists[which]))
        start = node.kind == "exists"
        ends, goes_on = (body.true, body.false) if start else (body.false, body.true)
        lines = [*within, f"if {ends}:", f"    {name} = {start}", "    break"]
        if body.open:
            lines += [f"if not {goes_on}: {name} = ERROR"]
        self.statements += [f"{name} = {not start}", f"for e{node.number} in {entries}:", *indent(lines)]
        return Source(BOOL, name, False, body.open, True, f"({name} is True)", f"({name} is False)")

    def _foreign(self, node: Foreign) -> Source:
        """Call the CEL runtime, in a statement of its own."""
        values = [self._name(one).value for one in node.inputs if isinstance(one, Name)]
        function = self._linked("foreign", repr(node.checked), lambda lists: one_record(node, lists))
        call = f"{function}({', '.join(values)})"
        return self._named(Source(node.type, call, null=True, error=True))

    def _elements(self, node: Node, needle: str) -> Elements:
        """Put the constants of each type into a set; the rest is compared one by one."""
        if isinstance(node, ListName):
            kind = DOUBLE if needle == DOUBLE else node.element
            return Elements(((kind, self._list(kind, node.name)),))
        if not isinstance(node, ListLiteral):
            raise TypeError(f"no elements in {node!r}")
        constants: dict[str, list[Any]] = {}
        for element in node.elements:
            if isinstance(element, Literal):
                constants.setdefault(needle if element.type == NULL else element.type, []).append(
                    element.value
                )
        sets = tuple((kind, self._set(kind, values)) for kind, values in constants.items())
        others = (element for element in node.elements if not isinstance(element, Literal))
        return Elements(sets, tuple(self._settled(self.source(element)) for element in others))

    def _set(self, kind: str, values: Collection[Any]) -> str:
        return self._constant(f"set of {kind}", membership(kind, values), repr(values))

    def _list(self, kind: str, name: str) -> str:
        """Name a list; its entries are put in place when the function is made."""
        return self.lists.setdefault((kind, name), f"l{len(self.lists)}")

    def _linked(self, kind: str, key: str, make: Link) -> str:
        """Name what is made of the lists when the function is made."""
        name, _ = self.links.setdefault((kind, key), (f"f{len(self.links)}", make))
        return name

    def _constant(self, kind: str, value: Any, key: str | None = None) -> str:
        name = self.constants.setdefault(
            (kind, repr(value) if key is None else key), f"k{len(self.constants)}"
        )
        self.scope[name] = value
        return name

    def _named(self, source: Source) -> Source:
        name = self._temporary()
        self.statements.append(f"{name} = {source.value}")
        true, false = (f"({name} is True)", f"({name} is False)") if source.type == BOOL else ("", "")
        return Source(source.type, name, source.null, source.error, True, true, false)

    def _temporary(self) -> str:
        self._temporaries += 1
        return f"t{self._temporaries}"


def indent(lines: list[str]) -> list[str]:
    return ["    " + line for line in lines]
