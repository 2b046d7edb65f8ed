"""The CEL environment that rules are checked in: the standard library, where an int may meet a double.

CEL refuses `amount > 1000` on a double. Here orderings, equality, `in`, arithmetic and the ternary are
declared again, with the overloads of the standard library and those for an int beside a double.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from ipaddress import ip_address, ip_network
from typing import Any

from rules.expression import BOOL, CIDR, DOUBLE, DURATION, INT, STRING, TIMESTAMP, Variable

_WRAPPERS = {
    BOOL: "google.protobuf.BoolValue",
    INT: "google.protobuf.Int64Value",
    DOUBLE: "google.protobuf.DoubleValue",
    STRING: "google.protobuf.StringValue",
    TIMESTAMP: "google.protobuf.Timestamp",
    DURATION: "google.protobuf.Duration",
}
_LOOPS = "extensions:\n  - name: two-var-comprehensions\n"
_IDS = {INT: "int64", "uint": "uint64"}
_MIXED = ((INT, DOUBLE), (DOUBLE, INT))

# (operator, word in its overload ids, types it takes two of, giving …)
_ORDERED = (BOOL, INT, "uint", DOUBLE, STRING, "bytes", TIMESTAMP, "duration")
_ORDERINGS = (("_<_", "less"), ("_<=_", "less_equals"), ("_>_", "greater"), ("_>=_", "greater_equals"))
_ARITHMETIC = (
    ("_+_", "add", (INT, "uint", DOUBLE, STRING, "bytes")),
    ("_-_", "subtract", (INT, "uint", DOUBLE)),
    ("_*_", "multiply", (INT, "uint", DOUBLE)),
    ("_/_", "divide", (INT, "uint", DOUBLE)),
)
# What + and - also do in the standard library: (operator, overload, arguments, result).
_TIMES = (
    ("_+_", "add_timestamp_duration", (TIMESTAMP, "duration"), TIMESTAMP),
    ("_+_", "add_duration_timestamp", ("duration", TIMESTAMP), TIMESTAMP),
    ("_+_", "add_duration_duration", ("duration", "duration"), "duration"),
    ("_-_", "subtract_timestamp_duration", (TIMESTAMP, "duration"), TIMESTAMP),
    ("_-_", "subtract_timestamp_timestamp", (TIMESTAMP, TIMESTAMP), "duration"),
    ("_-_", "subtract_duration_duration", ("duration", "duration"), "duration"),
)


def checking(variables: Mapping[str, Variable], lists: Mapping[str, str]) -> Any:
    """Make the environment for checking: declared names with their types, nullable ones as wrappers."""
    from cel_expr_python import cel

    types = {
        variable.name: cel.Type(_WRAPPERS[variable.type] if variable.nullable else _plain(variable.type))
        for variable in variables.values()
    }
    types |= {
        name: cel.Type.AbstractType(CIDR) if element == CIDR else cel.Type.List(cel.Type(element))
        for name, element in lists.items()
    }
    config = cel.NewEnvConfigFromYaml(configuration())
    return cel.NewEnv(variables=types, config=config, extensions=_extensions())


def running(names: frozenset[str]) -> Any:
    """Make the environment for evaluation: every name may hold anything, null too."""
    from cel_expr_python import cel

    ranges = cel.Overload("in_ranges", cel.Type.BOOL, [cel.Type.DYN, cel.Type.DYN], impl=in_ranges)
    return cel.NewEnv(
        variables=dict.fromkeys(names, cel.Type.DYN),
        config=cel.NewEnvConfigFromYaml(f"name: tandem\n{_LOOPS}"),
        extensions=[
            *_extensions(),
            cel.CelExtension("ranges", [cel.FunctionDecl("in_ranges", [ranges])]),
        ],
    )


def in_ranges(text: Any, networks: Iterable[str]) -> bool:
    """Say whether a text is an IP address in one of some networks, by Python's own `ipaddress`."""
    try:
        address = ip_address(text) if isinstance(text, str) and "%" not in text else None
    except ValueError:
        return False
    return address is not None and any(address in ip_network(network) for network in networks)


@cache
def configuration() -> str:
    """Write the environment's configuration in the YAML of the CEL library."""
    functions: dict[str, list[str]] = {}

    def overload(function: str, identity: str, arguments: tuple[str, ...], result: str) -> None:
        written = ", ".join(_type(argument) for argument in arguments)
        functions.setdefault(function, []).append(
            f'      - {{id: "{identity}", args: [{written}], return: {_type(result)}}}'
        )

    for function, word in _ORDERINGS:
        for kind in _ORDERED:
            overload(function, f"{word}_{_IDS.get(kind, kind)}", (kind, kind), BOOL)
    for function, word, kinds in _ARITHMETIC:
        for kind in kinds:
            overload(function, f"{word}_{_IDS.get(kind, kind)}", (kind, kind), kind)
    for function, identity, arguments, result in _TIMES:
        overload(function, identity, arguments, result)
    overload("_+_", "add_list", ("list(A)", "list(A)"), "list(A)")
    overload("_==_", "equals", ("A", "A"), BOOL)
    overload("_!=_", "not_equals", ("A", "A"), BOOL)
    overload("@in", "in_list", ("A", "list(A)"), BOOL)
    overload("@in", "in_ranges", (STRING, CIDR), BOOL)
    overload("@in", "in_map", ("A", "map(A,B)"), BOOL)
    overload("_?_:_", "conditional", (BOOL, "A", "A"), "A")
    words = dict(_ORDERINGS) | {name: word for name, word, _ in _ARITHMETIC}
    for left, right in _MIXED:
        pair = f"{_IDS.get(left, left)}_{_IDS.get(right, right)}"
        for function, word in words.items():
            result = BOOL if (function, word) in _ORDERINGS else DOUBLE
            overload(function, f"{word}_{pair}", (left, right), result)
        overload("_==_", f"equals_{pair}", (left, right), BOOL)
        overload("_!=_", f"not_equals_{pair}", (left, right), BOOL)
        overload("@in", f"in_list_{pair}", (left, f"list({right})"), BOOL)
        overload("_?_:_", f"conditional_{pair}", (BOOL, left, right), DOUBLE)
    excluded = "".join(f'    - name: "{name}"\n' for name in functions)
    declared = "".join(
        f'  - name: "{name}"\n    overloads:\n' + "\n".join(overloads) + "\n"
        for name, overloads in functions.items()
    )
    return f"name: tandem\n{_LOOPS}stdlib:\n  exclude_functions:\n{excluded}functions:\n{declared}"


def _type(name: str) -> str:
    """Write a type; a capital letter is a type parameter."""
    if name.startswith(("list(", "map(")):
        head, _, rest = name[:-1].partition("(")
        return f'{{type_name: "{head}", params: [{", ".join(map(_type, rest.split(",")))}]}}'
    return f'{{type_name: "{name}"{", is_type_param: true" if name.isupper() else ""}}}'


def _plain(kind: str) -> str:
    return _WRAPPERS[kind] if kind in (TIMESTAMP, DURATION) else kind


def _extensions() -> list[Any]:
    from cel_expr_python.ext import ext_bindings, ext_encoders, ext_math, ext_optional, ext_strings

    return [
        ext_strings.ExtStrings(),
        ext_math.ExtMath(),
        ext_optional.ExtOptional(),
        ext_bindings.ExtBindings(),
        ext_encoders.ExtEncoders(),
    ]
