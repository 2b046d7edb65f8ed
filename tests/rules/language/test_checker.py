"""Checking: what is accepted, its normal form, and errors with their place and what to try."""

from __future__ import annotations

import re
from random import Random

import pytest

from rules import reference
from rules.cel import MAX_CHARACTERS, Checker, decode
from rules.checked import express
from rules.errors import CheckFailed, ExpressionProblems, Problem, UnreadableExpression, nearest
from rules.expression import TYPES, Call, Literal, Name, Variable

CHECKER = Checker(
    [
        Variable("amount", "double"),
        Variable("age", "int"),
        Variable("country", "string"),
        Variable("at", "timestamp"),
        Variable("flag", "bool"),
        Variable("scores.fraud", "double", nullable=False),
    ],
    {"embargoed": "string", "codes": "int"},
)


def problems(text: str, expect: str | tuple[str, ...] = "bool") -> list[str]:
    """Check a text that must fail; give its problems as text."""
    with pytest.raises(ExpressionProblems) as caught:
        CHECKER.check(text, expect)
    return [str(problem) for problem in caught.value.problems]


@pytest.mark.parametrize(
    "text",
    [
        "amount > 1000",
        "amount == 2000",
        "amount in [1, 2]",
        "amount * 2 > 3.0",
        "age > 30.5 && age in [1.0, 2]",
        "amount in codes",
        "amount == age || age == null",
        "(flag ? age : amount) > 1",
        "country in embargoed && !(country in ['FR', 'DE'])",
        "country in [country, null, 'x']",
        "country.trim().lowerAscii().startsWith('a')",
        r"country.matches(r'^\d+$') || matches(country, '^a')",
        "size(country) > 2 && country.size() < 9",
        "at > timestamp('2026-11-01T00:00:00Z') && at.getHours() < 6 && at.getDayOfWeek() == 0",
        "int(country) % 2 == 0 || double(country) > 1.5 || string(age) == '5'",
        "scores.fraud > 0.5 ? flag : !flag",
        "-age < 5 && -amount < 5.0",
        "'a\\x00b' == country",
    ],
)
def test_everyday_language_checks(text: str) -> None:
    """Rule authors can write all of these, and the bytes give the same expression back."""
    expression = CHECKER.check(text)
    assert decode(text, expression.checked) == expression


def test_mixed_numbers_are_widened() -> None:
    """A literal int beside a double becomes a double; an int expression is converted."""
    assert CHECKER.check("amount > 1000").node == Call(
        "greater_double", (Name("amount", "double"), Literal("double", 1000.0)), "bool"
    )
    widened = CHECKER.check("age * amount", "double").node
    assert isinstance(widened, Call)
    assert widened.arguments[0] == Call("int64_to_double", (Name("age", "int"),), "double")


def test_where_a_double_is_needed_an_int_is_widened() -> None:
    """A value expression may give a whole number where a double is asked for."""
    assert CHECKER.check("flag ? 120 : -15", "double").type == "double"
    assert CHECKER.check("age", ("int", "double")).type == "int"


