"""The peer of `experiments`: two classifiers on one embedding, each logged and evaluated with MLflow.

Runs under an interpreter of its own, for MLflow asks for an older pyarrow than ours: it imports nothing of
the project. Tuned as its users would: a local store, requirements given, no explanations, no plots asked for.
"""

from __future__ import annotations

import json
import logging
import sys
import tempfile
import time
import warnings

import numpy as np


def main(path: str, repeats: int) -> None:
    """Read arrays, and print the least seconds of two runs, the fits left out, as JSON."""
    warnings.simplefilter("ignore")
    import mlflow
    import pandas as pd
    from sklearn.linear_model import LogisticRegression
    from sklearn.tree import DecisionTreeClassifier

    logging.disable(logging.WARNING)
    given = np.load(path)
    names = [f"x{at}" for at in range(given["validation"].shape[1])]
    frame = pd.DataFrame(given["validation"], columns=names)
    frame["label"] = given["validation_codes"]
    train = pd.DataFrame(given["train"], columns=names)
    models = [
        LogisticRegression(C=0.01, max_iter=500).fit(train, given["train_codes"]),
        DecisionTreeClassifier(max_depth=6).fit(train, given["train_codes"]),
    ]
    seconds = []
    with tempfile.TemporaryDirectory() as folder:
        mlflow.set_tracking_uri(f"sqlite:///{folder}/mlflow.db")
        mlflow.create_experiment("heads", artifact_location=f"file://{folder}/artifacts")
        mlflow.set_experiment("heads")
        for _ in range(repeats):
            began = time.perf_counter()
            for model in models:
                _run(mlflow, model, frame)
            seconds.append(time.perf_counter() - began)
    sys.stdout.write(json.dumps({"seconds": min(seconds), "version": mlflow.__version__}) + "\n")


def _run(mlflow: object, model: object, frame: object) -> None:
    with mlflow.start_run():  # type: ignore[attr-defined]
        logged = mlflow.sklearn.log_model(  # type: ignore[attr-defined]
            model, name="model", pip_requirements=["scikit-learn"], serialization_format="cloudpickle"
        )
        mlflow.models.evaluate(  # type: ignore[attr-defined]
            logged.model_uri,
            frame,
            targets="label",
            model_type="classifier",
            evaluators="default",
            evaluator_config={"log_explainer": False, "log_model_explainability": False},
        )


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
