"""What CEL says is wrong, said again for rule authors: the place, in plain words, with what to try."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from rules.calls import spoken
from rules.errors import ExpressionProblem, nearest
from rules.expression import CIDR
from rules.idioms import (
    CALLS,
    CLOCK_HINT,
    CLOCKS,
    FUNCTIONS_ELSEWHERE,
    MACROS,
    MATH,
    SIGNS,
    SUPPORTED,
    word_hint,
)
from rules.lookalikes import lookalike

_ERROR = re.compile(r"^(?:INVALID_ARGUMENT: )?ERROR: <input>:(-?\d+):(-?\d+): (.*)$")
_UNDECLARED = re.compile(r"undeclared reference to '(.*)' \(in container '.*'\)")
_NO_OVERLOAD = re.compile(r"found no matching overload for '(.*)' applied to '(.*)'")
_SELECT = re.compile(r"expression of type '(.*)' cannot be the operand of a select operation")
_CHARACTER = re.compile(r"Syntax error: token recognition error at: '(.*)'", re.DOTALL)
_TOKEN = re.compile(
    r"Syntax error: (?:extraneous|mismatched|no viable alternative at) input '(.*?)'(?: expecting .*)?$"
)
_NAME_BEFORE = re.compile(r"(?:[A-Za-z_]\w*\s*\.\s*)*[A-Za-z_]\w*\s*$", re.ASCII)
_FUNCTION_BEFORE = re.compile(r"[A-Za-z_]\w*\s*$", re.ASCII)
_ONE_VALUE = r"(?:'[^']*'|\"[^\"]*\"|-?\w[\w.]*)"
_VALUE = re.compile(_ONE_VALUE)
_BARE = re.compile(r"[^\W\d]\w*")
_LISTED = re.compile(rf"\bin\s*\(?\s*({_ONE_VALUE})\s*$")
_FIELD = re.compile(r"unknown field '(\w+)'")
_FUNCTION = re.compile(r"unknown function '(\w+)'")
_STATUS = re.compile(r" \[[A-Z_]+\]$")

_FAR = 100  # characters on each side of a comma that its hint looks at
DEEP_HINT = "split the condition into several rules"
TOO_DEEP = "nested too deeply (CEL reads 32 levels of calls, brackets or chained operators)"
_INVALID_INT = re.compile(r"invalid u?int literal")
_RESERVED = re.compile(r"reserved identifier: (\w+)")


def diagnose(text: str, said: str, variables: Mapping[str, str]) -> list[ExpressionProblem]:
    """Turn the library's message into problems, in the order of the text; never none."""
    lines = text.split("\n")
    problems: list[ExpressionProblem] = []
    for line in said.split("\n"):
        if (found := _ERROR.match(line)) and (not problems or "*error*" not in line):
            place = max(int(found[1]), 1), max(int(found[2]), 1)
            problems.append(_explain(lines, place, _STATUS.sub("", found[3]), variables))
            if "Syntax error" in said:
                # What follows a syntax error is mostly its echo.
                break
    if not problems:
        message = TOO_DEEP if "recursion" in said else _STATUS.sub("", said.split("\n")[0])
        hint = DEEP_HINT if "recursion" in said else ""
        problems.append(ExpressionProblem(1, 1, message, hint))
    return sorted(dict.fromkeys(one for one in problems if not _follows(one, problems, text)))


def _follows(problem: ExpressionProblem, problems: Iterable[ExpressionProblem], text: str) -> bool:
    """Say whether a name is unknown only because the function that it stands with is mistyped.

    It is `math`, or what a loop calls its elements.
    """
    found = _FIELD.match(problem.message)
    if found is None:
        return False
    functions = [one for other in problems for one in [_FUNCTION.match(other.message)] if one]
    for function in functions:
        if found[1] == "math" and re.search(rf"\bmath\s*\.\s*{function[1]}\s*\(", text):
            return True
        loop = re.search(rf"\.\s*{function[1]}\s*\(\s*(\w+)\s*,", text)
        if loop and loop[1] == found[1] and nearest(function[1], MACROS).startswith("did you mean"):
            return True
    return False


def place(text: str, offset: int) -> tuple[int, int]:
    """Turn an offset in code points into a line and a column, both from 1."""
    before = text[:offset]
    return before.count("\n") + 1, offset - (before.rfind("\n") + 1) + 1


