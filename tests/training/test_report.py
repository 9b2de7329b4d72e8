"""The report beside a trained model: its numbers are those of the held-out rows, its pictures show them."""

import json
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from sklearn import metrics as sk

from tests.ml_tree import Data, Tree, builtin, mixed
from tests.training.conftest import Train

CLASSIFIED = {"confusion_matrix.svg", "roc.svg", "precision_recall.svg", "calibration.svg", "feature_importance.svg"}
PREDICTED = {"residuals.svg", "truth_and_prediction.svg", "feature_importance.svg"}


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


def test_a_column_that_gives_the_target_away_is_told(train: Train) -> None:
    data = mixed()
    copy = ("category", [f"was-{value}" for value in data.values(data.target)])

    report = report_of(train(data.with_columns(afterwards=copy)))

    assert [each.get("column") for each in report["warnings"] if each["code"] == "leakage"] == ["afterwards"]
    assert "leakage" not in codes(report_of(train(data)))


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
