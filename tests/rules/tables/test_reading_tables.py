"""Tables in rule files and CSV: hit policies, ids, effects, tests; what is wrong, with place; bad input."""

from __future__ import annotations

import time
from datetime import UTC, datetime

import pytest

from rules.analysis import analyse
from rules.cases import run_cases
from rules.cell_reader import read_cell
from rules.errors import CheckFailed
from rules.ruleset import RuleSet
from tests.rules.tables.small import DAY, START, batch, check, fired, whole

CSV = "tables:\n  - {id: t, hit_policy: first, inputs: [tier, amount], file: lists/t.csv}\n"


def problems(text: str, data: bytes | None = None) -> str:
    """Give everything that is wrong."""
    with pytest.raises(CheckFailed) as caught:
        check(text, {} if data is None else {"lists/t.csv": data})
    return str(caught.value)


def policy(name: str, **more: str) -> str:
    """Write a table of overlapping rows."""
    keys = "".join(f"    {key}: {value}\n" for key, value in more.items())
    return f"""tables:
  - id: t
    hit_policy: {name}
    inputs: [amount]
{keys}    rows:
      - {{id: low, amount: "> 1", decide: approve, priority: 1, reason: LOW}}
      - {{id: mid, amount: "> 2", decide: block, priority: 3, reason: MID}}
      - {{id: high, amount: "> 3", decide: review, priority: 2, reason: HIGH}}
"""


def test_hit_policies() -> None:
    """first: the first that holds; priority: the highest; collect and unique: all."""
    assert fired(policy("first"), {"amount": 5.0}) == ("t.low",)
    assert fired(policy("priority"), {"amount": 5.0}) == ("t.mid",)
    assert fired(policy("collect"), {"amount": 5.0}) == ("t.low", "t.mid", "t.high")
    assert fired(policy("collect"), {"amount": 0.0}) == ()


def test_two_rows_of_a_unique_table_are_a_violation() -> None:
    """The most severe outcome decides, and a reason says that several did."""
    rules = RuleSet.compile(check(policy("unique")))
    verdict = rules.after(whole({"amount": 2.5}))
    assert (verdict.outcome, verdict.decided_by) == ("block", "t.mid")
    assert verdict.reasons == ("MID", "LOW", "HIT_POLICY_UNIQUE_VIOLATED")
    assert rules.after_batch(batch([whole({"amount": 2.5})])).violations == 1


def test_a_row_that_only_tags_violates_nothing() -> None:
    """Both rows fire, one of them decides: no word of a violation, though check reports the overlap."""
    text = policy("unique").replace("decide: block, priority: 3, reason: MID", "tag: marked, reason: MID")
    verdict = RuleSet.compile(check(text)).after(whole({"amount": 2.5}))
    assert (verdict.outcome, verdict.fired, verdict.tags) == ("approve", ("t.low", "t.mid"), ("marked",))
    assert verdict.reasons == ("LOW", "MID")
    assert "table-overlap" in {one.code for one in analyse(check(text)).findings}


def test_what_a_missing_value_means() -> None:
    """skip names the rows left open, fire takes them for holding, review asks for review."""
    skip, fire, review = (
        RuleSet.compile(check(policy("first", on_unknown=word))).after(whole({}))
        for word in ("skip", "fire", "review")
    )
    assert (skip.outcome, skip.unknown) == (None, ("t.low", "t.mid", "t.high"))
    assert (fire.outcome, fire.fired) == ("approve", ("t.low",))
    assert (review.outcome, review.fired, review.unknown) == ("review", ("t.low",), ("t.low",))


def test_a_table_stands_after_the_rules_of_its_file() -> None:
    """With hit policy first a rule wins over a row; with priority the higher one does."""
    rule = "rules: [{id: r, when: amount > 0, decide: approve, priority: 2}]\n"
    first = RuleSet.compile(check(rule + policy("first"))).after(whole({"amount": 5.0}))
    assert (first.decided_by, first.fired) == ("r", ("r", "t.low"))
    prior = RuleSet.compile(check("hit_policy: priority\n" + rule + policy("priority")))
    assert prior.after(whole({"amount": 5.0})).decided_by == "t.mid"


