"""Clusters and anomalies: the same as plain scikit-learn finds, and what the bundle gives by hand."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.cluster import KMeans
from sklearn.datasets import make_blobs
from sklearn.ensemble import IsolationForest
from sklearn.metrics import adjusted_rand_score, roc_auc_score
from sklearn.preprocessing import StandardScaler

from modelmill.models.admission import admit_bundle
from modelmill_training import parity
from tests.inference_setup import Plane
from tests.ml_tree import Data, Tree, builtin, mixed
from tests.training.conftest import Train

SEED = 7

# What TensorFlow and its ONNX export warn of in their own code.
pytestmark = [pytest.mark.filterwarnings(f"ignore::{name}Warning") for name in ("Deprecation", "Future", "User")]


def without_target(data: Data, task: str) -> tuple[Data, dict[str, Any]]:
    """The data, and what a job says of it whose dataset has a target that the task does not need."""
    return replace(data, task=task), {"target": None, "ignored_target": data.target, "seed": SEED}


def features_of(tree: Tree) -> np.ndarray:
    """All rows, in the precision that models are fitted on."""
    columns = [tree.data.values(feature.name) for feature in tree.manifest.signature.features]
    return np.array(columns, dtype=np.float64).T.astype(np.float32)


def report_of(tree: Tree) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((tree.root / "model/report.json").read_bytes())
    return found


def every_row(tree: Tree) -> dict[str, np.ndarray]:
    return tree.predict(list(range(len(features_of(tree)))))


def test_clusters_are_those_of_scikit_learn(train: Train) -> None:
    data, job = without_target(builtin("wine"), "clustering")
    tree = train(data, "kmeans", hyperparameters={"clusters": 3}, **job)

    rows = features_of(tree)
    scaler = StandardScaler().fit(rows[tree.parts["train"]])
    peer = KMeans(3, n_init=10, random_state=SEED).fit(scaler.transform(rows[tree.parts["train"]]))
    found = every_row(tree)

    assert adjusted_rand_score(peer.predict(scaler.transform(rows)), found["cluster"]) == pytest.approx(1)
    assert adjusted_rand_score(builtin("wine").values("target"), found["cluster"]) > 0.8
    assert np.sort(found["distances"]) == pytest.approx(np.sort(peer.transform(scaler.transform(rows))), rel=1e-3)
    assert found["cluster"].tolist() == found["distances"].argmin(axis=1).tolist()
    assert tree.manifest.metrics["train"]["inertia"] == pytest.approx(peer.inertia_, rel=1e-3)
    assert "target" not in {feature.name for feature in tree.manifest.signature.features}


def test_how_many_clusters_there_are_is_found_and_reported(train: Train) -> None:
    points, _ = make_blobs(300, centers=[[0, 0], [9, 9], [0, 9], [9, 0]], random_state=0)
    side = ["left" if x < 4.5 else "right" for x, _ in points]
    columns = {
        "x": ("number", points[:, 0].tolist()),
        "y": ("number", points[:, 1].tolist()),
        "side": ("category", side),
    }

    tree = train(Data(columns, None, "clustering"), "auto")

    assert tree.manifest.algorithm == "kmeans"
    assert tree.manifest.spec["hyperparameters"]["clusters"] == 4
    report = report_of(tree)
    assert max(report["silhouettes"], key=lambda each: each["silhouette"])["clusters"] == 4
    assert [each["clusters"] for each in report["silhouettes"]] == list(range(2, 11))
    rows = [each["rows"]["train"] for each in report["clusters"]]
    assert rows == sorted(rows, reverse=True)
    assert sum(rows) == len(tree.parts["train"])
    for cluster in report["clusters"]:
        typical = cluster["typical"]
        corner = np.array([typical["x"], typical["y"]])
        assert np.abs(corner - np.round(corner / 9) * 9).max() < 1
        assert typical["side"] == ("left" if corner[0] < 4.5 else "right")
    assert report["pictures"] == ["clusters.svg", "silhouettes.svg"]
    assert tree.manifest.metrics["test"]["silhouette"] > 0.7


def test_scores_of_a_forest_are_those_of_scikit_learn(train: Train) -> None:
    data, job = without_target(builtin("breast_cancer"), "anomaly_detection")
    given = {"trees": 50, "max_samples": 100, "max_features": 0.5, "quantile": 0.95}
    tree = train(data, "isolation_forest", hyperparameters=given, **job)

    rows = features_of(tree)
    peer = IsolationForest(n_estimators=50, max_samples=100, max_features=0.5, random_state=SEED)
    peer.fit(rows[tree.parts["train"]])
    expected = -peer.score_samples(rows)
    found = every_row(tree)

    assert found["score"] == pytest.approx(expected, abs=1e-5)
    threshold = np.quantile(expected[tree.parts["train"]], 0.95)
    sure = np.abs(expected - threshold) > 1e-5
    assert found["anomalous"][sure].tolist() == (expected > threshold)[sure].tolist()
    metrics = tree.manifest.metrics
    assert metrics["train"]["anomalous_share"] == pytest.approx(0.05, abs=0.003)
    assert metrics["test"]["score_max"] == pytest.approx(expected[tree.parts["test"]].max(), abs=1e-5)
    report = report_of(tree)
    assert report["strangest"][0]["row"] == expected.argmax()
    assert sum(report["score_histogram"]["counts"]) == len(tree.parts["test"])
    assert report["pictures"] == ["scores.svg"]


def test_an_autoencoder_of_benign_cells_knows_malignant_ones(train: Train) -> None:
    cells = builtin("breast_cancer")
    benign = np.array(cells.values("target")) == "benign"
    data, job = without_target(cells.take(np.flatnonzero(benign)), "anomaly_detection")
    settings = {"layers": [32], "code_size": 4, "epochs": 40, "learning_rate": 0.005, "quantile": 0.9}

    tree = train(data, "autoencoder", hyperparameters=settings, **job)

    assert tree.failure is None
    whole = replace(tree, data=cells)
    rows = [*np.flatnonzero(benign)[tree.parts["test"]], *np.flatnonzero(~benign)]
    found = whole.predict(rows)
    truth = ~benign[rows]
    assert roc_auc_score(truth, found["score"]) > 0.85
    assert found["anomalous"][truth].mean() > 2 * found["anomalous"][~truth].mean()
    assert found["embedding"].shape == (len(rows), 4)
    # equal codes for equal rows, and other ones for others
    assert len(np.unique(found["embedding"].round(4), axis=0)) > 0.9 * len(rows)
    assert tree.manifest.metrics["validation"]["anomalous_share"] == pytest.approx(0.1, abs=0.02)
    assert report_of(tree)["pictures"] == ["learning_curve.svg", "scores.svg"]


QUICK = [
    ("clustering", "kmeans", {"clusters": 5}),
    ("anomaly_detection", "isolation_forest", {"trees": 20}),
    ("anomaly_detection", "autoencoder", {"layers": [8], "code_size": 3, "epochs": 3}),
]


@pytest.mark.parametrize(("task", "algorithm", "given"), QUICK)
def test_the_answers_over_http_are_those_of_the_bundle_by_hand(
    train: Train, tmp_path: Path, task: str, algorithm: str, given: dict
) -> None:
    data, job = without_target(mixed(), task)
    tree = train(data, algorithm, hyperparameters=given, **job)
    assert tree.failure is None
    admit_bundle(tree.root / "model")
    plane = Plane()
    plane.store.put("acme", "m", 1, tree.root / "model")
    rows = tree.parts["test"][:20]

    status, answer = plane.post({"instances": [instance(tree, row) for row in rows]})

    assert status == 200
    expected = tree.predict(rows)
    for name, values in expected.items():
        told = np.array([prediction[name] for prediction in answer["predictions"]])
        assert told == pytest.approx(values, rel=1e-6, abs=1e-6)
    assert {column["column"] for column in tree.manifest.dropped} == {"comment", "customer_id", "country", "nothing"}
    assert tree.manifest.target is None


def instance(tree: Tree, row: int) -> dict[str, Any]:
    features = tree.manifest.signature.features
    values = {feature.name: tree.data.values(feature.name)[row] for feature in features}
    return {name: f"{value.isoformat()}Z" if hasattr(value, "isoformat") else value for name, value in values.items()}


@pytest.mark.parametrize(("task", "algorithm", "given"), QUICK)
def test_whatever_a_request_holds_gets_a_number(train: Train, task: str, algorithm: str, given: dict) -> None:
    data, job = without_target(builtin("iris"), task)
    tree = train(data, algorithm, hyperparameters=given, **job)

    wild = np.array([[np.nan] * 4, [1e9, -1e9, 0, 0], [1e300, -1e300, 0, 0], [np.inf] * 4])
    found = tree.run({"numeric": wild})

    assert np.isfinite(list(found.values())[-1]).all()
    if algorithm == "autoencoder":
        assert found["anomalous"].tolist() == [False, True, True, True]
        # beyond a million deviations a net is not asked how far
        assert found["score"][1] == found["score"][2]


def test_more_clusters_than_different_rows_are_told(train: Train) -> None:
    data = Data({"x": ("number", [1.0, 2.0, 3.0] * 20)}, None, "clustering")

    tree = train(data, "kmeans", hyperparameters={"clusters": 8})

    assert tree.failure is not None
    assert "different training rows, expected at least 8" in tree.failure


def test_few_rows_that_repeat_each_other_still_give_a_model(train: Train) -> None:
    words = ["red", "blue"] * 15
    for task, algorithm, given in [("clustering", "auto", {}), QUICK[1]]:
        tree = train(Data({"colour": ("category", words)}, None, task), algorithm, hyperparameters=given)
        assert tree.failure is None


def test_the_gate_sees_what_a_graph_does_wrong() -> None:
    random = np.random.default_rng(0)
    distances = random.uniform(1, 2, (1000, 3))
    source = {"cluster": distances.argmin(axis=1), "distances": distances}
    margins = np.diff(np.sort(distances)[:, :2])[:, 0]
    close = margins.argmin()
    margins[close] = 1e-6

    def gate(cluster: Any, values: Any) -> dict[str, Any]:
        return parity.compare_outputs(source, {"cluster": cluster, "distances": values}, "cluster", margins)

    other = (source["cluster"] + 1) % 3
    one_tie = np.where(np.arange(1000) == close, other, source["cluster"])
    few = np.where(np.arange(1000) < 5, other, source["cluster"])
    assert gate(source["cluster"], distances.astype(np.float32))["passed"]
    assert gate(one_tie, distances)["label_flips"] == 0
    assert gate(few, distances)["label_flips"] >= 4
    assert not gate(few, distances)["passed"]
    assert not gate(source["cluster"], distances + 1e-3)["passed"]
    assert not gate(source["cluster"], np.where(distances > 1.9, np.nan, distances))["passed"]
