"""The report beside a trained model: its numbers are those of the held-out rows, its pictures show them."""

import json
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from sklearn import metrics as sk

from tests.ml_tree import Data, Tree, builtin, mixed
from tests.training.conftest import Train

COLUMNS = {"feature_importance.svg", "shap.svg"}
CLASSIFIED = COLUMNS | {"confusion_matrix.svg", "roc.svg", "precision_recall.svg", "calibration.svg"}
PREDICTED = COLUMNS | {"residuals.svg", "truth_and_prediction.svg"}


def report_of(tree: Tree) -> dict[str, Any]:
    assert tree.failure is None, tree.failure
    return dict(json.loads((tree.root / "model" / "report.json").read_text()))


def codes(report: dict[str, Any]) -> set[str]:
    return {warning["code"] for warning in report["warnings"]}


def test_the_numbers_of_two_classes_are_those_of_the_held_out_rows(train: Train) -> None:
    tree = train(builtin("breast_cancer"))

    report = report_of(tree)

    rows = tree.parts["test"]
    truth = np.array(tree.data.values(tree.data.target))[rows] == report["labels"][1]
    scores = tree.predict(rows)["probabilities"][:, 1]
    assert report["rows"]["drawn"] == len(rows)
    assert report["roc"][0]["auc"] == pytest.approx(sk.roc_auc_score(truth, scores), abs=1e-6)
    assert report["precision_recall"][0]["average_precision"] == pytest.approx(
        sk.average_precision_score(truth, scores), abs=1e-6
    )
    assert sum(each["rows"] for each in report["calibration"][0]["bins"]) == len(rows)
    assert report["metrics"] == tree.manifest.metrics


@pytest.mark.parametrize(
    ("data", "pictures"),
    [("breast_cancer", CLASSIFIED), ("iris", CLASSIFIED), ("diabetes", PREDICTED)],
)
def test_the_pictures_are_listed_hashed_and_readable(train: Train, data: str, pictures: set[str]) -> None:
    tree = train(builtin(data))

    report = report_of(tree)

    assert set(report["pictures"]) == pictures
    assert pictures | {"report.json"} <= tree.manifest.files.keys()
    for name in pictures:
        root = ElementTree.parse(tree.root / "model" / name).getroot()
        assert root.tag.endswith("svg")


def test_the_column_that_decides_is_worth_most(train: Train) -> None:
    random = np.random.default_rng(0)
    useful, useless = random.normal(size=400), random.normal(size=400)
    target = (3 * useful + random.normal(size=400)).tolist()
    columns = {"useless": ("number", useless.tolist()), "useful": ("number", useful.tolist()), "y": ("number", target)}

    importance = report_of(train(Data(columns, "y", "regression")))["feature_importance"]

    assert importance["metric"] == "r2"
    assert [each["column"] for each in importance["columns"]] == ["useful", "useless"]
    assert importance["columns"][0]["importance"] > 0.5 > abs(importance["columns"][1]["importance"])


@pytest.mark.parametrize(
    ("algorithm", "method"),
    [("linear", "linear"), ("random_forest", "tree"), ("gradient_boosting", "tree"), ("svm", "permutation")],
)
def test_shap_values_are_what_columns_add_in_units_of_the_target(train: Train, algorithm: str, method: str) -> None:
    random = np.random.default_rng(0)
    up, down = random.normal(size=600), random.normal(size=600)
    colour = random.choice(["red", "green"], 600)
    # Far from zero, so that every algorithm learns a standardised target.
    target = 10_000 + 3 * up - 2 * down + np.where(colour == "red", 1.0, -1.0)
    columns = {"up": up, "down": down, "y": target}
    numbers = {name: ("number", values.tolist()) for name, values in columns.items()}

    found = report_of(train(Data(numbers | {"colour": ("category", colour.tolist())}, "y", "regression"), algorithm))

    shap = found["shap"]
    assert (shap["method"], shap["unit"]) == (method, "value")
    assert [each["column"] for each in shap["columns"]] == ["up", "down", "colour"]
    sizes = {each["column"]: each["importance"] for each in shap["columns"]}
    points = {each["column"]: each for each in shap["points"]}
    own, values = (np.array(points["up"][name]) for name in ("own", "values"))
    assert len(values) == shap["rows"]
    assert sizes["up"] == pytest.approx(np.abs(3 * (own - up.mean())).mean(), rel=0.3)
    assert np.polyfit(own, values, 1)[0] == pytest.approx(3, rel=0.3)
    assert np.polyfit(points["down"]["own"], points["down"]["values"], 1)[0] == pytest.approx(-2, rel=0.3)
    assert sizes["colour"] == pytest.approx(1, abs=0.5)
    assert set(points["colour"]["own"]) == {None}


def test_shap_values_of_several_classes_are_told_by_label(train: Train) -> None:
    shap = report_of(train(builtin("iris"), "gradient_boosting"))["shap"]

    assert shap["unit"] == "log-odds"
    assert {"petal length (cm)", "petal width (cm)"} == {each["column"] for each in shap["columns"][:2]}
    for each in shap["columns"]:
        assert len(each["by_label"]) == 3
        assert each["importance"] == pytest.approx(np.mean(list(each["by_label"].values())))


def test_no_shap_values_where_they_would_take_too_long(train: Train) -> None:
    random = np.random.default_rng(0)
    columns = {f"x{place}": ("number", random.normal(size=60).tolist()) for place in range(300)}

    report = report_of(
        train(Data(columns | {"y": ("number", random.normal(size=60).tolist())}, "y", "regression"), "svm")
    )

    assert report["shap"] is None
    assert "shap.svg" not in report["pictures"]


def test_a_column_that_gives_the_target_away_is_told(train: Train) -> None:
    data = mixed()
    copy = ("category", [f"was-{value}" for value in data.values(data.target)])

    report = report_of(train(data.with_columns(afterwards=copy)))

    assert [each.get("column") for each in report["warnings"] if each["code"] == "leakage"] == ["afterwards"]
    assert "leakage" not in codes(report_of(train(data)))


@pytest.mark.parametrize("factor", [1.0, -2.5])
def test_a_number_that_gives_the_target_away_is_told(train: Train, factor: float) -> None:
    random = np.random.default_rng(0)
    target, noise = random.normal(size=300), random.normal(size=300)
    columns = {"copy": factor * target, "noise": noise, "near": target + 0.3 * noise, "y": target}

    report = report_of(
        train(Data({name: ("number", each.tolist()) for name, each in columns.items()}, "y", "regression"))
    )

    assert [each.get("column") for each in report["warnings"] if each["code"] == "leakage"] == ["copy"]


def test_a_model_that_knows_its_rows_by_heart_is_told(train: Train) -> None:
    random = np.random.default_rng(0)
    columns = {f"x{place}": ("number", random.normal(size=300).tolist()) for place in range(8)}
    noise = Data(columns | {"y": ("number", random.normal(size=300).tolist())}, "y", "regression")

    assert "overfitting" in codes(report_of(train(noise, "random_forest")))
    assert "overfitting" not in codes(report_of(train(builtin("diabetes"))))


def test_names_from_anywhere_can_be_drawn(train: Train) -> None:
    random = np.random.default_rng(0)
    first = random.normal(size=200)
    labels = ["_$x^2$", "评论<&>"]
    data = Data(
        {"一$\\frac": ("number", first.tolist()), "y": ("category", [labels[int(x > 0)] for x in first])}, "y", "binary"
    )

    report = report_of(train(data))

    assert set(report["pictures"]) == CLASSIFIED
