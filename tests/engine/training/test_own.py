"""A classifier of scikit-learn that the project names competes like any other, under the same checks."""

from __future__ import annotations

import numpy as np
import onnxruntime
import pyarrow as pa
import pytest
from sklearn.base import clone
from sklearn.svm import SVC, NuSVC

from embeddings import Encoding, Slot, Spec, fit_encoding
from engine.decide import Runtime
from engine.evaluation.report import render
from engine.experiments.written import candidate_to_arrays, read_candidate
from engine.project.records import OwnClassifier
from engine.serve import Engine
from engine.training.batches import unsteady_columns
from engine.training.build import fit
from engine.training.candidate import Candidate, Rows
from engine.training.candidates import run_candidates
from engine.training.choose import choose
from engine.training.export import inputs_alone, passthrough
from engine.training.fuse import fuse
from engine.training.kernels import KERNELS, kernel_graph
from engine.training.parity import LARGEST_DIFFERENCE, LARGEST_OF_OWN, allowed_difference
from tests.engine.training.small_project import NOW, PROJECT, small_table, write_project
from tests.engine.training.tables import embedding_rows

CONVERTED = {
    "ensemble.RandomForestClassifier": {"n_estimators": 12, "max_depth": 5},
    "ensemble.ExtraTreesClassifier": {"n_estimators": 8},
    "ensemble.GradientBoostingClassifier": {"n_estimators": 12},
    "ensemble.HistGradientBoostingClassifier": {"max_iter": 12},
    "ensemble.AdaBoostClassifier": {"n_estimators": 5},
    "ensemble.BaggingClassifier": {"n_estimators": 4},
    "linear_model.LogisticRegression": {"C": 0.1},
    "linear_model.RidgeClassifier": {},
    "linear_model.SGDClassifier": {},
    "linear_model.Perceptron": {},
    "naive_bayes.GaussianNB": {},
    "neighbors.KNeighborsClassifier": {"n_neighbors": 7},
    "neural_network.MLPClassifier": {"hidden_layer_sizes": [8], "max_iter": 60},
    "svm.SVC": {"C": 0.5},
    "svm.NuSVC": {"nu": 0.3},
    "svm.LinearSVC": {},
    "tree.DecisionTreeClassifier": {"max_depth": 4},
    "discriminant_analysis.QuadraticDiscriminantAnalysis": {},
}


def own(path: str, params: dict | None = None, **more: str) -> OwnClassifier:
    return OwnClassifier("mine", f"sklearn.{path}", params or {}, **more)


def candidate(one: OwnClassifier, classes: int = 2) -> tuple[Candidate, Rows]:
    """The candidate that a classifier becomes, and the rows that it was judged on."""
    vectors, codes = embedding_rows(classes)
    train, rest = Rows(vectors[:600], codes[:600]), Rows(vectors[600:], codes[600:])
    [found] = run_candidates([one], train, rest, classes, seed=1)
    return found, rest


@pytest.mark.parametrize(
    ("path", "heeded"), [("tree.DecisionTreeClassifier", True), ("neighbors.KNeighborsClassifier", False)]
)
def test_weights_go_to_classifiers_that_take_them(path: str, heeded: bool) -> None:
    """Of two contradicting rows the heavier is believed; what takes no weights is fitted all the same."""
    vectors, codes = embedding_rows(2, rows=500)
    both, labels = np.vstack([vectors, vectors]), np.concatenate([codes, 1 - codes])
    train = Rows(both, labels, weights=np.repeat([1.6, 0.4], 500))
    [found] = run_candidates([own(path)], train, Rows(vectors, codes), 2, seed=1)
    assert not found.refused
    assert bool(found.losses.mean() < 0.6) is heeded


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("path", CONVERTED)
def test_classifiers_of_scikit_learn_are_served_as_they_compute(path: str, classes: int) -> None:
    """On held-out rows the graph gives scikit-learn's calibrated probabilities, and each row's alone as in a
    batch of any size.
    """
    found, rows = candidate(own(path, CONVERTED[path]), classes)
    assert found.refused == ""
    assert found.parity <= LARGEST_OF_OWN
    assert found.losses.mean() < np.log(classes)
    model = fuse(passthrough(rows.embedding.shape[1]), [found.head("x", classes)])
    assert unsteady_columns(model, {"given": rows.embedding})[0] == set()