def test_rows_do_what_the_table_says_unless_they_say_otherwise() -> None:
    """decide, tag and reason of a table are its rows', where these have none."""
    text = """tables:
  - id: t
    inputs: [tier]
    decide: review
    reason: TIER
    mode: enforce
    rows:
      - {id: a, tier: a}
      - {id: b, tier: b, decide: block, reason: OTHER}
      - {id: c, tier: c, cap: {fraud: 0.2}}
"""
    rules = RuleSet.compile(check(text))
    a, b, c = (rules.after(whole({"tier": tier})) for tier in "abc")
    assert (a.outcome, a.reasons) == ("review", ("TIER",))
    assert (b.outcome, b.reasons) == ("block", ("OTHER",))
    assert (c.outcome, c.adjusted, c.adjusted_by) == (None, {"fraud": 0.2}, "t.c")


def test_a_row_is_a_rule() -> None:
    """It has an id, a condition in CEL, an owner, an effect."""
    rule = check(policy("first", owner="risk-ops")).rule("t.mid").rule
    assert (rule.id, rule.when, rule.owner, rule.effect) == (
        "t.mid",
        "amount > 2",
        "risk-ops",
        "decide block",
    )


def test_rows_without_an_id_are_named_by_their_cells() -> None:
    """The name stays when rows move."""
    one = check(CSV, {"lists/t.csv": b"tier,amount,decide\na,> 1,block\nb,> 2,block\n"}).tables[0]
    other = check(CSV, {"lists/t.csv": b"tier,amount,decide\nc,,block\nb,> 2,block\na,> 1,block\n"}).tables[0]
    assert one.ids == (other.ids[2], other.ids[1])


@pytest.mark.parametrize("data", [
    b"\xef\xbb\xbfid,tier,amount,decide\r\nr1,gold,> 5,block\r\n,,,\r\n",
    b'id,tier,amount,decide\n"r1","gold","> 5","block"\n\n',
    b'id,tier,amount,decide\nr1, gold , >5 ,block',
])  # fmt: skip
def test_a_csv_file_as_spreadsheets_write_it(data: bytes) -> None:
    """A BOM, CRLF, quotes, blanks and empty rows are no trouble."""
    table = check(CSV, {"lists/t.csv": data}).tables[0]
    assert [table.ids, table.text(0)] == [("t.r1",), "tier == 'gold' && amount > 5"]


def test_everything_wrong_in_a_csv_file_is_told_with_its_place() -> None:
    """File, line and column of the cell, the line, a caret, a hint."""
    data = b'id,tier,amount,decide\nr1,"a, b",> x,block\nr1,\'a,1,blok\nr3,a,5%,\n'
    assert (
        problems(CSV, data)
        == """lists/t.csv:2:13: a number is needed, got 'x'
    r1,"a, b",> x,block
                ^
lists/t.csv:3:1: the row 'r1' is there twice; first on line 2
    r1,'a,1,blok
    ^
lists/t.csv:3:4: the text in quotes does not end; close the quote
    r1,'a,1,blok
       ^
lists/t.csv:3:9: unknown outcome 'blok'; did you mean 'block'?
    r1,'a,1,blok
            ^
lists/t.csv:4:1: the row does nothing; give it one of: decide, cap, floor, tag
    r3,a,5%,
    ^
lists/t.csv:4:6: a number is needed, got '5%'; write it in digits, as 1000 or 0.5
    r3,a,5%,
         ^"""
    )


def test_everything_wrong_in_a_rule_file_is_told_with_its_place() -> None:
    """Keys, inputs, rows and cells."""
    text = """tables:
  - id: t
    hit_policy: any
    inputs: [tier, amout, {name: priority, value: count}]
    rows:
      - {id: a, tier: "'x", colour: red, decide: block}
      - {id: a, amout: "> 1", decide: bloc, cap: {fraud: 2}}
    tests:
      - {given: {tier: x}, expect: z}
"""
    told = problems(text)
    for line in (
        "rules/t.yaml:3:17: 'hit_policy' must be one of first, unique, priority, collect, got 'any'",
        "rules/t.yaml:4:20: unknown field 'amout'; did you mean 'amount'?",
        "rules/t.yaml:4:51: an input cannot be called 'priority'",
        "rules/t.yaml:6:29: unknown key 'colour'",
        "rules/t.yaml:6:24: the text in quotes does not end",
        "rules/t.yaml:7:14: the row 'a' is there twice; first on line 6",
        "rules/t.yaml:7:39: unknown outcome 'bloc'",
        "rules/t.yaml:7:45: a row has one effect, and this one has 'decide' and 'cap'",
        "rules/t.yaml:9:36: the table 't' has no row and no outcome 'z'",
    ):
        assert line in told