def test_equal_nodes_have_equal_bytes() -> None:
    """White space and brackets leave no trace in the checked bytes."""
    assert CHECKER.check("amount>1").checked == CHECKER.check(" ( amount  >\n 1 ) ").checked


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("amoun > 1", "1:1: unknown field 'amoun'; did you mean 'amount'?"),
        ("flag && scores.fruad > 1", "1:9: unknown field 'scores.fruad'; did you mean 'scores.fraud'?"),
        ("country == 'é\t' && agee > 1", "1:20: unknown field 'agee'; did you mean 'age'?"),
        ("flag\n&& country == '𝄞' &&\n  agee > 1", "3:3: unknown field 'agee'; did you mean 'age'?"),
        ("flag &&\r\n agee > 1", "2:2: unknown field 'agee'; did you mean 'age'?"),
        ("country.lower() == 'a'", "1:9: unknown function 'lower'; did you mean 'lowerAscii'?"),
        ("has(amount)", "1:1: has() asks a map; of a field, write amount != null"),
        (
            "memo == 'has(age)' && has( scores.fraud )".replace("memo", "country"),
            "1:26: has() asks a map; of a field, write scores.fraud != null",
        ),
        ("[age].map(x, x) == [1] && size([age]) > agee", "1:41: unknown field 'agee'; did you mean 'age'?"),
        ("[1, age].map(x, x + 1)", "1:13: a list stands alone; lists belong on the right of 'in'"),
        ("b'a'", "1:1: this gives a bytes; a bool is needed; compare it with something"),
        ("{'a': age}.a.b > 1", "1:13: a int has no parts to select with '.'"),
        (
            "codes.exists(c, country == c)",
            "1:25: cannot compare string with int by '=='; a number in quotes is text",
        ),
        (
            "[1, 2].exists(age > 1)",
            "1:8: 'exists' is not called like this; write it after a list: [1, 2].exists(x, x == count)",
        ),
        (
            "country.format(age) == 'a'",
            "1:15: 'format' does not take (string, int); write its values in a list: '%s'.format([x, y])",
        ),
        ("at.getHours(2) > 1", "1:12: 'getHours' does not take (timestamp, int)"),
        (
            "at + 3600 > at",
            "1:4: cannot combine timestamp with int by '+'; write a length of time as duration('36h')",
        ),
        (
            "at - at > 3600",
            "1:9: cannot compare duration with int by '>'; write a length of time as duration('36h')",
        ),
        ("amount = 1", "1:8: unexpected '='; write == to compare"),
        ("amount => 5", "1:8: unexpected '=>'; write >= for at least"),
        ("amount =< 5", "1:8: unexpected '=<'; write <= for at most"),
        ("amount > 5 → 3", "1:12: unexpected character '→'"),
        ("country in (DE, FR)", "1:15: unexpected ','; write a list in [ ]: in ['DE', 'FR']"),
        ("amount in (age, 5) && flag", "1:15: unexpected ','; write a list in [ ]: in [age, 5]"),
        (
            f"country in ({', '.join(['FR'] * 1000)})",
            "1:15: unexpected ','; write a list in [ ]: in ['FR', 'FR', 'FR', 'FR', …]",
        ),
        ("amount > 1 and flag", "1:12: unexpected 'and'; write && for and"),
        ("not flag", "1:5: unexpected 'flag'; write !(…) for not"),
        ("amount <> 1", "1:9: unexpected '>'; write != for not equal"),
        ("flag == True", "1:9: unknown field 'True'; write true in lower case"),
        ("country == 'FR", "1:12: the text in quotes does not end; close the quote on the same line"),
        ("amount >", "1:9: the condition ends too early; something is missing at its end"),
        ("country > 5", "1:9: cannot compare string with int by '>'; a number in quotes is text"),
        ("scores.fraud == null", "1:14: this double is never missing; comparing it with null has no meaning"),
        ("amount && flag", "1:8: '&&' needs true or false, not a double; compare it with something"),
        ("amount", "1:1: this gives a double; a bool is needed; compare it with something"),
        ("country.matches('[')", "1:17: not a regular expression (RE2): missing ]: ["),
        ("country.matches('(')", "1:17: not a regular expression (RE2): missing ): ("),
        ("country.matches('[a-')", "1:17: not a regular expression (RE2): missing ]: [a-"),
        (
            "country.matches('[[:x:]]')",
            "1:17: not a regular expression (RE2): invalid character class range: [:x:]",
        ),
        (
            "country.matches('(?=a)')",
            "1:17: not a regular expression (RE2): RE2 has no look-ahead and no look-behind: (?=",
        ),
        (
            "country.matches('(?>a)')",
            "1:17: not a regular expression (RE2): RE2 has no group of this kind: (?>",
        ),
        (
            r"country.matches(r'(a)\1')",
            r"1:17: not a regular expression (RE2): RE2 has no back-references: \1",
        ),
        (
            "country.matches('a{2000}')",
            (
                "1:17: not a regular expression (RE2): a part is repeated up to 1,000 times, "
                "those within each other included: {2000}"
            ),
        ),
        (
            r"country.matches('(\\pL{500}){2}')",
            "1:17: not a regular expression (RE2): the pattern is too large",
        ),
        (
            "at > timestamp('2026-01-01T00:00:00Z') - duration('1 h')",
            "1:51: not a duration: '1 h'; write it as duration('1h30m'), in h, m, s, ms and us",
        ),
        ("at.getHours('Berlin') > 1", "1:13: unknown time zone 'Berlin'; as 'Europe/Berlin' or '+05:30'"),
        ("country in codes", "1:9: a string cannot be looked for in list(int)"),
        ("amount in [1, 'a']", "1:15: a double is never equal to a string"),
        ("amount ≥ 1", "1:8: unexpected '≥'; write >="),
        ("flag AND amount > 1", "1:6: unexpected 'AND'; write && for and"),
        ("amount in (1, 2)", "1:13: unexpected ','; write a list in [ ]: in [1, 2]"),
        ("amount > 1,000", "1:11: unexpected ','; write a number without commas, and a list in [ ]"),
        ("(amount > 1", "1:12: a bracket '(' is not closed; write ')' where it ends"),
        ("if flag", "1:1: unexpected 'if'; write CONDITION ? A : B for if"),
        (
            'flag &&\n country == "x',
            "2:13: the text in quotes does not end; close the quote on the same line",
        ),
        ('country == "x\n', "1:12: the text in quotes does not end; close the quote on the same line"),
        ("age > 99999999999999999999", "1:7: a whole number beyond 64 bits; write it with .0 at its end"),
        (
            "at > '2026-01-01'",
            (
                "1:4: cannot compare timestamp with string by '>'; "
                "write a moment as timestamp('2026-11-01T00:00:00Z')"
            ),
        ),
        (
            "flag == 1",
            (
                "1:6: cannot compare bool with int by '=='; "
                "a bool is true or false, and a condition by itself: x or !x"
            ),
        ),
        (
            "contains(country, 'x')",
            "1:1: 'contains' is not called like this; write it after the text: memo.contains('x')",
        ),
        (
            "country == FR",
            (
                "1:12: unknown field 'FR'; text goes in quotes: 'FR'; "
                "known: age, amount, at, codes, country, embargoed, flag, scores.fraud"
            ),
        ),
        (
            "country in known",
            (
                "1:12: unknown field 'known'; "
                "known: age, amount, at, codes, country, embargoed, flag, scores.fraud"
            ),
        ),
        ("scores > 1", "1:1: unknown field 'scores'; known: scores.fraud"),
        ("", "1:1: the expression is empty"),
        ("country == '\0'", "1:13: a character that no text may hold (NUL, or half a surrogate pair)"),
        ("country == '\ud800'", "1:13: a character that no text may hold (NUL, or half a surrogate pair)"),
    ],
)
def test_errors_say_where_and_what_to_try(text: str, problem: str) -> None:
    """An error stands at its line and column, counted in characters, and says what to try."""
    assert problems(text)[0] == problem


