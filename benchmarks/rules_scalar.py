"""One record through 10, 100 and 1,000 rules: outcome and fired rules out, against engines and bare Python.

The floor is what a programmer would write for exactly these rules: one function of `if`s over local names
that knows that no value is missing. Every engine has its expressions compiled beforehand and is asked in each
way that it offers (rule by rule, all in one expression); the quickest counts. All give the same outcome and
fired rules, as is checked first. No record is seen twice: a set of fired rules may be new.
"""

from __future__ import annotations

import re
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from benchmarks.figures import Figure, against, figure
from benchmarks.many import SIZES, TYPES, ManyRule, checked_rules, many_rules, rows
from rules.ruleset import RuleSet

Record = dict[str, Any]
Judge = Callable[[Record], tuple[str | None, Sequence[str]]]

PASSES = 5
WARMING = 200


def run(*, quick: bool) -> list[Figure]:
    figures = []
    ours_for, peers_for = (1_000, 20) if quick else (4_000, 100)
    for size in SIZES:
        rules = many_rules(size)
        whole = rows(WARMING + PASSES * ours_for, missing=0.0).to_pylist()
        gaps = rows(WARMING + PASSES * ours_for, missing=0.1).to_pylist()
        checked = checked_rules(rules)
        began = time.perf_counter()
        compiled = RuleSet.compile(checked)
        compiled.after(whole[0])
        compiling = time.perf_counter() - began
        ours = _ours(compiled)
        floor, careful = _floor(rules, guarded=False), _floor(rules, guarded=True)
        peers = {
            f"{name}, {way}": judge for name, make in _PEERS.items() for way, judge in make(rules).items()
        }
        for name, judge in {"floor": floor, "careful": careful, **peers}.items():
            _same(name, ours, judge, whole[:50])
        _same("careful, values missing", ours, careful, gaps[:WARMING])
        taken = _time(ours, whole, ours_for)
        named = f"{size:,} rules"
        times = {name: _time(judge, whole, peers_for) for name, judge in peers.items()}
        best = min(times, key=times.__getitem__)
        target = "ratio >= 25" if size == 100 else ""
        figures.append(against(named, taken, "us", best, times[best], target=target, faster=True))
        figures += [
            against(f"{named}: {name}", taken, "us", name, other, faster=True)
            for name, other in times.items()
            if name != best
        ]
        figures += [
            against(named, taken, "us", "Python ifs", _time(floor, whole, ours_for), target="ratio <= 2"),
            against(
                f"{named}, a tenth missing",
                _time(ours, gaps, ours_for),
                "us",
                "Python ifs",
                _time(careful, gaps, ours_for),
            ),
            figure(f"{named}: compiled and first record", compiling * 1000, "ms"),
        ]
    return figures


def _time(judge: Judge, records: Sequence[Record], count: int) -> float:
    """Microseconds a record: the median of passes over records of their own."""
    for record in records[: min(WARMING, count)]:
        judge(record)
    taken = []
    for number in range(PASSES):
        some = records[WARMING + number * count : WARMING + (number + 1) * count]
        began = time.perf_counter()
        for record in some:
            judge(record)
        taken.append((time.perf_counter() - began) / len(some) * 1e6)
    return statistics.median(taken)


def _same(name: str, ours: Judge, other: Judge, records: Sequence[Record]) -> None:
    for record in records:
        expected, got = ours(record), other(record)
        if (expected[0], list(expected[1])) != (got[0], list(got[1])):
            raise RuntimeError(f"{name} gives {got} where the rules give {expected}: {record}")


def _ours(compiled: RuleSet) -> Judge:
    def judge(record: Record) -> tuple[str | None, Sequence[str]]:
        verdict = compiled.after(record)
        return verdict.outcome, verdict.fired

    return judge


def _floor(rules: Sequence[ManyRule], *, guarded: bool) -> Judge:
    names = sorted({comparison.field for rule in rules for comparison in rule.comparisons})
    lines = ["def judge(record):", *(f"    {name} = record[{name!r}]" for name in names)]
    lines += ["    fired = []", "    outcome, best = None, -1"]
    for rule in rules:
        condition = rule.python if guarded else re.sub(r"\w+ is not None and ", "", rule.python)
        lines += [
            f"    if {condition}:",
            f"        fired.append({rule.id!r})",
            f"        if {rule.priority} > best:",
            f"            outcome, best = {rule.decide!r}, {rule.priority}",
        ]
    scope: dict[str, Any] = {}
    exec("\n".join([*lines, "    return outcome, fired"]), scope)
    judge: Judge = scope["judge"]
    return judge


def _zen(rules: Sequence[ManyRule]) -> dict[str, Judge]:
    import zen

    single = [zen.compile_expression(rule.zen) for rule in rules]
    gathered = zen.compile_expression("[" + ", ".join(rule.zen for rule in rules) + "]")
    return {
        "rule by rule": lambda record: _decided(rules, [one.evaluate(record) for one in single]),
        "in one": lambda record: _decided(rules, gathered.evaluate(record)),
    }


def _cel(rules: Sequence[ManyRule]) -> dict[str, Judge]:
    from cel_expr_python import cel

    from rules.environment import configuration

    kinds = {"double": cel.Type.DOUBLE, "int": cel.Type.INT, "string": cel.Type.STRING}
    # Comparing a field of any type with null needs one that may hold it.
    variables = {name: cel.Type.DYN if _null(rules, name) else kinds[kind] for name, kind in TYPES.items()}
    config = cel.NewEnvConfigFromYaml(configuration())
    environment = cel.NewEnv(variables=variables, config=config)
    single = [environment.compile(rule.cel) for rule in rules]

    def by_rule(record: Record) -> tuple[str | None, Sequence[str]]:
        values = environment.Activation(record)
        return _decided(rules, [one.eval(values).value() for one in single])

    return {"rule by rule": by_rule}


def _null(rules: Sequence[ManyRule], name: str) -> bool:
    return any(one.field == name and one.value is None for rule in rules for one in rule.comparisons)


def _rule_engine(rules: Sequence[ManyRule]) -> dict[str, Judge]:
    import rule_engine

    single = [rule_engine.Rule(rule.rule_engine) for rule in rules]
    return {"rule by rule": lambda record: _decided(rules, [one.matches(record) for one in single])}


def _decided(rules: Sequence[ManyRule], held: Sequence[bool]) -> tuple[str | None, Sequence[str]]:
    fired = [rule for rule, holds in zip(rules, held, strict=True) if holds]
    if not fired:
        return None, ()
    return max(fired, key=lambda rule: rule.priority).decide, [rule.id for rule in fired]


_PEERS: Mapping[str, Callable[[Sequence[ManyRule]], dict[str, Judge]]] = {
    "zen-engine": _zen,
    "cel-expr-python": _cel,
    "rule-engine": _rule_engine,
}
