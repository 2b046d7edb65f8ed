"""`tandem show`: what a bundle is, where it comes from and how good it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from engine.cli.options import HERE, AsJson, BundleArgument, ProjectDir

if TYPE_CHECKING:
    from engine.bundle import Bundle
    from rules.checked_rules import CheckedRule
    from rules.checked_tables import CheckedTable


def command(ref: BundleArgument = None, project: ProjectDir = HERE, as_json: AsJson = False) -> None:
    """Show a bundle: lineage, parts, classifiers and the candidates they won against, rules, evaluation."""
    from engine.cli.console import say_json
    from engine.cli.target import find_bundle

    bundle = find_bundle(ref, project)
    described = _described(bundle)
    if as_json:
        return say_json(described)
    return _print(described)


def _described(bundle: Bundle) -> dict[str, Any]:
    from engine.reasons import REASONS
    from engine.runtime import Runtime

    runtime = Runtime.open(bundle)
    checked, references = runtime.rules.checked, runtime.model.references
    return {
        "digest": bundle.digest,
        "created": bundle.manifest.created.isoformat(timespec="seconds"),
        "lineage": dict(bundle.lineage),
        "parts": {
            name: {"sha256": part.sha256, "size": part.size} for name, part in bundle.manifest.parts.items()
        },
        "outcomes": bundle.json("schema.json")["outcomes"],
        "classifiers": bundle.json("model/scores.json").get("classifiers", []),
        "reasons": bundle.json(REASONS) if REASONS in bundle.parts else {},
        "references": {
            "rows": 0 if references is None else len(references),
            "walked_twice": 0 if references is None else len(references.orders) - len(references),
        },
        "rules": [_rule(rule) for rule in checked.rules],
        "tables": [_table(table) for table in checked.tables],
        "evaluation": bundle.json("evaluation.json") if "evaluation.json" in bundle.parts else None,
    }


def _rule(checked: CheckedRule) -> dict[str, Any]:
    rule = checked.rule
    return {
        "id": rule.id,
        "file": checked.document.file,
        "stage": rule.stage,
        "mode": rule.mode,
        "when": rule.when,
        "does": rule.effect,
    }


def _table(checked: CheckedTable) -> dict[str, Any]:
    table = checked.table
    return {
        "id": table.id,
        "file": table.file or checked.document.file,
        "stage": table.stage,
        "mode": table.mode,
        "hit_policy": table.hit_policy,
        "inputs": [one.text for one in checked.inputs],
        "rows": len(table.rows),
    }


def _print(described: dict[str, Any]) -> None:
    from engine.cli.console import heading, say, say_table
    from engine.evaluation.report import render

    lineage = described["lineage"]
    say(f"bundle   {described['digest']}")
    say(f"created  {described['created']} by {lineage.get('made_by', 'unknown')}")
    say(f"parent   {lineage.get('parent') or '–'}")
    for name, version in (lineage.get("data") or {}).items():
        say(f"{name:8} {version}")
    heading("Parts")
    parts = described["parts"].items()
    say_table(
        ("part", "bytes", "sha256"), [(name, part["size"], part["sha256"][:12]) for name, part in parts]
    )
    heading("Classifiers")
    rows = [
        (one.get("name"), one.get("label"), one.get("kind"), ", ".join(one.get("scores", ())))
        for one in described["classifiers"]
    ]
    say_table(("classifier", "label", "chosen", "scores"), rows)
    _print_reasons(described)
    heading("Rules")
    rules = [
        (rule["id"], rule["stage"], rule["mode"], rule["does"], rule["file"]) for rule in described["rules"]
    ]
    say_table(("rule", "stage", "mode", "does", "file"), rules)
    if described["tables"]:
        heading("Tables")
        tables = [
            (
                *(one[key] for key in ("id", "stage", "mode", "hit_policy")),
                f"{one['rows']:,}",
                ", ".join(one["inputs"]),
                one["file"],
            )
            for one in described["tables"]
        ]
        say_table(("table", "stage", "mode", "hit policy", "rows", "by", "file"), tables)
    heading("Evaluation")
    if described["evaluation"] is None:
        say("not evaluated: its rules were edited live; 'tandem evaluate BUNDLE DATA' evaluates it")
    else:
        say(render(described["evaluation"]).rstrip())


def _print_reasons(described: dict[str, Any]) -> None:
    """The reason codes, and the rows that explanations hold a record against."""
    from engine.cli.console import heading, say, say_table

    if described["reasons"]:
        heading("Reason codes")
        rows = []
        for name, stated in described["reasons"].items():
            fields: dict[str, list[str]] = {}
            for field, code in stated["codes"].items():
                fields.setdefault(code, []).append(field)
            rows += [(name, stated["adverse"], code, ", ".join(named)) for code, named in fields.items()]
        say_table(("classifier", "adverse", "code", "of"), rows)
    kept, twice = described["references"]["rows"], described["references"]["walked_twice"]
    if kept:
        say(f"explanations hold a record against {kept:,} training rows, {twice:,} of them walked twice")
    else:
        say("no reference rows are kept: explanations tell of no fields ('data: references' in project.yaml)")