def _explain(
    lines: list[str], at: tuple[int, int], said: str, variables: Mapping[str, str]
) -> ExpressionProblem:
    line, column = at
    source = lines[line - 1] if line <= len(lines) else ""
    if "recursion" in said:
        return ExpressionProblem(line, column, TOO_DEEP, DEEP_HINT)
    if found := _UNDECLARED.match(said):
        return _undeclared(source, line, column, found[1], variables)
    if found := _NO_OVERLOAD.match(said):
        message, hint = _mismatch(found[1], _types(found[2]))
        return ExpressionProblem(line, column, message, hint)
    if found := _SELECT.match(said):
        return ExpressionProblem(line, column, f"a {_plain(found[1])} has no parts to select with '.'")
    if found := _CHARACTER.match(said):
        return _character(source, line, column, found[1])
    if found := _TOKEN.match(said):
        return _token(source, line, column, found[1], variables)
    if _INVALID_INT.search(said):
        return ExpressionProblem(line, column, "a whole number beyond 64 bits", "write it with .0 at its end")
    if found := _RESERVED.search(said):
        return ExpressionProblem(line, column, f"unexpected '{found[1]}'", word_hint(found[1]))
    if said.endswith("missing ')' at '<EOF>'"):
        return ExpressionProblem(line, column, "a bracket '(' is not closed", "write ')' where it ends")
    return ExpressionProblem(line, column, said.removeprefix("Syntax error: "))


def _undeclared(
    source: str, line: int, column: int, name: str, variables: Mapping[str, str]
) -> ExpressionProblem:
    """A function stands at its bracket and a dotted name at its last dot: move to where it begins."""
    at = source[column - 1 : column]
    if at == "(":
        begin = _FUNCTION_BEFORE.search(source[: column - 1])
        short = name.rsplit(".", 1)[-1]
        known = FUNCTIONS_ELSEWHERE.get(short.lower())
        if short in SUPPORTED:
            begins = begin.start() + 1 if begin else column
            return ExpressionProblem(line, begins, f"'{short}' is not called like this", CALLS.get(short, ""))
        in_math = re.search(r"\bmath\s*\.\s*$", source[: begin.start()]) if begin else None
        hint = f"did you mean '{known}'?" if known else nearest(short, MATH if in_math else SUPPORTED)
        if short.lower() in CLOCKS:
            hint = CLOCK_HINT
        return ExpressionProblem(
            line, begin.start() + 1 if begin else column, f"unknown function '{short}'", hint
        )
    if at == "." and (before := _NAME_BEFORE.search(source[: column - 1])):
        column = before.start() + 1
    hint = word_hint(name) or _nearest_variable(name, variables)
    if name.startswith("lists."):
        hint = f"a list is named alone: {name.removeprefix('lists.')}"
    rest = source[column - 1 + len(name) :].lstrip()
    if rest.startswith("[") and any(variable.startswith(f"{name}.") for variable in variables):
        hint = f"write {name}.NAME; {hint}"
    unlike = hint.startswith("known: ") and "." not in name and f"{name}." not in hint
    if unlike and not re.search(r"\bin\s*$", source[: column - 1]):
        hint = f"text goes in quotes: '{name}'; {hint}"
    return ExpressionProblem(line, column, f"unknown field '{name}'", hint)


def _nearest_variable(name: str, variables: Iterable[str]) -> str:
    """Prefer names under the same prefix: `scores.` knows scores."""
    prefix = name.rsplit(".", 1)[0] + "." if "." in name else f"{name}."
    family = [variable for variable in variables if prefix and variable.startswith(prefix)]
    ends = [variable for variable in variables if variable.endswith(f".{name}")]
    if ends and not family:
        return f"did you mean '{ends[0]}'?"
    return nearest(name, family or variables)


def _mismatch(function: str, types: list[str]) -> tuple[str, str]:
    plain = [_plain(kind) for kind in types]
    operator = spoken(function)
    if function in ("_&&_", "_||_", "!_"):
        wrong = next((kind for kind in plain if kind not in ("bool", "dyn")), plain[0])
        return f"'{operator}' needs true or false, not a {wrong}", "compare it with something"
    if function == "_?_:_":
        if plain[0] != "bool":
            return (
                f"the condition before '?' must be true or false, not a {plain[0]}",
                "compare it with something",
            )
        return f"the branches of ?: are {plain[1]} and {plain[2]}; they must be of one type", ""
    if len(plain) == 2 and "null" in plain and function in ("_==_", "_!=_"):
        other = plain[0] if plain[1] == "null" else plain[1]
        return f"this {other} is never missing; comparing it with null has no meaning", ""
    if function == "_[_]":
        return f"a {plain[0]} has no elements to select by [{plain[1]}]", ""
    if len(plain) == 2 and not operator.isalpha():
        verb = "compare" if function in ("_<_", "_<=_", "_>_", "_>=_", "_==_", "_!=_") else "combine"
        hint = _unlike(verb, plain)
        return f"cannot {verb} {plain[0]} with {plain[1]} by '{operator}'", hint
    if operator == "in" and len(plain) == 2:
        article = "an" if plain[0] == "int" else "a"
        if plain[1] == CIDR:
            return f"{article} {plain[0]} is no IP address", "IP networks hold addresses written as text"
        hint = ""
        if plain[1] == "string":
            hint = "write values in [ ]: in ['a', 'b']; a part of a text is asked for by contains(…)"
        return f"{article} {plain[0]} cannot be looked for in {plain[1]}", hint
    hint = "write its values in a list: '%s'.format([x, y])" if operator == "format" else ""
    return f"'{operator}' does not take ({', '.join(plain)})", hint


