"""Jobs from the start to the bundle: what is written, and that the graph says what the model says."""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from modelmill.models.signature import CALENDAR_PARTS
from tests.ml_tree import builtin, mixed, progress_lines, run_entry, write_tree
from tests.training.conftest import Train

TABULAR = ("linear", "svm", "decision_tree", "random_forest", "gradient_boosting")


def test_the_entry_leaves_a_bundle_and_tells_its_progress(tmp_path: Path) -> None:
    tree = write_tree(tmp_path / "ml", builtin("breast_cancer"))

    result = run_entry(tree)

    assert (result.returncode, tree.failure) == (0, None), result.stderr
    names = {path.name for path in (tree.root / "model").iterdir()}
    assert {"model.onnx", "split.parquet", "report.json", "manifest.json"} <= names
    assert {name for name in names if name.endswith(".svg")} == set(
        json.loads((tree.root / "model" / "report.json").read_text())["pictures"]
    )
    assert set(tree.manifest.files) == names - {"manifest.json"}
    for name, file in tree.manifest.files.items():
        content = (tree.root / "model" / name).read_bytes()
        assert (len(content), hashlib.sha256(content).hexdigest()) == (file.bytes, file.sha256)
    phases = [line["phase"] for line in progress_lines(result.stdout)]
    assert list(dict.fromkeys(phases)) == ["load", "prepare", "fit", "evaluate", "export", "parity", "report", "save"]


def test_a_linear_job_imports_no_tensorflow(tmp_path: Path) -> None:
    tree = write_tree(tmp_path / "ml", builtin("iris"))
    code = (
        "import sys; from modelmill_training.__main__ import main; code = main(); "
        "print(code, [name for name in ('tensorflow', 'keras', 'tf2onnx', 'boto3') if name in sys.modules])"
    )
    environment = {**os.environ, "MODELMILL_ML_ROOT": str(tree.root)}
    result = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert result.stdout.splitlines()[-1] == "0 []"


def test_the_manifest_tells_where_the_model_comes_from(train: Train) -> None:
    tree = train(mixed(), "gradient_boosting", hyperparameters={"max_iter": 10}, job_id="job-9", dataset_id="ds-9")

    manifest = tree.manifest

    assert manifest.lineage["job_id"] == "job-9"
    assert manifest.lineage["dataset_id"] == "ds-9"
    assert (manifest.task, manifest.algorithm, manifest.target) == ("binary", "gradient_boosting", "outcome")
    assert manifest.spec["hyperparameters"]["max_iter"] == 10
    assert manifest.spec["hyperparameters"]["min_samples_leaf"] == 19
    assert manifest.spec["seed"] == 7
    assert manifest.libraries["scikit-learn"]
    assert set(manifest.profile) == {feature.name for feature in manifest.signature.features}
    assert len(manifest.reference["rows"]) == len(manifest.reference["scores"]) == 200
    assert manifest.placement["model_bytes"] == manifest.files["model.onnx"].bytes
    assert manifest.placement["latency_us"] > 0


@pytest.mark.parametrize("algorithm", TABULAR)
@pytest.mark.parametrize("task", ["binary", "regression"])
def test_a_table_of_all_types_is_learned(train: Train, algorithm: str, task: str) -> None:
    tree = train(mixed(task=task), algorithm)

    manifest = tree.manifest

    assert manifest.parity["passed"]
    assert manifest.parity["max_error"] < 1e-5
    test = manifest.metrics["test"]
    assert test["r2"] > 0.6 if task == "regression" else test["roc_auc"] > 0.85
    assert {entry["column"]: entry["reason"] for entry in manifest.dropped} == {
        "comment": "free text",
        "customer_id": "id-like",
        "country": "constant",
        "nothing": "all missing",
    }


def test_the_signature_leads_to_the_scores_that_training_saw(train: Train) -> None:
    # given a model, and its reference rows as a person would write them
    tree = train(mixed(), "random_forest", hyperparameters={"trees": 20})
    signature = tree.manifest.signature
    rows = tree.parts["train"]

    # when the graph is fed from the signature alone
    outputs = tree.predict(rows)

    # then it says what the manifest's reference says
    assert [(tensor.name, tensor.datatype, tensor.shape) for tensor in signature.inputs] == [
        ("numeric", "FP64", [-1, 3 + len(CALENDAR_PARTS)]),
        ("categorical", "BYTES", [-1, 1]),
    ]
    assert [(tensor.name, tensor.datatype, tensor.shape) for tensor in signature.outputs] == [
        ("label", "BYTES", [-1]),
        ("probabilities", "FP32", [-1, 2]),
    ]
    assert list(outputs) == ["label", "probabilities"]
    known = {tuple(np.round(scores, 5)) for scores in outputs["probabilities"].tolist()}
    assert all(tuple(np.round(scores, 5)) in known for scores in tree.manifest.reference["scores"])
    assert outputs["probabilities"].dtype == np.float32
    assert set(outputs["label"]) == {"0", "1"} == set(tree.manifest.labels or [])


def test_held_out_metrics_are_those_of_the_graph(train: Train) -> None:
    tree = train(mixed(task="regression"), "gradient_boosting")
    rows = tree.parts["test"]

    predicted = tree.predict(rows)["value"][:, 0]

    truth = np.array([tree.data.values("outcome")[row] for row in rows])
    assert tree.manifest.metrics["test"]["mse"] == pytest.approx(np.mean((truth - predicted) ** 2), rel=1e-5)
    assert tree.manifest.metrics["test"]["mae"] == pytest.approx(np.mean(np.abs(truth - predicted)), rel=1e-5)


def test_an_unseen_category_is_like_no_category_at_all(train: Train) -> None:
    data = mixed()
    cities = [value or "Bern" for value in data.values("city")]
    tree = train(data.with_columns(city=("category", cities)))
    rows = tree.parts["test"][:1]
    inputs = tree.inputs(rows)

    def probability(city: str) -> float:
        inputs["categorical"] = np.array([[city]], dtype=object)
        return float(tree.run(inputs)["probabilities"][0, 1])

    assert probability("Ατλαντίς") == probability("") == probability("never seen")
    assert probability("北京") > probability("never seen")


@pytest.mark.parametrize("algorithm", TABULAR)
def test_the_same_seed_gives_the_same_metrics(train: Train, algorithm: str) -> None:
    first, again, other = (train(mixed(), algorithm, seed=seed) for seed in (5, 5, 6))
    assert first.manifest.metrics == again.manifest.metrics
    assert first.manifest.files["model.onnx"] == again.manifest.files["model.onnx"]
    assert first.parts == again.parts
    assert first.parts != other.parts


def test_only_the_asked_features_are_used(train: Train) -> None:
    tree = train(mixed(), features=["customer_id", "âge"])
    assert [feature.name for feature in tree.manifest.signature.features] == ["âge", "customer_id"]
    assert tree.manifest.dropped == []


def test_rows_without_a_target_are_left_out_and_counted(train: Train) -> None:
    data = mixed()
    missing = [row for row, value in enumerate(data.values("outcome")) if value is None]
    tree = train(data)
    split = tree.manifest.split
    assert split["missing_target_rows"] == len(missing) > 0
    assert split["train"] + split["validation"] + split["test"] == 600 - len(missing)
    assert not set(missing) & {row for rows in tree.parts.values() for row in rows}
