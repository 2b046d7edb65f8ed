"""A project's folder: project.yaml as a `Project`, rules/*.yaml as bytes, a confined reader of its lists."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from engine.errors import InputError
from engine.project.reading import read_project
from engine.project.records import Project
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

    Hidden files are left out: editors keep their half-written copies there.
    """
    folder = Path(root) / RULES
    files = {
        f"{RULES}/{path.name}": path
        for path in (folder.iterdir() if folder.is_dir() else ())
        if path.suffix in {".yaml", ".yml"} and not path.name.startswith(".") and path.is_file()
    }
    return {name: files[name].read_bytes() for name in sorted(files)}


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
        return path.read_bytes()

    return read