def _unlike(verb: str, plain: list[str]) -> str:
    """The hint for two values that an operator does not take together."""
    if "duration" in plain or ("timestamp" in plain and {"int", "double"} & set(plain)):
        return "write a length of time as duration('36h')"
    if verb == "compare" and "timestamp" in plain:
        return "write a moment as timestamp('2026-11-01T00:00:00Z')"
    if verb == "compare" and "bool" in plain:
        return "a bool is true or false, and a condition by itself: x or !x"
    if "string" not in plain:
        return ""
    return (
        "a number in quotes is text" if verb == "compare" else "convert one: string(…), int(…) or double(…)"
    )


def _character(source: str, line: int, column: int, token: str) -> ExpressionProblem:
    around = source[max(column - 2, 0) : column + 1]
    if token[:1] in ("'", '"') and "\\" in source[column - 1 :]:
        hint = r"write \\ for a backslash, or r'…' for a pattern"
        return ExpressionProblem(line, column, "a backslash in the text in quotes escapes nothing", hint)
    if token[:1] in ("'", '"'):
        return ExpressionProblem(
            line, column, "the text in quotes does not end", "close the quote on the same line"
        )
    for wrong, hint in SIGNS.items():
        if token.startswith(wrong) or (wrong == "<>" and wrong in around):
            return ExpressionProblem(line, column, f"unexpected '{token.strip()}'", hint)
    hint = "write ' or \" for a quote" if token[:1] in "‘’“”„«»" else lookalike(token[:1])
    hint = hint or ("text belongs in quotes" if token[:1].isalpha() else "")
    return ExpressionProblem(line, column, f"unexpected character '{token}'", hint)


def _token(source: str, line: int, column: int, token: str, variables: Iterable[str]) -> ExpressionProblem:
    if token == "<EOF>":  # noqa: S105
        return ExpressionProblem(
            line, column, "the condition ends too early", "something is missing at its end"
        )
    around = source[max(column - 2, 0) : column + 1]
    before = source[: column - 1].split()
    hint = word_hint(token.split()[-1] if token.split() else "") or word_hint(before[-1] if before else "")
    if not hint and "<>" in around:
        hint = SIGNS["<>"]
    if not hint and "not in" in source and token in ("in", "not"):
        hint = "write !(x in list) for not in"
    if not hint and token == ",":  # noqa: S105
        hint = _unbracketed(source, column, variables)
    if not hint and token == "," and re.search(r"\d$", source[: column - 1]):  # noqa: S105
        hint = "write a number without commas, and a list in [ ]"
    return ExpressionProblem(line, column, f"unexpected '{token}'", hint)


def _unbracketed(source: str, column: int, variables: Iterable[str]) -> str:
    """The hint for the values after `in` where they stand without [ ], or nothing."""
    start = max(column - 1 - _FAR, 0)
    if not (found := _LISTED.search(source[start : column - 1])):
        return ""
    inside = re.split(r"\)|&&|\|\|", source[start + found.start(1) : column + _FAR])[0]
    values = _VALUE.findall(inside)
    written = [f"'{one}'" if _BARE.fullmatch(one) and one not in variables else one for one in values]
    return f"write a list in [ ]: in [{', '.join(written[:4])}{', …' if len(written) > 4 else ''}]"


def _types(applied: str) -> list[str]:
    """Split `(wrapper(double), list(int))` at the commas of its first level."""
    types, depth, current = [], 0, ""
    for character in applied.removeprefix("(").removesuffix(")") if not applied.endswith(".()") else "":
        depth += (character == "(") - (character == ")")
        if character == "," and depth == 0:
            types.append(current.strip())
            current = ""
        else:
            current += character
    return [*types, current.strip()] if current.strip() else types


def _plain(kind: str) -> str:
    """Name a type as the schema does: wrapper(double) is a double that may be missing."""
    kind = re.sub(r"wrapper\((\w+)\)", r"\1", kind)
    for theirs, ours in (
        ("google.protobuf.Timestamp", "timestamp"),
        ("google.protobuf.Duration", "duration"),
        ("null_type", "null"),
    ):
        kind = kind.replace(theirs, ours)
    return kind
