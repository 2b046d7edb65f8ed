"""A project's folder: project.yaml as a `Project`, rules/*.yaml as bytes, a confined reader of its lists."""

from __future__ import annotations

from pathlib import Path

from engine.errors import BundleError, InputError
from engine.manifest import check_name
from engine.project.reading import read_project
from engine.project.records import Project
from rules.errors import CheckFailed, Problem
from rules.folder import TEST_SUFFIX, printable, read_lists, read_rule_file, rule_files
from rules.reader import read_yaml

FILE = "project.yaml"
RULES = "rules"
TESTS = "tests"

__all__ = ["FILE", "RULES", "load_project", "parse_project", "read_lists", "read_rules"]


def load_project(root: Path) -> Project:
    """Read and check `root`/project.yaml.

    Raises InputError where there is no such file, CheckFailed with every problem of it otherwise.
    """
    path = Path(root) / FILE
    if path.is_dir():
        raise InputError(f"{path}: a folder, where a file was expected")
    if not path.exists():
        raise InputError(
            f"{path}: no such file; a project is a folder with a {FILE} in it "
            "(name the folder with --project, or make one with 'tandem init')"
        )
    text = read_rule_file(path, FILE, Path(root))
    return parse_project(text, root=Path(root))


def parse_project(text: bytes, *, root: Path, file: str = FILE) -> Project:
    """Check the bytes of a project.yaml: a project's own, or the one kept in a bundle.

    Raises CheckFailed with every problem, in file order.
    """
    return read_project(read_yaml(text, file, numbers=True), root=root, text=text)


def read_rules(root: Path) -> dict[str, bytes]:
    """Read `root`/rules/*.yaml (and *.yml) in name order, named as problems name them: 'rules/loan.yaml'.

    Hidden files are left out. Raises CheckFailed with every file that cannot be read, and with every name
    that a bundle cannot hold.
    """
    files, problems = {}, []
    for name, path in rule_files(Path(root) / RULES, RULES).items():
        try:
            check_name(name)
            if name.endswith(TEST_SUFFIX):
                message = "a test file among the rules"
                problems.append(
                    Problem(name, 1, 1, message, f"move it to {TESTS}/, where 'tandem test' runs it")
                )
                continue
            files[name] = read_rule_file(path, name, Path(root))
        except BundleError:
            hint = "rename it: letters, digits, _ . + @ = - and spaces, the first a letter, a digit or _"
            problems.append(Problem(printable(name), 1, 1, "not a name that a rule file may have", hint))
        except CheckFailed as failed:
            problems += failed.problems
    if problems:
        raise CheckFailed(problems)
    return files
