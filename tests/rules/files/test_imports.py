"""What is imported when: a bundle is opened and decides without a CEL compiler, protobuf or pandas."""

from __future__ import annotations

import subprocess
import sys

import rules

OPENED = """
import sys
import rules
heavy = ("cel_expr_python", "google.protobuf", "pandas", "torch", "sklearn", "onnxruntime", "typer", "rich")
assert not [name for name in heavy if name in sys.modules], "import rules"
files = {"rules/a.yaml": b"rules: [{id: a, when: amount > 10, decide: block}]"}
kept = {"rules": {"a": {"when": "amount > 10", "checked": CHECKED}}}
checked = rules.restore_rules(files, {}, kept, scores=["fraud"], outcomes=["block"])
verdict = rules.RuleSet.compile(checked).after({"amount": 11.0, "scores.fraud": 0.5, "proposed": "block"})
assert verdict.decided_by == "a"
print([name for name in heavy if name in sys.modules])
"""


def test_serving_needs_no_compiler(check) -> None:
    """A fresh process restores rules and decides without importing anything heavy."""
    kept = check("rules: [{id: a, when: amount > 10, decide: block}]").expressions()["rules"]["a"]
    program = OPENED.replace("CHECKED", repr(kept["checked"]))
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("[]\n", "")


def test_all_is_what_is_exported() -> None:
    """`__all__` is sorted, and each of its names is there."""
    assert rules.__all__ == sorted(rules.__all__)
    assert all(hasattr(rules, name) for name in rules.__all__)