@pytest.mark.parametrize(("data", "told"), [
    (None, "rules/t.yaml:2:62: the table file 'lists/t.csv' does not exist"),
    (b"", "lists/t.csv:1:1: the file has no header"),
    (b"id;tier;amount;decide\nr1;a;1;block\n", "lists/t.csv:1:1: the cells are separated by semicolons"),
    (b"id\ttier\tamount\n", "lists/t.csv:1:1: the cells are separated by tabs"),
    (b"id,tier,amont,decide\nr1,a,1,block\n", "lists/t.csv:1:9: unknown column 'amont'; did you mean"),
    (b"id,tier,tier,amount\nr1,a,1,block\n", "lists/t.csv:1:9: the column 'tier' is there twice"),
    (b"id,tier,amount,decide\n", "lists/t.csv:1:1: the table has no rows"),
    (b"id,tier,amount,decide\nr1,a,1\n", "lists/t.csv:2:1: 3 cells, and the header has 4"),
    (b"id,tier,amount,decide\nr1,a,1,2,block\n", "lists/t.csv:2:1: 5 cells, and the header has 4; quote"),
    (b'id,tier,amount,decide\nr1,"a"b,1,block\n', "lists/t.csv:2:1: not CSV"),
    (b"id,tier,amount,decide\nr1,\xff,1,block\n", "lists/t.csv:2:4: not UTF-8"),
    (b"id,tier,amount,decide\nr1,a\0b,1,block\n", "lists/t.csv:2:5: character U+0000 is not read"),
    (b"id,tier,amount,decide,priority\nr1,a,1,block,high\n", "lists/t.csv:2:14: 'priority' must be"),
    (b"id,tier,amount,cap.fraud\nr1,a,1,2\n", "lists/t.csv:2:8: 'cap.fraud' must be a number from 0 to 1"),
    (b"id,tier,amount,cap.fruad\nr1,a,1,0.2\n", "lists/t.csv:2:8: unknown score 'fruad'"),
    (b"id,tier,amount,decide\n" + b"r1,a,x,block\n" * 30, "lists/t.csv:2:6: a number is needed, got 'x'"),
    (b"x" * 100_000_000, "lists/t.csv:1:1: 100,000,000 bytes, and a file holds at most"),
    (b"id,tier,amount," + b",".join(b"c%d" % n for n in range(10_001)), "10,004 columns; at most 200"),
    (b"id,tier,amount,decide\nr1," + b"x" * 1_000_000 + b",1,block\n", "lists/t.csv:2:1: not CSV: field"),
    (b"id,tier,amount,decide\n" + b"r1,a,1,block\n" * 200_000, "lists/t.csv:50002:1: more than 50,000 rows"),
])  # fmt: skip
def test_bad_files_are_refused_at_once(data: bytes | None, told: str) -> None:
    """With the place, and within a second or so."""
    start = time.perf_counter()
    assert told in problems(CSV, data)
    assert time.perf_counter() - start < 10  # a second at a desk; no more than a guard against hanging


@pytest.mark.parametrize(
    "path", ["../t.csv", "lists/../../t.csv", "/etc/passwd", "rules/t.csv", "lists/a\\b.csv"]
)
def test_a_table_file_stays_in_the_lists_folder(path: str) -> None:
    """Whatever the rule file says."""
    assert f"'{path}'" in problems(f"tables: [{{id: t, inputs: [tier], file: '{path}', decide: block}}]")


def test_ids_are_taken_once() -> None:
    """Of rules, tables and rows together."""
    rule = "rules: [{id: t.low, when: amount > 1, decide: block}]\n"
    assert "the id 't.low', of a row of this table, is taken" in problems(rule + policy("first"))
    assert "the id 't' is taken" in problems(rule.replace("t.low", "t") + policy("first"))