def test_timestamps_are_written_in_full() -> None:
    """A timestamp that is none is refused where it stands, with an example of one."""
    for written in (
        "2026-11-01",
        "2026-13-01T00:00:00Z",
        "2026-11-01T00:00:00",
    ):
        (problem,) = problems(f"at > timestamp('{written}')")
        assert problem.startswith("1:16: not a timestamp to the microsecond:")
        assert problem.endswith("write it as timestamp('2026-11-01T00:00:00Z')")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("proposed == 'aprove'", "1:13: 'proposed' is never 'aprove'; did you mean 'approve'?"),
        ("'x' != channel", "1:1: 'channel' is never 'x'; known: chip, online"),
        ("channel in ['chip', 'onlin']", "1:21: 'channel' is never 'onlin'; did you mean 'online'?"),
    ],
)
def test_a_text_that_a_variable_never_holds_is_refused(text: str, said: str) -> None:
    """Where a field's values or the outcomes are known, comparing with another text is a slip."""
    checker = Checker(
        [
            Variable("proposed", "string", values=("approve", "review")),
            Variable("channel", "string", values=("chip", "online")),
            Variable("memo", "string"),
        ]
    )
    with pytest.raises(ExpressionProblems, match=re.escape(said)):
        checker.check(text)
    checker.check("proposed == 'review' && channel in ['chip', null] && memo == 'aprove' && channel == memo")


def test_one_mistake_is_one_problem() -> None:
    """What follows from a mistake is not told beside it."""
    said = "1:14: this double is never missing; comparing it with null has no meaning"
    assert problems("scores.fraud == null ? flag : amount > 1") == [said]


def test_all_problems_come_at_once() -> None:
    """Every unknown name and every mismatch of an expression is reported, in the order of the text."""
    assert [problem.split(":")[1] for problem in problems("agee > 1 && country > 5 && flaag")] == [
        "1",
        "21",
        "28",
    ]


@pytest.mark.parametrize(
    "text",
    [
        "(" * 9_000 + "1" + ")" * 9_000,
        "+".join(["age"] * 4_000) + " > 1",
        "[" * 9_000 + "]" * 9_000,
        "".join(f"age == {i} ? flag : " for i in range(900)) + "flag",
        "size(string(" * 800 + "age" + "))" * 800,
    ],
)
def test_deep_nesting_is_an_error(text: str) -> None:
    """An expression nested thousands deep is refused in words."""
    assert "nested too deeply" in problems(text)[0] or "unexpected" in problems(text)[0]


