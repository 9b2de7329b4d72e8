"""Jobs that ask for a smaller form of their model."""

import json
from pathlib import Path
from typing import Any

import pytest

from modelmill.serving.trial import try_bundle
from tests.kinds import reviews, shops
from tests.ml_tree import Data, builtin
from tests.training.conftest import Train

# What TensorFlow and its ONNX export warn of in their own code.
pytestmark = [pytest.mark.filterwarnings(f"ignore::{name}Warning") for name in ("Deprecation", "Future", "User")]

CANCER = builtin("breast_cancer").columns
WITHOUT_TARGET = Data({name: CANCER[name] for name in CANCER if name != "target"}, None, "anomaly_detection")
SHOPS = {"time": "hour", "series": "shop", "horizon": 12, "features": ["warmth"]}


@pytest.mark.parametrize(
    ("data", "algorithm", "form", "settings", "more", "share"),
    [
        (builtin("iris"), "mlp", "int8", {"layers": [520, 520], "epochs": 2}, {}, 0.3),
        (WITHOUT_TARGET, "autoencoder", "float16", {"epochs": 2}, {}, 0.75),
        (reviews(200), "lstm", "int8", {"embedding": 32, "units": [32], "vocabulary": 500, "epochs": 1}, {}, 0.45),
        (reviews(), "text_linear", "float16", {"tokens": "characters", "ngrams": 4}, {}, 0.9),
        (shops(300), "lstm", "int8", {"units": [48], "epochs": 1}, SHOPS, 0.75),
    ],
)
def test_the_smaller_form_is_kept_and_is_what_the_bundle_tells_of(
    train: Train, data: Data, algorithm: str, form: str, settings: dict[str, Any], more: dict[str, Any], share: float
) -> None:
    asked = {"quantize": form, "max_metric_loss": 0.05}

    tree = train(data, algorithm, hyperparameters=settings, optimize=asked, **more)

    assert tree.failure is None
    manifest, folder = tree.manifest, tree.root / "model"
    found = manifest.optimization or {}
    assert (found["kept"], found["reason"], found["asked"]) == (True, None, asked)
    before, after = found["before"], found["after"]
    assert after["model_bytes"] == manifest.files["model.onnx"].bytes == manifest.placement["model_bytes"]
    assert after["model_bytes"] < share * before["model_bytes"]
    assert all(costs[name] > 0 for costs in (before, after) for name in ("latency_us", "batch_latency_us"))
    assert (before["metric"] is None) == (manifest.task == "anomaly_detection")
    assert manifest.parity == found["parity"]
    assert manifest.parity["within"] >= 0.99
    report = json.loads((folder / "report.json").read_bytes())
    assert report["optimization"] == found
    assert "optimization.svg" in report["pictures"]
    # admission runs the bundle on its reference rows, whose scores are those of the smaller form
    assert try_bundle(folder, "whole")["placement"]["model_bytes"] > 0


def test_where_nothing_is_large_enough_the_graph_stays_and_the_reason_is_told(train: Train, tmp_path: Path) -> None:
    asked = {"quantize": "int8", "max_metric_loss": 0.01}

    tree = train(builtin("iris"), "mlp", hyperparameters={"layers": [4], "epochs": 1}, optimize=asked)

    found = tree.manifest.optimization or {}
    assert not found["kept"]
    assert "no weights of 1,024 values or more" in found["reason"]
    assert tree.manifest.parity["tolerance"] == 1e-4
    assert found["after"]["model_bytes"] == found["before"]["model_bytes"]