def test_inline_tests_of_a_table() -> None:
    """A test names the row, what it decides, or neither; what fails says what came."""
    tests = """
      - {given: {amount: 1.5}, expect: low}
      - {given: {amount: 1.5}, expect: approve}
      - {given: {amount: 1.5}, expect: fire}
      - {given: {amount: 0}, expect: none}
      - {given: {}, expect: unknown}
      - {given: {amount: 5}, expect: high}
      - {given: {}, expect: mid}"""
    failed = run_cases(check(policy("first") + f"    tests:{tests}\n"))
    assert [problem.message for problem in failed] == [
        "test of 't' failed: expected high, got low, approve, fire",
        "test of 't' failed: expected mid, got unknown",
    ]
    assert failed[1].hint == "missing here: amount"
    assert "has no row and no outcome 'z'" in problems(
        policy("first") + "    tests: [{given: {amount: 1}, expect: z}]\n"
    )


def test_a_table_before_the_model_sees_no_scores() -> None:
    """As a rule of that stage does not."""
    rows = "rows: [{id: a, scores.fraud: '> 1', tag: x}]"
    text = f"tables: [{{id: t, stage: before, inputs: [scores.fraud], {rows}}}]"
    assert "cannot use 'scores.fraud': the model has not run yet" in problems(text)


def test_of_many_problems_of_a_file_the_first_are_told_and_the_others_counted() -> None:
    """The twentieth says how many more there are."""
    data = b"id,tier,amount,decide\n" + b"".join(b"r%d,a,5%%,block\n" % row for row in range(50))
    told = problems(CSV, data)
    assert told.count("a number is needed") == 20
    assert "lists/t.csv:21:" in told
    assert told.count("and 30 more like it below") == 1


def test_a_name_mistyped_once_is_told_once() -> None:
    """In the header or among the inputs; nothing follows from it about rows and tests."""
    header = b"id,tier,amuont,decide\nr1,a,1,block\nr2,a,2,block\n"
    told = problems(CSV, header)
    assert told.splitlines()[0] == "lists/t.csv:1:9: unknown column 'amuont'; did you mean 'amount'?"
    assert told.count(".csv:") == 1
    told = problems(CSV.replace("amount", "amuont"), header.replace(b"amuont", b"amount"))
    assert told.splitlines()[0] == "rules/t.yaml:2:47: unknown field 'amuont'; did you mean 'amount'?"
    assert told.count("unknown") == 1


REACH = """tables:
  - id: t
    inputs: [tier]
    rollout: {percent: 50, key: amount}
    except: [{colour: red, owner: o, reason: r, expires: 2026-02-01}]
    effective: {from: 2026-01-05, until: 2026-01-01}
    rows: [{id: r, tier: a, decide: block, effective: {form: 2026-01-01}}]
"""


def test_what_is_wrong_with_the_reach_of_a_table_is_told() -> None:
    """Its rollout, exceptions and periods, and those of its rows."""
    with pytest.raises(CheckFailed) as caught:
        check(REACH, event_time="at")
    told = str(caught.value)
    for line in (
        "rules/t.yaml:4:33: the key of a rollout must be text or a whole number, and 'amount' is a double",
        "rules/t.yaml:5:15: unknown field 'colour'",
        "rules/t.yaml:6:42: 'from' is not before 'until'",
        "rules/t.yaml:7:56: unknown key 'form'; did you mean 'from'?",
    ):
        assert line in told
    without = REACH.replace("2026-01-05", "2025-01-05").replace("form:", "from:")
    assert "'effective' goes by the event's time, and no field is said to hold it" in problems(without)


def test_periods_in_a_csv_file() -> None:
    """A row's own period stands in two columns; a row without one has the table's."""
    text = CSV.replace("file:", "effective: {until: 2026-01-03}, file:")
    data = (
        b"id,tier,amount,decide,effective.from,effective.until\n"
        b"a,-,-,block,2026-01-02,2026-01-05\nb,-,-,review,,\n"
    )
    rules = RuleSet.compile(check(text, {"lists/t.csv": data}, event_time="at"))
    fired_on = {day: rules.after(whole({"at": moment(day)})).fired for day in (1, 2, 4, 6)}
    assert fired_on == {1: ("t.b",), 2: ("t.a",), 4: ("t.a",), 6: ()}
    wrong = data.replace(b"2026-01-05", b"2025").replace(b"review,,", b"review,2026-01-02,2026-01-01")
    with pytest.raises(CheckFailed) as caught:
        check(text, {"lists/t.csv": wrong}, event_time="at")
    first, second = map(str, caught.value.problems)
    assert first.startswith("lists/t.csv:2:24: 'effective.until' must be a day as 2026-11-01")
    assert second.startswith("lists/t.csv:3:25: 'effective.from' is not before 'effective.until'")