def test_signs_in_a_row_cancel() -> None:
    """CEL takes pairs of ! and - away, however many there are."""
    assert CHECKER.check("!" * 19_000 + "flag").node == Name("flag", "bool")


def test_long_texts_are_refused() -> None:
    """An expression longer than the limit is refused before it is parsed."""
    (problem,) = problems("flag && " * MAX_CHARACTERS + "flag")
    assert f"at most {MAX_CHARACTERS:,} are read" in problem


def test_long_chains_check() -> None:
    """CEL balances chains of && and ||: thousands of terms are fine."""
    assert CHECKER.check(" && ".join(f"age != {i}" for i in range(1_400))).type == "bool"


def test_decode_checks_names_against_the_schema() -> None:
    """Bytes that name a field of another type, or none of ours, are refused."""
    checked = CHECKER.check("amount > 1").checked
    assert decode("amount > 1", checked, {"amount": "double"}).variables == {"amount"}
    for variables in ({"amount": "string"}, {}):
        with pytest.raises(UnreadableExpression, match="no double named 'amount'"):
            decode("amount > 1", checked, variables)


def test_every_cut_of_the_bytes_is_refused_or_read() -> None:
    """Truncated, flipped or foreign bytes give UnreadableExpression, never another error."""
    checked = CHECKER.check(
        "country.matches('^a') && amount in [1, age] || at > timestamp('2026-11-01T00:00:00Z')"
    ).checked
    attacks = [checked[:cut] for cut in range(len(checked))]
    attacks += [
        checked[:i] + bytes([checked[i] ^ bit]) + checked[i + 1 :]
        for i in range(len(checked))
        for bit in (1, 2, 16, 128)
    ]
    attacks += [b"\xff" * 100, b"\x22" * 5_000, b"\x22\x00", checked * 2]
    for attack in attacks:
        try:
            expression = decode("", attack)
        except UnreadableExpression:
            continue
        assert expression.type in (*TYPES, "null")


def test_flipped_bits_of_foreign_parts_are_refused_or_evaluated() -> None:
    """What a bundle hands to the runtime is refused, or has a value of its type, or none."""
    text = (
        "country.split(',').map(x, x + 'é').exists(x, x in {'a': 1u, country: 2u}) && size(b'a\\xff') < age"
    )
    checked = CHECKER.check(text).checked
    random = Random(3)
    read = 0
    for _ in range(1_500):
        attack = bytearray(checked)
        for _ in range(random.choice((1, 1, 2, 3))):
            attack[random.randrange(len(attack))] ^= 1 << random.randrange(8)
        try:
            expression = decode("", bytes(attack))
        except UnreadableExpression:
            continue
        read += 1
        expression = express("", expression.node)
        values = dict.fromkeys(expression.variables, "a,b") | {"age": 3}
        assert reference.evaluate(expression, values, {name: [] for name in expression.lists}) in (
            True,
            False,
            None,
            reference.UNKNOWN,
        )
    assert read > 100


def test_hostile_depth_is_refused() -> None:
    """A message nested thousands deep is refused, not followed."""
    from rules import wire

    expression = wire.block(3, wire.constant("bool", True))
    for _ in range(5_000):
        expression = wire.block(6, wire.block(2, b"!_") + wire.block(3, expression))
    with pytest.raises(UnreadableExpression, match="deep"):
        decode("", wire.block(4, expression))


def test_problems_show_the_line_and_a_caret() -> None:
    """A problem prints its place, its hint, and the line with a caret under the column, tabs kept."""
    problem = Problem(
        "rules/loan.yaml", 14, 9, "unknown field 'incme'", "did you mean 'income'?", "\twhen:  incme > 1"
    )
    assert str(problem) == (
        "rules/loan.yaml:14:9: unknown field 'incme'; did you mean 'income'?\n"
        "    \twhen:  incme > 1\n"
        "    \t       ^"
    )
    later = Problem("rules/loan.yaml", 20, 1, "second")
    assert str(CheckFailed([later, problem])).splitlines()[-1] == "rules/loan.yaml:20:1: second"


def test_nearest_suggests_or_lists() -> None:
    """A near name is suggested; otherwise what there is is listed, not without end."""
    assert nearest("incme", ["income", "age"]) == "did you mean 'income'?"
    assert nearest("INCOME", ["income", "age"]) == "did you mean 'income'?"
    assert nearest("zzz", ["b", "a"]) == "known: a, b"
    assert nearest("zzz", [f"name{i:02}" for i in range(40)]).endswith("… (40 in all)")
    assert nearest("zzz", []) == ""
