"""The choice among algorithms."""

import time
from typing import Any

import numpy as np
import pytest

from modelmill_training.tabular import auto, folds
from modelmill_training.tabular.algorithms import linear
from tests.ml_tree import Columns, Data, builtin, progress_lines
from tests.training.conftest import Train


def checkerboard(rows: int = 900) -> Data:
    """What no line can separate."""
    random = np.random.default_rng(0)
    points = random.uniform(0, 2, (rows, 2))
    labels = (points.astype(int).sum(axis=1) % 2).tolist()
    columns: Columns = {"x": ("number", points[:, 0].tolist()), "y": ("number", points[:, 1].tolist())}
    return Data({**columns, "target": ("integer", labels)}, "target", "binary")


def circles(rows: int = 300) -> Data:
    """Two classes that a smooth curve separates, with noise around it."""
    random = np.random.default_rng(1)
    points = random.normal(size=(rows, 4))
    labels = (np.linalg.norm(points, axis=1) + random.normal(0, 0.2, rows) > 1.9).astype(int).tolist()
    columns: Columns = {name: ("number", points[:, place].tolist()) for place, name in enumerate("abcd")}
    return Data({**columns, "target": ("integer", labels)}, "target", "binary")


def board_of(tree: Any) -> dict[str, dict[str, Any]]:
    return {line["algorithm"]: line for line in tree.manifest.leaderboard}


def test_the_best_is_trained_and_all_are_listed(train: Train, capsys: pytest.CaptureFixture[str]) -> None:
    tree = train(checkerboard(), "auto")

    board = tree.manifest.leaderboard or []
    assert {line["algorithm"] for line in board} == {"linear", "random_forest", "gradient_boosting", "svm", "mlp"}
    assert tree.manifest.algorithm == board[0]["algorithm"] != "linear"
    assert tree.manifest.spec["algorithm"] == board[0]["algorithm"]
    assert tree.manifest.metrics["test"]["accuracy"] > 0.95
    assert [line["score"] for line in board[:4]] == sorted((line["score"] for line in board[:4]), reverse=True)
    assert {line["metric"] for line in board} == {"roc_auc"}
    assert board_of(tree)["mlp"]["status"] == "dropped"
    assert "few for a net" in board_of(tree)["mlp"]["reason"]
    told = [line for line in progress_lines(capsys.readouterr().out) if line["modelmill"] == "candidate"]
    assert [{name: value for name, value in line.items() if name != "modelmill"} for line in told] == [
        board_of(tree)[line["algorithm"]] for line in told
    ]


def test_a_straight_line_wins_where_there_is_one(train: Train) -> None:
    tree = train(builtin("diabetes"), "auto")
    assert tree.manifest.algorithm == "linear"
    assert board_of(tree)["linear"]["metric"] == "r2"


def test_what_does_not_fit_into_the_budget_is_listed_as_not_finished(
    train: Train, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given that a fold of any candidate takes a second
    fit = auto.fit

    def slow(*arguments: Any) -> Any:
        time.sleep(1)
        return fit(*arguments)

    monkeypatch.setattr(auto, "fit", slow)

    tree = train(checkerboard(), "auto", hyperparameters={"time_budget_s": 4})

    board = board_of(tree)
    assert tree.manifest.algorithm == "linear"
    assert board["linear"]["status"] == "done"
    assert board["gradient_boosting"]["status"] == "dropped"
    assert board["gradient_boosting"]["reason"].startswith("not finished: a try, and training the best so far, would ")
    assert board["random_forest"]["score"] is None


def test_a_candidate_that_breaks_drops_out_with_the_reason(train: Train, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: object) -> None:
        raise ValueError("the matrix is singular")

    monkeypatch.setattr(linear, "fit", broken)
    tree = train(builtin("diabetes"), "auto")
    assert board_of(tree)["linear"]["reason"] == "ValueError: the matrix is singular"
    assert tree.manifest.algorithm in ("random_forest", "gradient_boosting", "svm")


def test_a_winner_that_is_too_large_gives_way_to_the_next(train: Train) -> None:
    tree = train(checkerboard(), "auto", max_model_bytes=3000)
    assert tree.manifest.algorithm == "linear"
    board = board_of(tree)
    assert board["gradient_boosting"]["score"] > board["linear"]["score"]
    assert {board[name]["status"] for name in ("gradient_boosting", "random_forest", "svm")} == {"dropped"}
    assert "ask for a lower max_iter" in board["gradient_boosting"]["reason"]
    assert "ask for fewer trees" in board["random_forest"]["reason"]
    assert "ask for a lower max_rows" in board["svm"]["reason"]


def test_nothing_left_fails_with_all_reasons(train: Train) -> None:
    tree = train(checkerboard(), "auto", max_model_bytes=100)
    assert tree.failure is not None
    assert tree.failure.startswith("no_candidate: No algorithm could be trained (")
    assert "use fewer columns" in tree.failure


def test_support_vectors_win_where_curves_are_smooth(train: Train) -> None:
    board = board_of(train(circles(), "auto"))
    assert board["svm"]["score"] > max(
        board[name]["score"] for name in ("linear", "gradient_boosting", "random_forest")
    )


def test_many_rows_are_too_many_for_support_vectors(train: Train, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(auto, "SVM_ROWS", 600)
    board = board_of(train(checkerboard(), "auto"))
    assert board["svm"]["reason"] == "not tried: 628 training rows are many for svm, which is tried up to 600"


def test_large_data_is_sampled_in_proportion(monkeypatch: pytest.MonkeyPatch, train: Train) -> None:
    sampled: list[np.ndarray] = []
    choose = auto.sample_rows

    def spy(prepared: Any, seed: int) -> np.ndarray:
        rows = choose(prepared, seed)
        sampled.append(prepared.target.values[rows])
        return rows

    monkeypatch.setattr(folds, "MAX_ROWS", 300)
    monkeypatch.setattr(auto, "sample_rows", spy)
    data = checkerboard()
    labels = ["rare" if row % 10 == 0 else "often" for row in range(900)]
    tree = train(data.with_columns(target=("category", labels)), "auto", hyperparameters={"time_budget_s": 30})
    assert tree.failure is None
    assert np.bincount(sampled[0]).tolist() == [270, 30]


def test_the_time_to_train_the_leader_on_all_rows_stays_reserved(train: Train, monkeypatch: pytest.MonkeyPatch) -> None:
    # given a sample so small that training on all rows takes thirty times longer than a fold
    fit = auto.fit

    def slow(name: str, request: Any) -> Any:
        time.sleep({"linear": 0.0, "gradient_boosting": 0.1, "random_forest": 0.5, "svm": 0.5}[name])
        return fit(name, request)

    monkeypatch.setattr(auto, "fit", slow)
    monkeypatch.setattr(folds, "MAX_ROWS", 32)
    tree = train(checkerboard(), "auto", hyperparameters={"time_budget_s": 12})
    board = board_of(tree)
    assert board["gradient_boosting"]["status"] == "done"
    assert board["random_forest"]["reason"].startswith("not finished: the other folds and training on all rows would")
