"""The search for hyper-parameters: it improves, it prunes, it repeats itself, it ends in time, and it tells all."""

import json
import time
from typing import Any

import numpy as np
import pytest

from modelmill.jobs.spec import TrainingSpec
from modelmill_training import tuning
from modelmill_training.failures import TrainingFailure
from modelmill_training.progress import Progress
from tests.kinds import digits, reviews, shops
from tests.ml_tree import Data, builtin, progress_lines
from tests.training.conftest import Train

pytestmark = [pytest.mark.filterwarnings(f"ignore::{name}Warning") for name in ("Deprecation", "Future", "User")]

ASKED = {"trials": 8, "timeout_s": 100, "metric": "roc_auc"}


def lines_of(output: str) -> list[dict[str, Any]]:
    return [line for line in progress_lines(output) if line["modelmill"] == "trial"]


def without(trials: list[dict[str, Any]], left_out: str) -> list[dict[str, Any]]:
    return [{name: value for name, value in trial.items() if name != left_out} for trial in trials]


def test_a_net_with_a_bad_default_is_improved(train: Train, capsys: pytest.CaptureFixture[str]) -> None:
    # given a net that five epochs of the usual learning rate leave half trained
    given = {"epochs": 5, "layers": [8], "optimizer": "sgd", "batch_size": 64, "schedule": "constant"}

    # when its other hyper-parameters are searched
    tree = train(builtin("breast_cancer"), "mlp", hyperparameters=given, tuning={**ASKED, "metric": "log_loss"})

    # then the best is better than the defaults, and is what was trained
    assert tree.failure is None
    result, used = tree.manifest.tuning, tree.manifest.spec["hyperparameters"]
    assert result is not None
    assert result["best_value"] < 0.7 * result["default_value"]
    trials = lines_of(capsys.readouterr().out)
    assert [trial["number"] for trial in trials] == list(range(8))
    best = trials[result["best"]]
    assert (best["value"], best["state"]) == (result["best_value"], "done")
    assert {name: used[name] for name in best["hyperparameters"]} == best["hyperparameters"]
    assert {name: used[name] for name in given} == given
    assert tree.manifest.metrics["test"]["roc_auc"] > 0.97

    # and the report tells the search, with pictures
    report = json.loads((tree.root / "model/report.json").read_text())
    assert report["tuning"]["history"] == without(trials, "modelmill")
    assert {entry["hyperparameter"] for entry in report["tuning"]["importances"]} <= set(best["hyperparameters"])
    assert sum(entry["importance"] for entry in report["tuning"]["importances"]) == pytest.approx(1)
    for name in ("tuning_history.svg", "tuning_importance.svg"):
        assert name in report["pictures"]
        assert (tree.root / "model" / name).read_text().startswith("<?xml")


@pytest.mark.parametrize("algorithm", ["gradient_boosting", "linear", "svm", "decision_tree", "random_forest"])
def test_every_algorithm_is_tuned(train: Train, algorithm: str) -> None:
    tree = train(builtin("diabetes"), algorithm, tuning={"trials": 6, "timeout_s": 60, "metric": "rmse"})

    assert tree.failure is None
    result = tree.manifest.tuning
    assert result is not None
    assert sum(result["trials"].values()) == 6
    assert result["best_value"] <= result["default_value"]
    assert tree.manifest.parity["passed"]


@pytest.mark.parametrize(
    ("data", "algorithm", "given", "metric"),
    [
        (reviews(), "text_linear", {"max_features": 500}, "roc_auc"),
        (digits(200), "cnn", {"epochs": 2, "filters": [8]}, "accuracy"),
        (shops(200), "gradient_boosting", {"max_iter": 20, "season": 24}, "mase"),
        (shops(200), "lstm", {"epochs": 2, "units": [4], "season": 24}, "rmse"),
    ],
)
def test_every_kind_of_data_is_tuned(train: Train, data: Data, algorithm: str, given: Any, metric: str) -> None:
    asked: dict[str, Any] = {"hyperparameters": given, "tuning": {"trials": 3, "timeout_s": 200, "metric": metric}}
    if data.kind == "timeseries":
        asked |= {"time": "hour", "series": "shop", "horizon": 12}

    tree = train(data, algorithm, **asked)

    assert tree.failure is None, tree.failure
    result, used = tree.manifest.tuning, tree.manifest.spec["hyperparameters"]
    assert result is not None
    history = json.loads((tree.root / "model/report.json").read_text())["tuning"]["history"]
    assert result["trials"] == {"done": 3}
    best = history[result["best"]]
    assert {name: used[name] for name in best["hyperparameters"]} == best["hyperparameters"]
    assert {name: used[name] for name in given} == given
    assert tree.manifest.metrics["validation"][metric] == pytest.approx(best["value"], rel=1e-3)
    assert tree.manifest.parity["passed"]


def test_the_winner_of_auto_is_tuned_for_texts_too(train: Train) -> None:
    tree = train(reviews(), "auto", hyperparameters={"time_budget_s": 60}, tuning={**ASKED, "trials": 2})

    assert tree.failure is None, tree.failure
    assert tree.manifest.algorithm == "text_linear"
    assert [line["status"] for line in tree.manifest.leaderboard or []] == ["done", "dropped", "dropped"]
    assert (tree.manifest.tuning or {})["trials"] == {"done": 2}


