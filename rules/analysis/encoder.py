"""Conditions in, terms of z3 out that say where each is true and where false; a model of those as a record.

What stands for what is told in `rules.analysis.solver`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from rules.analysis.wants import FALSE, TRUE, UNKNOWN
from rules.expression import (
    BOOL,
    DOUBLE,
    INT,
    NULL,
    STRING,
    Call,
    Keys,
    ListLiteral,
    ListName,
    Literal,
    Name,
    Node,
    Variable,
)

LOW, HIGH = -(2**63), 2**63 - 1
EXACT = 2**53
_ORDERINGS = {"less": "<", "less_equals": "<=", "greater": ">", "greater_equals": ">="}
_WHOLE = {"add_int64": "+", "subtract_int64": "-", "multiply_int64": "*"}
_REAL = {"add_double": "+", "subtract_double": "-", "multiply_double": "*"}
_LINE = (INT, DOUBLE, "timestamp", "duration")


class Encoder:
    """Writes nodes as z3 terms: a value, and whether there is one; null is a value of its own."""

    def __init__(
        self, z3: Any, variables: Mapping[str, Variable], lists: Mapping[str, Any], *, calculating: bool
    ) -> None:
        self.z3, self._variables, self._lists = z3, variables, lists
        self._operators = _WHOLE | (_REAL if calculating else {})
        self.bounds: list[Any] = []
        self._keys = Keys()
        self._terms: dict[int, tuple[Any, Any, Any]] = {}
        self._truths: dict[int, tuple[Any, Any]] = {}
        self._names: dict[str, tuple[Any, Any]] = {}
        self._texts: dict[str, int] = {}

    def wanted(self, node: Node, result: str) -> Any:
        """Write that a condition comes out as wanted."""
        true, false = self.truth(node)
        word = result.removeprefix("not ")
        goal = {TRUE: true, FALSE: false, UNKNOWN: self.z3.Not(self.z3.Or(true, false))}[word]
        return self.z3.Not(goal) if word != result else goal

    def truth(self, node: Node) -> tuple[Any, Any]:
        """Write where a bool is true, and where it is false."""
        key = self._keys[node]
        if key not in self._truths:
            self._truths[key] = self._truth(node)
        return self._truths[key]

    def record(self, model: Any) -> dict[str, Any]:
        """Read a record out of a model."""
        texts = {number: text for text, number in self._texts.items()}
        return {
            name: self._read(model, self._variables.get(name), value, null, texts)
            for name, (value, null) in self._names.items()
        }

    def _truth(self, node: Node) -> tuple[Any, Any]:
        z3 = self.z3
        if isinstance(node, Literal):
            return z3.BoolVal(node.value is True), z3.BoolVal(node.value is False)
        if isinstance(node, Name):
            value, null = self._name(node)
            return z3.And(z3.Not(null), value), z3.And(z3.Not(null), z3.Not(value))
        if isinstance(node, Call):
            parts = node.arguments
            if node.overload == "logical_not":
                true, false = self.truth(parts[0])
                return false, true
            if node.overload in ("logical_and", "logical_or"):
                pairs = [self.truth(part) for part in parts]
                both, either = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
                if node.overload == "logical_and":
                    return z3.And(both), z3.Or(either)
                return z3.Or(both), z3.And(either)
            if node.overload == "conditional":
                (held, failed), yes, no = (self.truth(part) for part in parts)
                true = z3.Or(z3.And(held, yes[0]), z3.And(failed, no[0]))
                return true, z3.Or(z3.And(held, yes[1]), z3.And(failed, no[1]))
            compared = self._compared(node)
            if compared is not None:
                return compared
        return self._either(node)

    def _compared(self, node: Call) -> tuple[Any, Any] | None:
        z3 = self.z3
        if node.overload == "not_equals":
            found = self._compared(Call("equals", node.arguments, BOOL, node.offset))
            return None if found is None else (found[1], found[0])
        if len(node.arguments) != 2:
            return None
        left, right = node.arguments
        if node.overload == "in_list":
            return self._among(left, right)
        word = node.overload.rpartition("_")[0] if node.overload != "equals" else "equals"
        if word != "equals" and (word not in _ORDERINGS or left.type not in _LINE):
            return None
        if word == "equals" and (NULL not in (left.type, right.type) and not _alike(left.type, right.type)):
            return None
        a, b = self._term(left), self._term(right)
        if a is None or b is None:
            return None
        there = z3.And(a[2], b[2])  # neither is an error
        if word == "equals":
            comparable = NULL not in (left.type, right.type)
            same = z3.And(z3.Not(a[1]), z3.Not(b[1]), a[0] == b[0]) if comparable else False
            equal = z3.Or(z3.And(a[1], b[1]), same)
            return z3.And(there, equal), z3.And(there, z3.Not(equal))
        there = z3.And(there, z3.Not(a[1]), z3.Not(b[1]))
        holds = {"<": a[0] < b[0], "<=": a[0] <= b[0], ">": a[0] > b[0], ">=": a[0] >= b[0]}[_ORDERINGS[word]]
        return z3.And(there, holds), z3.And(there, z3.Not(holds))

    def _among(self, left: Node, right: Node) -> tuple[Any, Any] | None:
        if not isinstance(right, ListLiteral | ListName) or left.type == BOOL:
            return None
        elements: Sequence[Node]
        if isinstance(right, ListName):
            entries = self._lists[right.name]
            if right.element not in (INT, DOUBLE, STRING) or len(entries) > 200:
                return None
            elements = [Literal(right.element, entry) for entry in sorted(entries)]
        else:
            elements = right.elements
        pairs = [self._compared(Call("equals", (left, element), BOOL)) for element in elements]
        known = [pair for pair in pairs if pair is not None]
        if len(known) < len(pairs):
            return None
        there = self._term(left)
        if there is None:
            return None
        found = self.z3.Or([pair[0] for pair in known])
        return self.z3.And(there[2], found), self.z3.And(there[2], self.z3.Not(found))

    def _term(self, node: Node) -> tuple[Any, Any, Any] | None:
        """Write a value, whether it is null, and whether it is no error; None for what is not known."""
        key = self._keys[node]
        if key not in self._terms:
            made = self._made(node)
            if made is None:
                return None
            self._terms[key] = made
        return self._terms[key]

    def _made(self, node: Node) -> tuple[Any, Any, Any] | None:
        z3 = self.z3
        yes, no = z3.BoolVal(True), z3.BoolVal(False)
        if isinstance(node, Literal):
            if node.type == NULL:
                return z3.IntVal(0), yes, yes
            value = self._literal(node)
            return None if value is None else (value, no, yes)
        if isinstance(node, Name) and node.type != BOOL:
            value, null = self._name(node)
            return value, null, yes
        if isinstance(node, Call) and node.overload == "int64_to_double":
            inner = self._term(node.arguments[0])
            if inner is None:
                return None
            # Beyond 2⁵³ neighbours become one double: there the widened value is taken as unknown to us.
            exact = z3.And(inner[0] > -EXACT, inner[0] < EXACT)
            wide = z3.Real(f"wide{self._keys[node]}")
            self.bounds.append(z3.Implies(exact, wide == z3.ToReal(inner[0])))
            self.bounds.append(z3.Implies(inner[0] >= EXACT, wide >= EXACT))
            self.bounds.append(z3.Implies(inner[0] <= -EXACT, wide <= -EXACT))
            return wide, no, z3.And(inner[2], z3.Not(inner[1]))
        if isinstance(node, Call) and node.overload in self._operators:
            parts = [self._term(part) for part in node.arguments]
            if parts[0] is None or parts[1] is None:
                return None
            a, b = parts[0], parts[1]
            value = {"+": a[0] + b[0], "-": a[0] - b[0], "*": a[0] * b[0]}[self._operators[node.overload]]
            there = z3.And(a[2], b[2], z3.Not(a[1]), z3.Not(b[1]))
            if node.type == INT:
                there = z3.And(there, value >= LOW, value <= HIGH)
            return value, no, there
        return None

    def _literal(self, node: Literal) -> Any:
        if node.type == STRING:
            return self.z3.IntVal(self._texts.setdefault(node.value, len(self._texts)))
        if node.type == DOUBLE:
            if not math.isfinite(node.value):
                return None
            return self._number(float(node.value))
        return self.z3.IntVal(node.value) if node.type in _LINE else None

    def _name(self, node: Name) -> tuple[Any, Any]:
        if node.name not in self._names:
            self._names[node.name] = self._declared(node)
        return self._names[node.name]

    def _declared(self, node: Name) -> tuple[Any, Any]:
        z3 = self.z3
        variable = self._variables.get(node.name) or Variable(node.name, node.type)
        make = {BOOL: z3.Bool, DOUBLE: z3.Real}.get(node.type, z3.Int)
        value = make(f"value {node.name}")
        null = z3.Bool(f"null {node.name}") if variable.nullable else z3.BoolVal(False)
        if node.type == STRING and variable.values is not None:
            known = [self._texts.setdefault(text, len(self._texts)) for text in variable.values]
            self.bounds.append(z3.Or([value == number for number in known]))
        elif node.type == STRING:
            self.bounds.append(value >= 0)
        elif node.type in _LINE:
            low = LOW if variable.minimum is None else variable.minimum
            high = HIGH if variable.maximum is None else variable.maximum
            ends = (variable.minimum is not None, variable.maximum is not None)
            if node.type != DOUBLE:
                low, high, ends = math.ceil(low), math.floor(high), (True, True)
            self.bounds += [value >= self._number(low)] if ends[0] else []
            self.bounds += [value <= self._number(high)] if ends[1] else []
        return value, null

    def _number(self, value: float) -> Any:
        return self.z3.Q(*float(value).as_integer_ratio()) if isinstance(value, float) else value

    def _either(self, node: Node) -> tuple[Any, Any]:
        """Give a test that nothing is known of: true, false or neither."""
        key = self._keys[node]
        true, false = self.z3.Bool(f"true{key}"), self.z3.Bool(f"false{key}")
        self.bounds.append(self.z3.Not(self.z3.And(true, false)))
        return true, false

    def _read(
        self, model: Any, variable: Variable | None, value: Any, null: Any, texts: Mapping[int, str]
    ) -> Any:
        z3 = self.z3
        if z3.is_true(model.eval(null, model_completion=True)):
            return None
        found = model.eval(value, model_completion=True)
        kind = variable.type if variable else ""
        if kind == BOOL:
            return z3.is_true(found)
        if kind == DOUBLE:
            return float(found.as_fraction()) if z3.is_rational_value(found) else 0.0
        number = int(found.as_long())
        return texts.get(number, f"text-{number}") if kind == STRING else number


def _alike(left: str, right: str) -> bool:
    return left == right and left != BOOL
