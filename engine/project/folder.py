"""A project's folder: project.yaml as a `Project`, rules/*.yaml as bytes, a confined reader of its lists."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

from engine.errors import BundleError, InputError
from engine.manifest import check_name
from engine.project.reading import read_project
from engine.project.records import Project
from rules.errors import CheckFailed, Problem
from rules.reader import read_yaml

FILE = "project.yaml"
RULES = "rules"
LARGEST_LIST = 256 * 1024 * 1024


def load_project(root: Path) -> Project:
    """Read and check `root`/project.yaml.

    Raises InputError where there is no such file, CheckFailed with every problem of it otherwise.
    """
    path = Path(root) / FILE
    try:
        text = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        raise InputError(
            f"{path}: no such file; a project is a folder with a {FILE} in it "
            "(name the folder with --project, or make one with 'tandem init')"
        ) from None
    except IsADirectoryError:
        raise InputError(f"{path}: a folder, where a file was expected") from None
    return parse_project(text, root=Path(root))


def parse_project(text: bytes, *, root: Path, file: str = FILE) -> Project:
    """Check the bytes of a project.yaml: a project's own, or the one kept in a bundle.

    Raises CheckFailed with every problem, in file order.
    """
    return read_project(read_yaml(text, file), root=root, text=text)


def read_rules(root: Path) -> dict[str, bytes]:
    """Read `root`/rules/*.yaml (and *.yml) in name order, named as problems name them: 'rules/loan.yaml'.

    Hidden files are left out: editors keep their half-written copies there. Raises CheckFailed with every
    file that cannot be read, and with every name that a bundle cannot hold.
    """
    folder = Path(root) / RULES
    files, problems = {}, []
    for path in _rule_files(folder):
        name = f"{RULES}/{path.name}"
        try:
            check_name(name)
            files[name] = _read_plain(path)
        except BundleError:
            hint = "rename it: letters, digits, _ . + @ = - and spaces, the first a letter, a digit or _"
            problems.append(Problem(_printable(name), 1, 1, "not a name that a rule file may have", hint))
        except OSError as error:
            problems.append(Problem(name, 1, 1, f"cannot be read: {error.strerror or error}"))
    if problems:
        raise CheckFailed(problems)
    return files


def _rule_files(folder: Path) -> list[Path]:
    """What is named like a rule file, in name order; a link to nowhere is one that cannot be read."""
    try:
        found = sorted(folder.iterdir()) if folder.is_dir() else []
    except OSError as error:
        message = f"cannot be read: {error.strerror or error}"
        raise CheckFailed([Problem(RULES, 1, 1, message)]) from error
    return [
        path
        for path in found
        if path.suffix in {".yaml", ".yml"} and not path.name.startswith(".") and not path.is_dir()
    ]


def _read_plain(path: Path) -> bytes:
    """Read a file of any size, but a pipe or a device is not waited for."""
    if not stat.S_ISREG(path.stat().st_mode):
        raise OSError("not a plain file")
    return path.read_bytes()


def _printable(name: str) -> str:
    return os.fsencode(name).decode(errors="replace").replace("\n", "\\n")


def read_lists(root: Path) -> Callable[[str], bytes]:
    """Give the reader of list files for `root`: it reads inside the project and nowhere else.

    The reader raises FileNotFoundError, or PermissionError where a path leads outside.
    """
    home = Path(root).resolve()

    def read(name: str) -> bytes:
        path = (home / name).resolve()
        # INVARIANT: nothing outside the project is read, also not through a symbolic link.
        if not path.is_relative_to(home):
            raise PermissionError(f"{name}: leads outside the project")
        if path.stat().st_size > LARGEST_LIST:
            raise OSError(f"{name}: larger than {LARGEST_LIST // 2**20} MB")
        return _read_plain(path)

    return read
