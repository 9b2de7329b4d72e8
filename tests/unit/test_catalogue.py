"""The algorithm catalogue: what it lists, what it accepts, and that it needs nothing but itself."""

import subprocess
import sys
from typing import get_args

import jsonschema
import pytest

from modelmill.datasets.kinds import DatasetKind
from modelmill.errors import InvalidRequest
from modelmill.jobs.catalogue import CATALOGUE, Algorithm, algorithms, resolve_hyperparameters, search_spaces
from modelmill.models.manifest import Task

every_entry = pytest.mark.parametrize("entry", CATALOGUE, ids=lambda entry: f"{entry.kinds[0]}-{entry.name}")


@every_entry
def test_every_entry_is_complete(entry: Algorithm) -> None:
    jsonschema.Draft202012Validator.check_schema(entry.schema())
    assert set(entry.kinds) <= set(get_args(DatasetKind))
    assert entry.title
    assert entry.summary
    assert set(entry.tasks) <= set(get_args(Task))
    for schema in entry.hyperparameters.values():
        assert schema["description"]
        jsonschema.validate(schema["default"], schema)


@every_entry
def test_nothing_given_means_all_defaults(entry: Algorithm) -> None:
    resolved = resolve_hyperparameters(entry.kinds[0], entry.name, {})
    assert resolved == {key: schema["default"] for key, schema in entry.hyperparameters.items()}


def test_a_name_stands_for_one_entry_of_a_kind() -> None:
    pairs = [(kind, entry.name) for entry in CATALOGUE for kind in entry.kinds]
    assert len(pairs) == len(set(pairs))


def test_the_entries_are_those_of_the_plan() -> None:
    names = ["auto", "linear", "svm", "decision_tree", "random_forest", "gradient_boosting", "mlp"]
    without_target = ["kmeans", "isolation_forest", "autoencoder"]
    assert list(algorithms("tabular")) == [*names, *without_target]


def test_given_values_replace_defaults_and_take_the_schemas_type() -> None:
    resolved = resolve_hyperparameters(
        "tabular", "mlp", {"epochs": 20.0, "layers": [10, 10.0], "l2": 1, "batch_size": 10}
    )
    assert (resolved["epochs"], resolved["layers"], resolved["l2"]) == (20, [10, 10], 1.0)
    assert isinstance(resolved["epochs"], int)
    assert all(isinstance(units, int) for units in resolved["layers"])
    assert isinstance(resolved["l2"], float)
    assert resolved["optimizer"] == "adam"


def test_defaults_cannot_be_changed_through_the_result() -> None:
    resolve_hyperparameters("tabular", "mlp", {})["layers"].append(1)
    assert resolve_hyperparameters("tabular", "mlp", {})["layers"] == [64, 32]


@pytest.mark.parametrize(
    ("algorithm", "given", "field", "got", "expected"),
    [
        ("mlp", {"epochs": 0}, "hyperparameters.epochs", "got 0", "an integer from 1 to 10000"),
        ("mlp", {"epochs": "many"}, "hyperparameters.epochs", "got 'many'", "an integer from 1"),
        ("mlp", {"epochs": True}, "hyperparameters.epochs", "got True", "an integer"),
        ("mlp", {"layers": [10, 0]}, "hyperparameters.layers", "got [10, 0]", "at most 16 items, each an integer"),
        ("mlp", {"optimizer": "lion"}, "hyperparameters.optimizer", "got 'lion'", "one of 'adam', 'adamw'"),
        ("linear", {"C": -1}, "hyperparameters.C", "got -1", "a number from 1e-06 to 1000000.0"),
        ("linear", {"C": float("nan")}, "hyperparameters.C", "got nan", "a number"),
        ("random_forest", {"trees": 0.5}, "hyperparameters.trees", "got 0.5", "an integer from 1 to 2000 or null"),
        ("random_forest", {"max_features": 3}, "hyperparameters.max_features", "got 3", "'sqrt', 'log2', 'all', null"),
        ("svm", {"kernel": "sigmoid"}, "hyperparameters.kernel", "got 'sigmoid'", "one of 'rbf', 'poly', 'linear'"),
        ("svm", {"max_rows": 10**6}, "hyperparameters.max_rows", "got 1000000", "an integer from 100 to 50000"),
        ("decision_tree", {"ccp_alpha": -1}, "hyperparameters.ccp_alpha", "got -1", "a number from 0 to 10 or null"),
        ("kmeans", {"clusters": 1}, "hyperparameters.clusters", "got 1", "an integer from 2 to 100 or null"),
        ("isolation_forest", {"quantile": 1.5}, "hyperparameters.quantile", "got 1.5", "a number from 0.5 to 1"),
        (
            "autoencoder",
            {"class_weight": "none"},
            "hyperparameters.class_weight",
            "unknown",
            "autoencoder takes layers",
        ),
        ("linear", {"trees": 5}, "hyperparameters.trees", "unknown", "linear takes C, alpha, max_iter"),
    ],
)
def test_a_bad_value_is_named(algorithm: str, given: dict, field: str, got: str, expected: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        resolve_hyperparameters("tabular", algorithm, given)
    (error,) = caught.value.errors
    assert error.field == field
    assert got in error.message
    assert expected in error.message


def test_all_bad_values_are_told_at_once() -> None:
    with pytest.raises(InvalidRequest) as caught:
        resolve_hyperparameters("tabular", "mlp", {"epochs": 0, "dropout": 1, "patience": 3})
    assert [error.field for error in caught.value.errors] == ["hyperparameters.epochs", "hyperparameters.dropout"]


def test_an_unknown_algorithm_is_told_with_those_there_are() -> None:
    with pytest.raises(InvalidRequest) as caught:
        resolve_hyperparameters("tabular", "perceptron", {})
    assert caught.value.errors[0].field == "algorithm"
    assert "auto, linear, svm, decision_tree, random_forest, gradient_boosting, mlp" in caught.value.detail


def test_listing_needs_no_library() -> None:
    code = "import sys, modelmill.jobs.catalogue; print('jsonschema' in sys.modules or 'numpy' in sys.modules)"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "False"


@every_entry
def test_tuning_looks_only_where_the_schema_allows(entry: Algorithm) -> None:
    for name, schema in entry.hyperparameters.items():
        space = schema.get("search", {"choices": []})
        ends = space["choices"] if "choices" in space else [space["low"], space["high"]]
        for value in ends:
            jsonschema.validate(value, schema)
        if "low" in space:
            assert space["low"] < space["high"]
            assert isinstance(space["low"], int) == isinstance(space["high"], int) == ("integer" in schema["type"])
        for other, values in space.get("when", {}).items():
            assert list(entry.hyperparameters).index(other) < list(entry.hyperparameters).index(name)
            assert set(values) <= set(entry.hyperparameters[other]["search"]["choices"])
        assert set(space.get("tasks", [])) <= set(entry.tasks)


def test_the_search_depends_on_the_task() -> None:
    linear = algorithms("tabular")["linear"]
    assert list(search_spaces(linear, "regression")) == ["alpha"]
    assert list(search_spaces(linear, "binary")) == ["C", "class_weight"]
