"""The logistic models of a fit: by Newton's steps, or by L-BFGS where many classes make those too dear.

A Newton step forms and solves a matrix of (columns · classes)²: 27 million numbers for 40 classes and 130
columns.
"""

from __future__ import annotations

from sklearn.linear_model import LogisticRegression

MOST_WORK = 5e10  # multiplications a step: a few seconds on one core
NEWTON, GRADIENTS = "newton-cholesky", "lbfgs"
MOST_GRADIENTS = 200


def logistic(strength: float, shape: tuple[int, int], classes: int, steps: int) -> LogisticRegression:
    """An unfitted model for a dense matrix of `shape` (rows, columns); `steps` of Newton's at most."""
    if newton_step(shape, classes) > MOST_WORK:
        return LogisticRegression(C=strength, solver=GRADIENTS, max_iter=MOST_GRADIENTS)
    return LogisticRegression(C=strength, solver=NEWTON, max_iter=steps)


def newton_step(shape: tuple[int, int], classes: int) -> float:
    """Multiplications of one step: rows · size² to form the matrix and size³ to solve it.

    None are counted for two classes: of the columns that a dense matrix has here one weight each.
    """
    if classes <= 2:
        return 0.0
    rows, columns = shape
    size = float(columns * classes)
    return rows * size**2 + size**3