def test_the_winner_of_auto_is_tuned(train: Train) -> None:
    tree = train(builtin("iris"), "auto", hyperparameters={"time_budget_s": 60}, tuning={**ASKED, "trials": 3})

    assert tree.failure is None
    assert tree.manifest.leaderboard
    assert tree.manifest.tuning
    assert sum(tree.manifest.tuning["trials"].values()) == 3
    assert tree.manifest.algorithm == tree.manifest.leaderboard[0]["algorithm"]


def test_the_same_seed_tries_the_same(train: Train, capsys: pytest.CaptureFixture[str]) -> None:
    # given hyper-parameters of all forms, those of a kernel among them
    def run() -> list[dict[str, Any]]:
        tree = train(builtin("wine"), "svm", tuning={**ASKED, "trials": 12})
        assert tree.failure is None
        return lines_of(capsys.readouterr().out)

    # when they are searched twice
    first, second = run(), run()

    # then the trials are the same, and a kernel has only what matters for it
    assert without(first, "seconds") == without(second, "seconds")
    assert {trial["state"] for trial in first} <= {"done", "pruned"}
    assert all(trial["steps"] < 3 for trial in first if trial["state"] == "pruned")
    for trial in first:
        found = trial["hyperparameters"]
        assert ("degree" in found) == (found["kernel"] == "poly")
        assert ("gamma" in found) == (found["kernel"] != "linear")


def spec(**asked: Any) -> TrainingSpec:
    chosen = {"trials": 10, "timeout_s": 60, "metric": "r2", **asked}
    fields = {"job_id": "j", "model": "m", "dataset_id": "d", "dataset_sha256": "", "kind": "tabular"}
    fields |= {"task": "regression", "algorithm": "linear", "hyperparameters": {}, "target": "y", "features": None}
    return TrainingSpec(**fields, seed=1, catalogue_version=1, tuning=chosen)  # type: ignore[arg-type]


def test_the_time_is_held(capsys: pytest.CaptureFixture[str]) -> None:
    # given trials of many steps that each take a while
    def objective(given: Any, report: Any, progress: Progress) -> float:
        for step in range(100):
            time.sleep(0.02)
            progress.report("fit", step, 100)
        return 1.0

    # when the time ends within the first
    started = time.monotonic()
    found = tuning.search(spec(timeout_s=1), "linear", {}, objective, Progress())

    # then it ends at its next step, and the defaults stay
    assert time.monotonic() - started < 1.5
    assert found.summary["trials"] == {"out_of_time": 1}
    assert found.summary["best_value"] is None
    assert found.hyperparameters["alpha"] == 0.0


def test_no_trial_starts_that_would_not_end_in_time() -> None:
    def objective(given: Any, report: Any, progress: Progress) -> float:
        time.sleep(0.4)
        return float(given["alpha"])

    started = time.monotonic()
    found = tuning.search(spec(timeout_s=1), "linear", {}, objective, Progress())

    assert time.monotonic() - started < 1.2
    assert found.summary["trials"] == {"done": 2}


def test_trials_that_fail_are_told_and_the_others_go_on(capsys: pytest.CaptureFixture[str]) -> None:
    def objective(given: Any, report: Any, progress: Progress) -> float:
        if given["alpha"] == 0:
            raise TrainingFailure("diverged", "The loss is nan.")
        return float("nan") if given["alpha"] > 10 else float(given["alpha"])

    found = tuning.search(spec(trials=20), "linear", {}, objective, Progress())

    trials = lines_of(capsys.readouterr().out)
    assert {trial["reason"] for trial in trials if trial["state"] == "failed"} == {
        "The loss is nan.",
        "ValueError: the r2 is nan",
    }
    assert found.summary["default_value"] is None
    assert 0 < found.hyperparameters["alpha"] <= 10


def test_all_failing_is_a_failure_that_says_why(train: Train) -> None:
    def objective(given: Any, report: Any, progress: Progress) -> float:
        raise ValueError("no such luck")

    with pytest.raises(TrainingFailure, match=r"All 3 trials failed \(ValueError: no such luck\)") as caught:
        tuning.search(spec(trials=3), "linear", {}, objective, Progress())
    assert caught.value.code == "tuning_failed"


def test_defaults_that_nothing_beats_stay() -> None:
    found = tuning.search(spec(), "linear", {}, lambda given, *_: -given["alpha"], Progress())

    assert (found.summary["best"], found.hyperparameters["alpha"]) == (0, 0.0)


def test_what_falls_behind_is_pruned_and_what_leads_is_not() -> None:
    # given losses that fall at each step, lowest for small values
    def objective(given: Any, report: Any, progress: Progress) -> float:
        for step in range(1, 21):
            report(step, given["alpha"] + 1 / step)
        return -float(given["alpha"])

    found = tuning.search(spec(trials=30), "linear", {}, objective, Progress())

    history = found.report["history"]
    assert found.summary["trials"]["pruned"] > 5
    pruned = [trial["hyperparameters"]["alpha"] for trial in history if trial["state"] == "pruned"]
    done = [trial["hyperparameters"]["alpha"] for trial in history if trial["state"] == "done"]
    assert np.median(pruned) > np.median(done)
    assert all(trial["steps"] < 20 for trial in history if trial["state"] == "pruned")
