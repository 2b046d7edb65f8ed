"""Classifiers of scikit-learn that a project may name among its candidates: by import path, with parameters.

Only public classifiers of a few modules can be named. The path is looked up in their `__all__`, never run.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping
from importlib import import_module
from typing import Any

from engine.project.form import Form
from engine.project.records import OwnClassifier
from rules.errors import nearest
from rules.form import Path, shown

OWN_KEYS = ("name", "estimator", "params", "input", "after")
INPUTS = ("embedding", "fields")
MODULES = ("discriminant_analysis", "ensemble", "gaussian_process", "linear_model",
           "naive_bayes", "neighbors", "neural_network", "svm", "tree")  # fmt: skip
_LONGEST = 100
_NO_NUMBER = re.compile(r"[-+]?\.inf|\.nan", re.IGNORECASE)  # YAML's own words, read as texts
_PLAIN = (bool, int, float, str, type(None))


class UnknownEstimator(ValueError):
    """A path that names no classifier of scikit-learn; `hint` says what was probably meant."""

    def __init__(self, message: str, hint: str) -> None:
        self.hint = hint
        super().__init__(message)


def read_own(
    form: Form, path: Path, value: Mapping[Any, Any], kinds: tuple[str, ...]
) -> OwnClassifier | None:
    """Read one entry of `candidates` that is a mapping; None where its problems have been noted."""
    before = len(form.problems)
    body = form.mapping(path, value, OWN_KEYS, what="a candidate of your own")
    for key in ("name", "estimator"):
        form.needs(path, body, key, OWN_KEYS, "a candidate of your own")
    name = form.name((*path, "name"), body)
    if name in kinds:
        form.note((*path, "name"), f"'{name}' is a kind that Tandem has", "give yours another name")
    elif len(name) > _LONGEST or not name.isprintable():
        form.note((*path, "name"), f"a name is one line of at most {_LONGEST} characters")
    reads = form.one_of((*path, "input"), body, INPUTS, INPUTS[0])
    after = form.name((*path, "after"), body)
    if after:
        form.known((*path, "after"), "kind of classifier", after, kinds)
    estimator = form.name((*path, "estimator"), body)
    params = form.section((*path, "params"), body)
    sound = _check_values(form, (*path, "params"), params)
    if estimator:
        _check_estimator(form, path, estimator, sound)
    if len(form.problems) > before:
        return None
    return OwnClassifier(name, estimator, params, reads, after)


def estimator_class(path: str) -> Any:
    """Give the class that an import path names.

    Raises UnknownEstimator, and ModuleNotFoundError where scikit-learn is not installed.
    """
    package, _, rest = path.partition(".")
    module, _, name = rest.partition(".")
    if package != "sklearn" or module not in MODULES or not name:
        known = [f"sklearn.{one}" for one in MODULES]
        message = f"'{path}' is no classifier that can be named here: only those of scikit-learn can"
        raise UnknownEstimator(message, nearest(path.rpartition(".")[0], known))
    classes = _classifiers(module)
    if name not in classes:
        raise UnknownEstimator(f"sklearn.{module} has no classifier '{name}'", nearest(name, list(classes)))
    return classes[name]


def parameters(estimator: Any) -> Mapping[str, inspect.Parameter]:
    """The parameters of a class of scikit-learn, by name."""
    return inspect.signature(estimator).parameters


def _classifiers(module: str) -> dict[str, Any]:
    loaded = import_module(f"sklearn.{module}")
    mixin = import_module("sklearn.base").ClassifierMixin
    found = {name: getattr(loaded, name) for name in loaded.__all__}
    return {name: one for name, one in found.items() if isinstance(one, type) and issubclass(one, mixin)}


def _check_values(form: Form, path: Path, params: Mapping[str, Any]) -> dict[str, Any]:
    """Give the parameters that have values of a kind that a parameter may have."""
    sound = {}
    for name, value in params.items():
        items = value if isinstance(value, list) else [value]
        if any(isinstance(item, str) and _NO_NUMBER.fullmatch(item) for item in items):
            message = f"'{name}' must be a finite number, got {shown(value)}"
            form.note((*path, name), message, "give a very large or a very small one")
        elif not all(isinstance(item, _PLAIN) for item in items):
            wanted = "a number, a text, true, false, null, or a list of those"
            form.wrong((*path, name), f"'{name}'", wanted, value)
        else:
            sound[name] = value
    return sound


def _check_estimator(form: Form, path: Path, estimator: str, params: Mapping[str, Any]) -> None:
    try:
        found = estimator_class(estimator)
    except UnknownEstimator as unknown:
        form.note((*path, "estimator"), str(unknown), unknown.hint)
        return
    except ModuleNotFoundError:
        return  # where only the serving packages are, nothing is fitted either
    known = parameters(found)
    # Also where `params` gives it: no list of texts is a list of estimators.
    needed = [name for name, one in known.items() if one.default is inspect.Parameter.empty]
    if needed:
        message = f"{found.__name__} needs '{needed[0]}', which is another estimator"
        form.note((*path, "estimator"), message, "name a classifier that stands alone")
        return
    for name in params:
        if name not in known:
            message = f"{found.__name__} has no parameter {shown(name)}"
            form.note((*path, "params", name), message, nearest(str(name), list(known)), key=True)
    before = len(form.problems)
    given = {name: value for name, value in params.items() if name in known}
    for name, value in given.items():
        _check_bounds(form, (*path, "params", name), found, {name: value})
    if given and len(form.problems) == before:
        _check_bounds(form, (*path, "params"), found, given)


def _check_bounds(form: Form, path: Path, found: Any, params: Mapping[str, Any]) -> None:
    """Note what fitting would say of parameters an hour later."""
    try:
        found(**params)._validate_params()  # noqa: SLF001
    except (ValueError, TypeError) as error:
        form.note(path, str(error).splitlines()[0])
    except AttributeError:
        return  # a version of scikit-learn that has no such check: fitting will say