REFUSED = {
    "gaussian_process.GaussianProcessClassifier": "cannot be converted: ",
    "naive_bayes.MultinomialNB": "cannot be fitted: Negative values",
    "neighbors.RadiusNeighborsClassifier": "cannot score: No neighbors found",
}


@pytest.mark.parametrize("path", REFUSED)
def test_what_cannot_be_fitted_or_converted_is_out_of_the_running_with_the_reason(path: str) -> None:
    """The others compete on; the reason stands in the table of candidates."""
    params = {"radius": 1e-9} if "Radius" in path else {}
    vectors, codes = embedding_rows(2)
    train, rest = Rows(vectors[:600], codes[:600]), Rows(vectors[600:], codes[600:])
    choice = choose(run_candidates(["logistic", own(path, params)], train, rest, 2, seed=1))
    assert choice.chosen.kind == "logistic"
    assert [row["kind"] for row in choice.table()] == ["logistic", "mine"]
    assert choice.table()[1]["refused"].startswith(REFUSED[path])


def test_a_graph_that_differs_from_scikit_learn_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """The check is of the graph that is served: where it is another model's, it is found."""
    from engine.training import convert as module

    right = module._converted

    def wrong(fitted, columns, kind):
        other = fitted.model.__class__(n_estimators=3, random_state=99)
        rows = np.random.default_rng(0).normal(size=(90, columns))
        fitted = module.OwnFitted(fitted.own, fitted.view, other.fit(rows, np.arange(90) % 2), fitted.floor)
        return right(fitted, columns, kind)

    monkeypatch.setattr(module, "_converted", wrong)
    found, _ = candidate(own("ensemble.RandomForestClassifier", {"n_estimators": 3}))
    assert found.refused.startswith("its graph differs from scikit-learn by")


def test_single_precision_alone_refuses_no_classifier(monkeypatch: pytest.MonkeyPatch) -> None:
    """A forest that its graph adds up in float32 is served, but not where that moved the losses."""
    from engine.training import parity as module

    monkeypatch.setattr(module, "LARGEST_DIFFERENCE", 0.0)
    found, _ = candidate(own("ensemble.GradientBoostingClassifier", {"n_estimators": 40}))
    assert found.refused == ""
    assert 0 < found.parity <= LARGEST_OF_OWN
    monkeypatch.setattr(module, "NEGLIGIBLE", 0.0)
    found, _ = candidate(own("ensemble.GradientBoostingClassifier", {"n_estimators": 40}))
    assert found.refused.startswith("its graph differs from scikit-learn by")
    assert found.refused.endswith("nats a row, more than 0")


def test_a_row_may_differ_as_much_fused_as_alone() -> None:
    """Trees are added up in another order among more rows; what is allowed hangs on whose they are."""
    vectors, codes = embedding_rows(2)
    train, rest = Rows(vectors[:600], codes[:600]), Rows(vectors[600:], codes[600:])
    forest = own("ensemble.GradientBoostingClassifier", {"n_estimators": 12})
    ours, theirs = run_candidates(["tree", forest], train, rest, 2, seed=1)
    assert allowed_difference(ours) == LARGEST_DIFFERENCE
    assert allowed_difference(theirs) == LARGEST_OF_OWN
    kept = read_candidate(candidate_to_arrays(theirs))
    assert allowed_difference(kept) == LARGEST_OF_OWN


@pytest.mark.parametrize("seed", range(5))
def test_a_support_vector_machine_is_served_whatever_the_split(seed: int) -> None:
    """Its graph is in double: no steep calibration makes much of its rounding."""
    vectors, codes = embedding_rows(2, rows=1500, seed=seed)
    train, rest = Rows(vectors[:1200], codes[:1200]), Rows(vectors[1200:], codes[1200:])
    [found] = run_candidates([own("svm.SVC")], train, rest, 2, seed=seed)
    assert found.refused == ""
    assert found.parity <= LARGEST_DIFFERENCE


