"""Experiments: many variants of a project, raced on growing parts of its rows, and the one that wins."""
