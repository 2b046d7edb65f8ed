"""Which YAML files a path stands for, and the canonical form of each, by what kind of file it is."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from engine.errors import InputError
from engine.experiments.forms import SWEEP_FILE
from engine.project.folder import FILE, RULES, TESTS
from engine.project.forms import PROJECT_FILE
from rules.errors import CheckFailed, Problem
from rules.folder import TEST_SUFFIX, read_rule_file, rule_files
from rules.format import format_document
from rules.forms import RULE_FILE
from rules.reader import Document, read_yaml
from rules.shape import Shape
from rules.suites import SUITE_FILE


def yaml_files(paths: Iterable[Path]) -> list[Path]:
    """Give the files that paths name: of a project project.yaml and all files of rules and tests.

    Raises InputError where a path is not there, or a folder holds none.
    """
    found: dict[Path, None] = {}
    for path in paths:
        if path.is_dir():
            project = path / FILE
            if project.is_file():
                tests = [
                    file for file in rule_files(path / TESTS).values() if file.name.endswith(TEST_SUFFIX)
                ]
                files = [project, *rule_files(path / RULES).values(), *tests]
            else:
                files = list(rule_files(path).values())
            if not files:
                raise InputError(f"{path}: a folder without rule files (*.yaml); name a project, or files")
            found |= dict.fromkeys(files)
        elif path.exists():
            found[path] = None
        else:
            raise InputError(f"{path}: no such file")
    return list(found)


def format_file(path: Path) -> tuple[bytes, str]:
    """Give a file as it is, and in its canonical form.

    Raises CheckFailed where it cannot be read, or not be laid out without changing what it says.
    """
    if path.suffix not in (".yaml", ".yml"):
        # A list of one entry a line can read as YAML, too, and laid out it would be another list.
        raise CheckFailed(
            [Problem(str(path), 1, 1, "not laid out: no YAML file", "name *.yaml or *.yml files")]
        )
    data = read_rule_file(path, str(path))
    document = read_yaml(data, str(path))
    if not isinstance(document.root, dict):
        raise CheckFailed([document.problem((), "not laid out: the file must hold keys and values")])
    return data, format_document(document, kind_of(document))


def kind_of(document: Document) -> Shape:
    """Give the declared form of a file by the keys it has; that of a rule file where that is not clear."""
    keys = document.root if isinstance(document.root, dict) else {}
    forms = (RULE_FILE, PROJECT_FILE, SUITE_FILE, SWEEP_FILE)
    return max(forms, key=lambda form: sum(key in form.keys for key in keys))
