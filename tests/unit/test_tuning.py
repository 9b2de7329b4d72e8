"""What a request may ask of the search for hyper-parameters."""

from typing import Any

import pytest

from modelmill.errors import InvalidRequest
from modelmill.jobs.metrics import METRICS
from modelmill.jobs.progress import LogLine, read_progress
from modelmill.jobs.tuning import resolve_tuning
from modelmill_training import metrics as measured


def test_what_is_not_given_takes_its_default() -> None:
    defaults = {"trials": 30, "timeout_s": 600}

    assert resolve_tuning("tabular", "mlp", "binary", {}, None) is None
    assert resolve_tuning("tabular", "mlp", "binary", {}, {}) == {**defaults, "metric": "roc_auc"}
    assert resolve_tuning("tabular", "auto", "regression", {}, {"trials": None}) == {**defaults, "metric": "r2"}
    asked = {"trials": 5, "timeout_s": 60, "metric": "log_loss"}
    assert resolve_tuning("tabular", "linear", "multiclass", {"max_iter": 10}, asked) == asked


@pytest.mark.parametrize(
    ("task", "asked", "field", "expected"),
    [
        ("binary", {"trials": 0}, "tuning.trials", "got 0, expected an integer from 1 to 500"),
        ("binary", {"trials": 10**30}, "tuning.trials", "expected an integer from 1 to 500"),
        ("binary", {"timeout_s": -1}, "tuning.timeout_s", "got -1, expected an integer from 1 to 3600"),
        ("binary", {"metric": "r2"}, "tuning.metric", "'r2', expected one of roc_auc, f1, accuracy, precision"),
        ("regression", {"metric": "f1"}, "tuning.metric", "'f1', expected one of r2, rmse, mae, mse for regression"),
        ("regression", {"metric": ""}, "tuning.metric", "expected one of r2"),
        ("clustering", {}, "tuning", "clustering has no metric to tune by"),
    ],
)
def test_what_cannot_be_done_is_told(task: Any, asked: dict[str, Any], field: str, expected: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        resolve_tuning("tabular", "mlp", task, {}, asked)
    (error,) = caught.value.errors
    assert error.field == field
    assert expected in error.message


def test_something_must_be_left_to_search() -> None:
    given = {"alpha": 1.0}

    with pytest.raises(InvalidRequest, match="every hyper-parameter that could be searched is given"):
        resolve_tuning("tabular", "linear", "regression", given, {})
    assert resolve_tuning("tabular", "linear", "binary", given, {})


def test_all_that_is_wrong_is_told_at_once() -> None:
    with pytest.raises(InvalidRequest) as caught:
        resolve_tuning("tabular", "mlp", "binary", {}, {"trials": 0, "timeout_s": 10**9, "metric": "best"})
    assert [error.field for error in caught.value.errors] == ["tuning.trials", "tuning.timeout_s", "tuning.metric"]


def test_the_default_metric_is_the_one_that_algorithms_are_ranked_by() -> None:
    assert {task: next(iter(METRICS[task])) for task in measured.SCORE} == measured.SCORE


def test_trials_are_read_from_the_log() -> None:
    lines = [LogLine(1, '{"modelmill": "trial", "number": 0, "value": 0.5}'), LogLine(2, "trial 1")]

    assert read_progress(lines).to_dict() == {"curve": [], "trials": [{"number": 0, "value": 0.5}]}
    assert "trials" not in read_progress([]).to_dict()
