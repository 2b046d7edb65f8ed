"""fit, list, show, promote, rollback, log and diff on a small project."""

from __future__ import annotations

import json
from pathlib import Path

from engine.lifecycle.registry import Registry
from tests.engine.cli.conftest import RULES, Run


def refit(project: Path, run: Run) -> str:
    """Change one threshold, fit again; gives the new digest."""
    (project / "rules" / "loans.yaml").write_text(RULES.replace("age < 25", "age < 30"))
    code, out, _ = run("fit", project, "--json")
    assert code == 0
    fitted = json.loads(out)
    assert fitted["model_reused"]
    return str(fitted["digest"])


def test_fit_makes_an_evaluated_bundle_named_latest(fitted: Path) -> None:
    """The bundle is in the registry, with its evaluation and the reason given."""
    registry = Registry(fitted / "registry")
    bundle = registry.get("latest")
    assert set(bundle.json("evaluation.json")["ways"]) == {"model", "filters", "together"}
    (entry,) = registry.log()
    assert (entry.action, entry.name, entry.after, entry.why) == ("fitted", "latest", bundle.digest, "first")


def test_fitting_the_same_again_gives_the_same_digest(project: Path, run: Run) -> None:
    """Nothing changed: the model is reused and the bundle is the one that is there."""
    before = Registry(project / "registry").resolve("latest")
    code, out, _ = run("fit", project, "--json")
    assert code == 0
    assert json.loads(out)["digest"] == before
    assert json.loads(out)["new"] is False


def test_promote_and_rollback_move_the_champion_and_say_from_where_to_where(project: Path, run: Run) -> None:
    """Two promotions and a rollback: the first bundle is champion again, and the log has all of it."""
    first = Registry(project / "registry").resolve("latest")
    assert run("promote", "--project", project, "--why", "one")[0] == 0
    second = refit(project, run)
    code, out, _ = run("promote", "latest", "--project", project, "--why", "two")
    assert (code, out) == (0, f"champion → {second[7:19]} (was {first[7:19]})\n")
    code, out, err = run("rollback", "--project", project, "--why", "no")
    assert (code, out) == (0, f"champion → {first[7:19]} (was {second[7:19]})\n")
    assert "not the ones in this bundle" in err
    code, out, _ = run("log", "--project", project, "--json", "--name", "champion")
    entries = json.loads(out)["entries"]
    assert [entry["why"] for entry in entries] == ["no", "two", "one"]
    assert (entries[0]["from"], entries[0]["to"]) == (second, first)


def test_promoting_what_is_champion_already_changes_nothing(project: Path, run: Run) -> None:
    """Said, not journaled again."""
    run("promote", "--project", project)
    entries = len(Registry(project / "registry").log())
    code, out, _ = run("promote", "--project", project)
    assert code == 0
    assert "already" in out
    assert len(Registry(project / "registry").log()) == entries


def test_rollback_of_the_first_champion_says_that_there_is_nothing_before(project: Path, run: Run) -> None:
    """Exit 1, and the champion stays."""
    run("promote", "--project", project)
    code, out, err = run("rollback", "--project", project)
    assert (code, out) == (1, "")
    assert "nothing to go back to" in err


def test_list_shows_names_parents_and_headline_figures(project: Path, run: Run) -> None:
    """One line a bundle, newest first; the same in JSON."""
    first = Registry(project / "registry").resolve("latest")
    run("promote", "--project", project)
    second = refit(project, run)
    code, out, _ = run("list", "--project", project)
    assert code == 0
    lines = out.splitlines()
    assert lines[0].split()[:2] == ["digest", "names"]
    assert lines[1].startswith(second[7:19])
    assert "latest" in lines[1]
    assert "champion" in lines[2]
    bundles = json.loads(run("list", "--project", project, "--json")[1])["bundles"]
    assert [bundle["digest"] for bundle in bundles] == [second, first]
    assert bundles[0]["parent"] == first
    assert bundles[0]["figures"]["AUC risk"] > 0.5


