"""What a request may ask of a smaller form of its model."""

from typing import Any

import pytest

from modelmill.errors import InvalidRequest
from modelmill.jobs.catalogue import CATALOGUE
from modelmill.jobs.optimization import resolve_optimize


def test_what_is_not_given_takes_its_default() -> None:
    assert resolve_optimize("tabular", "mlp", "binary", None) is None
    default = {"quantize": "int8", "max_metric_loss": 0.01}
    assert resolve_optimize("tabular", "mlp", "binary", {"quantize": "int8", "max_metric_loss": None}) == default
    asked = {"quantize": "float16", "max_metric_loss": 0}
    assert resolve_optimize("text", "auto", "binary", asked) == {"quantize": "float16", "max_metric_loss": 0.0}


@pytest.mark.parametrize(
    ("algorithm", "task", "asked", "field", "expected"),
    [
        ("mlp", "binary", {"quantize": "int4"}, "optimize.quantize", "got 'int4', expected one of int8, float16"),
        ("mlp", "binary", {"quantize": "int8", "max_metric_loss": -0.1}, "optimize.max_metric_loss", "got -0.1"),
        ("mlp", "binary", {"quantize": "int8", "max_metric_loss": 1.5}, "optimize.max_metric_loss", "from 0 to 1"),
        ("random_forest", "binary", {"quantize": "int8"}, "optimize", "random_forest has no weights"),
        ("auto", "clustering", {"quantize": "int8"}, "optimize", "kmeans has no weights"),
        ("auto", "anomaly_detection", {"quantize": "float16"}, "optimize", "isolation_forest has no weights"),
    ],
)
def test_what_cannot_be_done_is_told(
    algorithm: str, task: Any, asked: dict[str, Any], field: str, expected: str
) -> None:
    with pytest.raises(InvalidRequest) as caught:
        resolve_optimize("tabular", algorithm, task, asked)
    (error,) = caught.value.errors
    assert error.field == field
    assert expected in error.message


def test_the_catalogue_says_which_algorithms_have_weights() -> None:
    told = {(entry.kinds[0], entry.name) for entry in CATALOGUE if entry.to_dict()["quantizable"]}

    nets = {"text": ["text_linear", "lstm", "transformer", "bert"], "image": ["cnn", "resnet"], "timeseries": ["lstm"]}
    expected = {(kind, name) for kind, names in nets.items() for name in ["auto", *names]}
    assert told == expected | {("tabular", "auto"), ("tabular", "mlp"), ("tabular", "autoencoder")}