@pytest.mark.parametrize("machine", [SVC(), NuSVC(nu=0.2)], ids=["SVC", "NuSVC"])
@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("classes", [2, 3, 5])
def test_support_vector_machines_are_written_in_double(machine, kernel: str, classes: int) -> None:
    """Votes of pairs and all: what the graph gives is scikit-learn's decision function."""
    vectors, codes = embedding_rows(classes, rows=400)
    rows = vectors.astype(np.float64)
    fitted = clone(machine).set_params(kernel=kernel).fit(rows[:300], codes[:300])
    session = onnxruntime.InferenceSession(
        kernel_graph(fitted, rows.shape[1], 18).SerializeToString(), providers=["CPUExecutionProvider"]
    )
    given = session.run(None, {"view": rows[300:]})[0]
    expected = fitted.decision_function(rows[300:]).reshape(100, -1)
    assert given.shape == expected.shape
    assert np.abs(given - expected).max() < 1e-7


def test_what_is_random_is_seeded() -> None:
    """Twice the same forest, by the split's seed; another where the project names a state of its own."""
    first, again = (candidate(own("ensemble.RandomForestClassifier", {"n_estimators": 3}))[0] for _ in "ab")
    other, _ = candidate(own("ensemble.RandomForestClassifier", {"n_estimators": 3, "random_state": 8}))
    assert np.array_equal(first.losses, again.losses)
    assert not np.array_equal(first.losses, other.losses)


def test_simplicity_is_where_the_project_puts_it() -> None:
    """Last if nothing is said, else right after the kind that is named."""
    vectors, codes = embedding_rows(2)
    rows = Rows(vectors[:300], codes[:300])

    def order(one: OwnClassifier) -> list[str]:
        return [found.kind for found in run_candidates(["tree", one, "logistic"], rows, rows, 2, seed=1)]

    tree = own("tree.DecisionTreeClassifier", {"max_depth": 2})
    assert order(tree) == ["logistic", "tree", "mine"]
    assert order(own("tree.DecisionTreeClassifier", {"max_depth": 2}, after="logistic")) == [
        "logistic",
        "mine",
        "tree",
    ]


def test_fields_are_numbers_flags_and_levels() -> None:
    """A tree on the fields reads a missing number's flag and a category's level, and the graph as it does."""
    rng = np.random.default_rng(4)
    amount = pa.array(rng.normal(size=400), mask=rng.random(400) < 0.3)
    country = pa.array(rng.choice(["NO", "DE", "KP"], 400))
    known = pa.array(rng.random(400) < 0.5)
    table = pa.table({"amount": amount, "country": country, "known": known})
    codes = (amount.is_null().to_numpy(False) ^ (np.array(country.to_pylist()) == "KP")).astype(np.int64)
    slots = (Slot("amount", "number"), Slot("country", "category"), Slot("known", "flag"))
    encoding = fit_encoding(Spec(slots=slots), table)
    inputs = encoding.batch(table.combine_chunks().to_batches()[0])
    rows = Rows(np.zeros((400, 2), np.float32), codes, inputs)
    tree = own("tree.DecisionTreeClassifier", {"max_depth": 4}, input="fields")
    found = run_candidates([tree], rows, rows, 2, seed=1, encoding=encoding)[1]
    assert found.losses.mean() < 0.05
    assert found.parity <= LARGEST_DIFFERENCE
    model = fuse(inputs_alone(inputs), [found.head("x", 2)])
    assert unsteady_columns(model, inputs)[0] == set()