def test_show_prints_lineage_parts_classifiers_rules_and_evaluation(fitted: Path, run: Run) -> None:
    """Everything about a bundle on one page, candidates and all."""
    code, out, _ = run("show", "--project", fitted)
    assert code == 0
    for word in (
        "sha256:",
        "by fit",
        "model/model.onnx",
        "risk: logistic",
        "chosen",
        "young",
        "together",
        "AUC",
    ):
        assert word in out
    shown = json.loads(run("show", "latest", "--project", fitted, "--json")[1])
    assert [rule["id"] for rule in shown["rules"]] == ["refused-job", "young"]


def test_show_lists_reason_codes_and_counts_reference_rows(fitted: Path, run: Run) -> None:
    """What explanations say, and against how many rows."""
    out = run("show", "--project", fitted)[1]
    assert "INCOME_LOW" in out
    assert "explanations hold a record against 40 training rows, 8 of them walked twice" in out
    shown = json.loads(run("show", "--project", fitted, "--json")[1])
    assert shown["reasons"] == {"risk": {"adverse": "high", "codes": {"income": "INCOME_LOW"}}}
    assert shown["references"] == {"rows": 40, "walked_twice": 8}


def test_diff_shows_the_lines_of_a_changed_rule_and_the_decisions_that_change(
    project: Path, run: Run
) -> None:
    """Parts, rule lines with - and +, and with data the outcomes from → to with rows to look at."""
    run("promote", "--project", project)
    refit(project, run)
    code, out, _ = run(
        "diff", "champion", "latest", "--project", project, "--data", project / "loans.parquet"
    )
    assert code == 0
    assert "young: changed" in out
    assert "-    when: age < 25 && income < 1000" in out
    assert "+    when: age < 30 && income < 1000" in out
    assert "refused-job" not in out.split("Decisions")[0]
    shown = json.loads(
        run(
            "diff", "champion", "latest", "--project", project, "--data", project / "loans.parquet", "--json"
        )[1]
    )
    decisions = shown["decisions"]
    assert decisions["rows"] == 600
    assert decisions["changed"] == sum(move["rows"] for move in decisions["moves"]) > 0
    assert {move["to"] for move in decisions["moves"]} == {"review"}
    assert decisions["samples"][0]["to"]["decided_by"] == "young"


def test_diff_of_a_bundle_with_itself_is_empty(fitted: Path, run: Run) -> None:
    """And says so."""
    code, out, _ = run("diff", "latest", "latest", "--project", fitted)
    assert code == 0
    assert "nothing that shapes decisions differs" in out


def test_diff_names_added_and_removed_rules_and_list_entries(project: Path, run: Run) -> None:
    """A rule that is gone, one that is new, an entry that came."""
    run("promote", "--project", project)
    rules = RULES.replace("id: young", "id: youngest")
    (project / "rules" / "loans.yaml").write_text(rules)
    (project / "lists" / "refused.txt").write_text("spy\npirate\n")
    assert run("fit", project)[0] == 0
    shown = json.loads(run("diff", "champion", "latest", "--project", project, "--json")[1])
    assert {(one["name"], one["kind"]) for one in shown["rules"]} == {
        ("youngest", "added"),
        ("young", "removed"),
    }
    assert shown["lists"] == [{"kind": "changed", "name": "lists/refused.txt", "lines": ["+pirate"]}]


def test_a_damaged_bundle_does_not_hide_the_others_from_list(project: Path, run: Run) -> None:
    """What can be listed is; what cannot is named, and the exit code says so."""
    digest = Registry(project / "registry").resolve("latest")
    (project / "registry" / "bundles" / f"{'a' * 64}.json").write_text("{")
    code, out, err = run("list", "--project", project)
    assert code == 1
    assert digest[7:19] in out
    assert f"{'a' * 64}.json: bundle.json: not JSON" in err