def moment(day: int) -> int:
    """Give the first moment of a day of January 2026."""
    return START + (day - 1) * DAY


def test_cells_of_durations_and_networks() -> None:
    """A duration needs its units; a network is looked up in a list, and is not a text by accident."""
    table = """lists:
  nets: {file: lists/nets.txt, type: cidr}
tables:
  - id: t
    inputs: [tier, amount, {name: span, value: at - timestamp('2026-01-01T00:00:00Z')}]
    rows: [{id: r, tier: CELL, amount: "-", span: SPAN, decide: block}]
"""
    net = {"lists/nets.txt": b"10.0.0.0/8\n"}

    def told(tier: str, span: str) -> str:
        with pytest.raises(CheckFailed) as caught:
            check(table.replace("CELL", tier).replace("SPAN", span), net)
        return str(caught.value)

    assert check(table.replace("CELL", "in nets").replace("SPAN", '"(1h..36h]"'), net)
    assert "'10.0.0.0/8' would be compared as text; put networks in a list of type cidr" in told(
        "10.0.0.0/8", "36h"
    )
    assert "a duration as 36h or 1h30m is needed, got '36'; give each number its unit" in told("a", "36")
    assert "not a duration: '1x'; as 36h or 1h30m" in told("a", "duration('1x')")
    assert "finer than a microsecond" in told("a", "1ns")
    networks_of_amounts = table.replace("CELL", "a").replace("SPAN", "36h").replace('"-"', "in nets")
    with pytest.raises(CheckFailed, match="a double is no IP address"):
        check(networks_of_amounts, net)


def test_a_list_that_only_a_table_s_exception_uses_is_used() -> None:
    """Exceptions of tables count as uses, and those that have expired are told."""
    text = """lists:
  cleared: [a]
tables:
  - id: t
    owner: o
    inputs: [amount]
    except: [{when: tier in cleared, owner: ops, reason: r, expires: 2026-01-02}]
    rows: [{id: r, amount: "> 1", decide: block}]
    tests:
      - {given: {amount: 2}, expect: r}
      - {given: {amount: 2, tier: a, at: "2026-01-01"}, expect: suppressed}
"""
    checked = check(text, event_time="at")
    assert not run_cases(checked)
    found = analyse(checked, now=datetime(2026, 2, 1, tzinfo=UTC)).findings
    assert [(one.code, one.line) for one in found if one.code in ("unused-list", "expired")] == [
        ("expired", 7)
    ]


@pytest.mark.parametrize(("cell", "said"), [
    ("5 - 10", "write an interval as [5..10]"),
    ("5..10", "write an interval as [5..10]"),
    ("between 5 and 10", "write an interval as [5..10]"),
    ("> 5 && < 10", "write an interval as [5..10] or (5..10)"),
    ("=> 5", "write >= 5"),
    ("1,000,000", "write a number without commas"),
    ("any", "write - for any value"),
    ("*", "write - for any value"),
])  # fmt: skip
def test_habits_of_other_rule_tables_are_told(cell: str, said: str) -> None:
    """What spreadsheets and other tools write for a number."""
    text = f"tables:\n  - {{id: t, inputs: [amount], rows: [{{id: r, amount: '{cell}', decide: block}}]}}\n"
    assert said in problems(text)


def test_bare_text_that_seems_to_list_is_refused() -> None:
    """In an edit: what a bundle holds is restored as it was."""
    text = "tables:\n  - {id: t, inputs: [tier], rows: [{id: r, tier: CELL, decide: block}]}\n"
    assert "'a | b' would be one text; separate values by commas, or quote it" in problems(
        text.replace("CELL", "a | b")
    )
    assert check(text.replace("CELL", "\"'a | b'\"")).tables[0].text(0) == "tier == 'a | b'"
    assert read_cell("a | b", "string", wary=False) == read_cell("'a | b'", "string")


def test_rows_of_a_table_without_inputs_are_not_judged() -> None:
    """A mistyped `inputs` is told, and nothing of its rows."""
    text = "tables:\n  - {id: t, input: [tier], rows: [{tier: a, decide: block}, {tier: b, decide: block}]}\n"
    assert problems(text).split("\n")[0].endswith("unknown key 'input'; did you mean 'inputs'?")
    assert problems(text).count("rules/t.yaml:") == 1
