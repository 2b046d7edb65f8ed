"""Checked expressions in, generated functions out: code is kept, and linked with lists when asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from operator import itemgetter
from types import CodeType
from typing import Any

from rules.expression import CheckedExpression, Node
from rules.generator import Generator, Link, indent
from rules.membership import Lists, membership
from rules.sharing import Sharing

KEPT = 16_384
"""Generated functions whose code is kept for the next compile: an edit generates those it changes."""

UNSET = object()  # in the cell of a shared part: not computed yet for this record


@dataclass(frozen=True)
class Likeness:
    """What generated code depends on: equal conditions have the same. Entries of lists are not in it."""

    checked: tuple[bytes, ...]
    shared: tuple[tuple[int, str], ...]
    nodes: Sequence[Node] = field(compare=False)
    sharing: Sharing = field(compare=False)


def likeness_of(expressions: Sequence[CheckedExpression], sharing: Sharing) -> Likeness:
    """Give what the code of some expressions depends on, where `sharing` says what they share."""
    shared = tuple(entry for one in expressions for entry in sharing.within(one.node))
    checked = tuple(one.checked for one in expressions)
    return Likeness(checked, shared, tuple(one.node for one in expressions), sharing)


@dataclass(frozen=True)
class Compiled:
    """A function's code, what it names, and what is still to be named: lists by (type, list), and links."""

    code: CodeType
    name: str
    scope: Mapping[str, Any]
    lists: Mapping[tuple[str, str], str]
    links: tuple[tuple[str, Link], ...]


@lru_cache(maxsize=KEPT)
def generate_conditions(likeness: Likeness) -> Compiled:
    """Generate a function for all: a branch for records that miss nothing, and one for the rest."""
    whole = Generator(False, likeness.sharing)
    body = _branch(whole, likeness.nodes)
    general = Generator(True, likeness.sharing, whole)
    other = _branch(general, likeness.nodes)
    lines = ["def conditions(values, true, unknown):", *indent(_loading(whole))]
    if likeness.sharing.parts:
        lines.append(f"    cells = [UNSET] * {len(likeness.sharing.parts)}")
    if whole.names:
        lines.append(f"    if {' or '.join(f'{name} is None' for name in whole.names.values())}:")
        lines += indent(indent([*other, "return"]))
    lines += indent([*body, "return"])
    return _compiled(lines, "conditions", whole)


@lru_cache(maxsize=KEPT)
def generate_condition(likeness: Likeness) -> Compiled:
    """Generate a function that gives True, False, or None for unknown."""
    generator = Generator(True, likeness.sharing)
    source = generator.source(likeness.nodes[0])
    result = f"True if {source.true} else False if {source.false} else None" if source.open else source.true
    names = generator.names
    lines = ["def condition(values, cells):"]
    if names:
        generator.scope["load"] = itemgetter(*names)
        lines.append(f"    {', '.join(names.values())} = load(values)")
    lines += indent([*generator.statements, f"return {result}"])
    return _compiled(lines, "condition", generator)


@lru_cache(maxsize=KEPT)
def generate_part(likeness: Likeness) -> Compiled:
    """Generate a function that computes a shared part and puts it into its cell."""
    (node,) = likeness.nodes
    generator = Generator(True, likeness.sharing)
    source = generator.own_source(node)
    body = [
        *generator.statements,
        f"cells[{likeness.sharing.slot(node)}] = result = {source.value}",
        "return result",
    ]
    lines = ["def part(values, cells):", *indent(_loading(generator)), *indent(body)]
    return _compiled(lines, "part", generator)


def generate_value(node: Node) -> Compiled:
    """Generate a function that gives a value; None where there is none."""
    generator = Generator(True, Sharing([]))
    source = generator.source(node)
    body = [*generator.statements, f"result = {source.value}", "return None if result is ERROR else result"]
    lines = ["def value(values):", *indent(_loading(generator)), *indent(body)]
    return _compiled(lines, "value", generator)


def linked(compiled: Compiled, lists: Lists, parts: Mapping[str, Any]) -> Any:
    """Make the function, with the entries of these lists and the functions of shared parts."""
    scope = {**compiled.scope, **parts}
    scope |= {name: membership(kind, lists[which]) for (kind, which), name in compiled.lists.items()}
    scope |= {name: make(lists) for name, make in compiled.links}
    scope["__builtins__"] = {}
    exec(compiled.code, scope)
    return scope[compiled.name]


def _branch(generator: Generator, nodes: Sequence[Node]) -> list[str]:
    lines: list[str] = []
    for number, node in enumerate(nodes):
        source = generator.source(node)
        lines += generator.statements
        generator.statements.clear()
        lines.append(f"if {source.true}: true.append({number})")
        if source.open:
            lines.append(f"elif not {source.false}: unknown.append({number})")
    return lines


def _loading(generator: Generator) -> list[str]:
    """Load every variable into a local; a record that lacks some takes the slower way, they are missing."""
    if not generator.names:
        return []
    keys, names = tuple(generator.names), tuple(generator.names.values())
    generator.scope["load"] = itemgetter(*keys) if len(keys) > 1 else lambda values: (values[keys[0]],)
    generator.scope["load_some"] = lambda values: tuple(map(values.get, keys))
    generator.scope["KeyError"] = KeyError
    targets = f"{', '.join(names)},"
    return ["try:", f"    {targets} = load(values)", "except KeyError:", f"    {targets} = load_some(values)"]


def _compiled(lines: list[str], name: str, generator: Generator) -> Compiled:
    """Compile generated source. INVARIANT: it holds names made here, numbers, and the table's own words."""
    code = compile("\n".join(lines), "<rules>", "exec")
    return Compiled(code, name, generator.scope, generator.lists, tuple(generator.links.values()))
