"""Keras networks, textbook ones among them; all in one process, since TensorFlow is slow to import."""

import json
from typing import Any

import numpy as np
import pytest

from tests.ml_tree import Columns, Data, Tree, builtin, mixed, progress_lines, run_entry, write_tree

TEXTBOOK = {"layers": [10], "epochs": 100, "batch_size": 10, "patience": 0}


def rings(rows: int = 1500) -> Data:
    """Two classes, one around the other, enough of them for `auto` to try a net."""
    random = np.random.default_rng(0)
    points = random.normal(size=(rows, 2))
    labels = (np.hypot(*points.T) > 1.2).tolist()
    columns: Columns = {"x": ("number", points[:, 0].tolist()), "y": ("number", points[:, 1].tolist())}
    return Data({**columns, "target": ("boolean", labels)}, "target", "binary")


JOBS: dict[str, tuple[Data, str, dict[str, Any]]] = {
    "dense 10": (builtin("iris"), "mlp", {"hyperparameters": TEXTBOOK}),
    "two layers of 10": (builtin("diabetes"), "mlp", {"hyperparameters": {**TEXTBOOK, "layers": [10, 10]}}),
    "no hidden layer": (
        builtin("wine"),
        "mlp",
        {"hyperparameters": {"layers": [], "optimizer": "sgd", "epochs": 50, "learning_rate": 0.1}},
    ),
    "everything": (
        mixed(),
        "mlp",
        {
            "hyperparameters": {
                "layers": [16, 8],
                "activation": "tanh",
                "optimizer": "adamw",
                "learning_rate": 0.01,
                "dropout": 0.1,
                "l2": 0.0001,
                "patience": 3,
                "epochs": 200,
            }
        },
    ),
    "everything again": (mixed(), "mlp", {}),
    "few rows": (builtin("iris").take(range(0, 150, 10)), "mlp", {"hyperparameters": {"epochs": 2}}),
    "auto": (rings(), "auto", {"hyperparameters": {"time_budget_s": 300}}),
}
JOBS["everything again"] = JOBS["everything"]


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Tree], dict[str, list[dict[str, Any]]]]:
    """Each job's tree, and each job's progress."""
    folder = tmp_path_factory.mktemp("mlp")
    trees = {
        name: write_tree(folder / name.replace(" ", "-"), data, algorithm, **spec)
        for name, (data, algorithm, spec) in JOBS.items()
    }
    result = run_entry(*trees.values())
    assert result.returncode == 0, result.stderr
    lines = progress_lines(result.stdout)
    starts = [place for place, line in enumerate(lines) if line.get("phase") == "load"]
    ends = [*starts[1:], len(lines)]
    progress = [lines[start:end] for start, end in zip(starts, ends, strict=True)]
    return trees, dict(zip(trees, progress, strict=True))


@pytest.fixture
def trees(ran: Any) -> dict[str, Tree]:
    return ran[0]


@pytest.fixture
def progress(ran: Any) -> dict[str, list[dict[str, Any]]]:
    return ran[1]


@pytest.mark.parametrize(
    ("name", "metric", "least"),
    [
        ("dense 10", "accuracy", 0.85),
        ("two layers of 10", "r2", 0.35),
        ("no hidden layer", "accuracy", 0.85),
        ("everything", "roc_auc", 0.9),
    ],
)
def test_nets_learn_and_their_graph_agrees(trees: dict[str, Tree], name: str, metric: str, least: float) -> None:
    manifest = trees[name].manifest
    assert manifest.metrics["test"][metric] > least
    assert manifest.parity["passed"]
    assert manifest.parity["max_error"] < 1e-5
    assert manifest.parity["label_flips"] == 0


def test_the_report_shows_how_a_net_learned(trees: dict[str, Tree]) -> None:
    report = json.loads((trees["no hidden layer"].root / "model" / "report.json").read_text())

    assert report["learning_curve"][0].keys() >= {"step", "loss", "val_loss"}
    assert report["learning_curve"][-1]["loss"] < report["learning_curve"][0]["loss"]
    assert "learning_curve.svg" in report["pictures"]


def test_one_graph_holds_preprocessing_and_net(trees: dict[str, Tree]) -> None:
    tree = trees["everything"]
    outputs = tree.predict(tree.parts["test"])
    assert list(outputs) == ["label", "probabilities"]
    truth = [str(tree.data.values("outcome")[row]) for row in tree.parts["test"]]
    accuracy = np.mean(outputs["label"] == np.array(truth, dtype=object))
    assert accuracy == pytest.approx(tree.manifest.metrics["test"]["accuracy"])


def test_a_regression_net_answers_in_the_targets_unit(trees: dict[str, Tree]) -> None:
    tree = trees["two layers of 10"]
    value = tree.predict(tree.parts["test"])["value"]
    assert value.shape == (len(tree.parts["test"]), 1)
    assert value.dtype == np.float64
    assert 100 < value.mean() < 200


def test_the_same_seed_gives_the_same_net(trees: dict[str, Tree]) -> None:
    first, again = trees["everything"], trees["everything again"]
    assert first.manifest.metrics == again.manifest.metrics
    assert first.manifest.reference == again.manifest.reference


def test_each_epoch_is_told_with_its_metrics(progress: dict[str, list[dict[str, Any]]]) -> None:
    epochs = [line for line in progress["dense 10"] if line["phase"] == "fit" and line["step"]]
    assert [line["step"] for line in epochs] == list(range(1, 101))
    assert {line["total"] for line in epochs} == {100}
    assert all(set(line["metrics"]) == {"loss", "accuracy", "val_loss", "val_accuracy"} for line in epochs)
    regression = [line for line in progress["two layers of 10"] if line["phase"] == "fit" and line["step"]]
    assert set(regression[-1]["metrics"]) == {"loss", "val_loss"}
    assert regression[-1]["metrics"]["loss"] < regression[0]["metrics"]["loss"]


def test_training_stops_when_the_validation_loss_does_not_fall(
    progress: dict[str, list[dict[str, Any]]], trees: dict[str, Tree]
) -> None:
    epochs = [line for line in progress["everything"] if line["phase"] == "fit" and line["step"]]
    losses = [line["metrics"]["val_loss"] for line in epochs]
    assert len(epochs) < 200
    best = int(np.argmin(losses))
    assert len(epochs) == best + 1 + 3
    # the L2 penalty, which log_loss leaves out, is small
    assert trees["everything"].manifest.metrics["validation"]["log_loss"] == pytest.approx(losses[best], abs=0.02)


def test_auto_tries_a_net_where_the_rows_suffice(trees: dict[str, Tree]) -> None:
    board = {line["algorithm"]: line for line in trees["auto"].manifest.leaderboard or []}
    assert board["mlp"]["status"] == "done"
    assert board["mlp"]["score"] > 0.95 > board["linear"]["score"]


def test_a_net_is_trained_on_few_rows_too(trees: dict[str, Tree]) -> None:
    assert trees["few rows"].manifest.parity["passed"]
    assert trees["few rows"].manifest.libraries["keras"]