def test_of_more_cells_than_are_given_at_once_it_learns_from_a_sample(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A seeded one, and scores all rows, in blocks, as it would at once."""
    from engine.training import own as module

    vectors, codes = embedding_rows(2)
    tree = own("tree.DecisionTreeClassifier", {"max_depth": 3})
    monkeypatch.setattr(module, "MOST_CELLS", 100 * vectors.shape[1])
    fitted = module.fit_own(tree, None, vectors, {}, codes, seed=1)
    assert fitted.model.tree_.n_node_samples[0] == 100
    blocks = fitted.margins(vectors, {})
    assert np.array_equal(module.fit_own(tree, None, vectors, {}, codes, seed=1).margins(vectors, {}), blocks)
    monkeypatch.setattr(module, "MOST_CELLS", 2**40)
    assert np.array_equal(fitted.margins(vectors, {}), blocks)
    assert module.fit_own(tree, None, vectors, {}, codes, seed=1).model.tree_.n_node_samples[0] == len(codes)


def test_fields_of_too_many_columns_are_refused() -> None:
    """Ten thousand levels would be ten thousand columns."""
    from embeddings.fields import Category

    encoding = Encoding((), (), (Category("key", False, tuple(map(str, range(5_000)))),), ())
    inputs = {"categories": np.random.default_rng(0).integers(0, 5_002, (200, 1))}
    rows = Rows(np.zeros((200, 2), np.float32), np.arange(200) % 2, inputs)
    tree = own("tree.DecisionTreeClassifier", input="fields")
    found = run_candidates([tree], rows, rows, 2, seed=1, encoding=encoding)[1]
    assert found.refused.startswith("the fields give 5,002 columns, more than 4,096")


def test_a_candidate_kept_by_an_experiment_gives_the_same_graph() -> None:
    """Written and read back, with its view of the embedding, it fuses to the same bytes."""
    found, rows = candidate(own("ensemble.RandomForestClassifier", {"n_estimators": 3}))
    again = read_candidate(candidate_to_arrays(found))
    encoder = passthrough(rows.embedding.shape[1])
    assert fuse(encoder, [again.head("x", 2)]) == fuse(encoder, [found.head("x", 2)])
    assert (again.kind, again.fitted.settings) == ("mine", found.fitted.settings)


ENDING = """
  lost:
    label: lost
    candidates:
      - name: my-forest
        estimator: sklearn.ensemble.RandomForestClassifier
        params: {n_estimators: 20, min_samples_leaf: 5}
        input: fields
  size:
    label: size
    candidates:
      - name: boosted
        estimator: sklearn.ensemble.HistGradientBoostingClassifier
        params: {max_iter: 9}
"""
FOREST = PROJECT.replace(
    """
  lost: {label: lost, candidates: [logistic, naive-bayes]}
  size: {label: size, candidates: [tree, logistic]}
""",
    ENDING,
)


def test_a_bundle_with_a_forest_decides_alone_as_in_a_batch(tmp_path) -> None:
    """The bundle's scores are the forest's where it was chosen, and its report says what it is."""
    assert FOREST != PROJECT
    project = write_project(tmp_path, text=FOREST)
    table = small_table(600)
    weight, stops = (np.nan_to_num(table[name].to_numpy()) for name in ("weight", "stops"))
    crossed = np.where((weight > 0) ^ (stops > 4), "yes", "no")
    table = table.set_column(table.column_names.index("was_lost"), "was_lost", pa.array(crossed))
    bundle = fit(project, table, now=NOW)
    candidates = bundle.json("evaluation.json")["training"]["candidates"]
    assert [one["kind"] for one in candidates["lost"]] == ["raw-logistic", "my-forest"]
    assert candidates["lost"][1]["settings"] == {
        "estimator": "sklearn.ensemble.RandomForestClassifier",
        "input": "fields",
        "n_estimators": 20,
        "min_samples_leaf": 5,
    }
    assert candidates["lost"][1]["chosen"]
    assert bundle.json("model/scores.json")["classifiers"][0]["kind"] == "my-forest"
    assert bundle.json("evaluation.json")["classifiers"]["lost"]["auc"] > 0.9
    told = render(bundle.json("evaluation.json"))
    assert "RandomForestClassifier of the fields, n_estimators 20, min_samples_leaf 5" in told
    assert [one["refused"] for of in candidates.values() for one in of] == [None] * 4
    engine = Engine(Runtime.open(bundle))
    rows = table.slice(0, 40)
    together = engine.decide_batch(rows)
    for place, record in enumerate(rows.to_pylist()):
        outcome, lost = (together[name][place].as_py() for name in ("outcome", "scores.lost"))
        alone = engine.decide(record, now=NOW)
        assert (alone.outcome, alone.scores["lost"]) == (outcome, lost)
        if place < 5 and alone.scores["lost"] is not None:
            moved = engine.explain(record, now=NOW).contributions["lost"]
            expected = np.log(lost / (1 - lost))
            assert moved.base + sum(moved.fields.values()) == pytest.approx(expected, abs=1e-4)
