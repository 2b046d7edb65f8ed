"""A project: project.yaml read whole and checked whole, every problem at its file:line:column."""

from engine.project.folder import FILE, load_project, parse_project, read_lists, read_rules
from engine.project.records import ClassifierSpec, Data, EvaluationSpec, Label, OwnClassifier, Project, Split

__all__ = [
    "FILE",
    "ClassifierSpec",
    "Data",
    "EvaluationSpec",
    "Label",
    "OwnClassifier",
    "Project",
    "Split",
    "load_project",
    "parse_project",
    "read_lists",
    "read_rules",
]
