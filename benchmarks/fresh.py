"""A fresh process of `startup`: `engine PROJECT RECORD` or `peer PIPELINE`; prints its seconds as JSON."""

import sys
import time


def start_engine(place: str, record: str) -> dict[str, float]:
    import json

    given = json.loads(open(record).read())  # noqa: PTH123, SIM115 — pathlib is ours to import, not the measure's
    start = time.perf_counter()
    import engine

    imported = time.perf_counter()
    opened = engine.open(place)
    ready = time.perf_counter()
    opened.decide(given)
    decided = time.perf_counter()
    for heavy in ("torch", "sklearn"):
        assert heavy not in sys.modules, heavy
    stages = {"import": imported - start, "open": ready - imported, "decide": decided - ready}
    return {**stages, "all": decided - start}


def start_peer(pipeline: str) -> dict[str, float]:
    start = time.perf_counter()
    import pickle

    import sklearn
    import torch

    sklearn.set_config(assume_finite=True)
    with open(pipeline, "rb") as file:  # noqa: PTH123 — as above
        network, classifiers, example = pickle.load(file)
    with torch.inference_mode():
        embedding = network.embed(example).numpy()
    for classifier in classifiers:
        classifier.predict_proba(embedding)
    return {"all": time.perf_counter() - start}


if __name__ == "__main__":
    import json

    kind, *paths = sys.argv[1:]
    print(json.dumps({"engine": start_engine, "peer": start_peer}[kind](*paths)))
