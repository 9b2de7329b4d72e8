"""The numbers of a report on clusters or anomalies."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from modelmill.jobs.spec import TrainingSpec
from modelmill.models.signature import Feature
from modelmill_training import bundle
from modelmill_training.data import Categories, Integers, Numbers, Table
from modelmill_training.report.warnings import small_parts
from modelmill_training.tabular.prepare import Prepared
from modelmill_training.tabular.unsupervised import Model, Rows

MAX_STRANGEST = 20
MAX_COLUMNS = 50


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a report is made from: of each part the rows by their place among all, and what the model says of them."""

    model: Model
    places: dict[str, Integers]
    parts: dict[str, Rows]
    metrics: dict[str, dict[str, Any]]
    curve: list[dict[str, Any]]


def build(spec: TrainingSpec, algorithm: str, prepared: Prepared, evidence: Evidence) -> dict[str, Any]:
    """The report, JSON-ready."""
    special = _clusters if spec.task == "clustering" else _strangest
    return {
        "task": spec.task,
        "algorithm": algorithm,
        "labels": None,
        "rows": prepared.split.to_dict() | {"drawn": len(evidence.places["test"])},
        "metrics": evidence.metrics,
        "warnings": [*small_parts(prepared.split), *evidence.model.warnings(evidence.parts, evidence.metrics)],
        "learning_curve": evidence.curve,
        **evidence.model.describe(evidence.parts, spec.seed),
        **special(prepared, evidence),
    }


def _clusters(prepared: Prepared, evidence: Evidence) -> dict[str, Any]:
    """`clusters`: how many rows of each part are in each, and what is typical of its training rows."""
    found = {part: rows.outputs["cluster"].astype(np.int64) for part, rows in evidence.parts.items()}
    count = evidence.parts["train"].outputs["distances"].shape[1]
    table = prepared.table.take(evidence.places["train"])
    features = prepared.preprocessing.features[:MAX_COLUMNS]
    return {
        "clusters": [
            {
                "cluster": cluster,
                "rows": {part: int(np.count_nonzero(each == cluster)) for part, each in found.items()},
                "typical": _typical(table.take(found["train"] == cluster), features),
            }
            for cluster in range(count)
        ]
    }


def _strangest(prepared: Prepared, evidence: Evidence) -> dict[str, Any]:
    """`strangest`: the rows of the dataset with the highest scores, counted from 0."""
    entries = [
        (float(score), int(prepared.present_rows[row]), part)
        for part, rows in evidence.parts.items()
        for score, row in _highest(rows.outputs["score"], evidence.places[part])
    ]
    ranked = sorted(entries, key=lambda entry: (-entry[0], entry[1]))[:MAX_STRANGEST]
    return {"strangest": [{"row": row, "part": part, "score": score} for score, row, part in ranked]}


def _highest(scores: Any, places: Integers) -> list[tuple[Any, Any]]:
    order = np.argsort(-scores, kind="stable")[:MAX_STRANGEST]
    return list(zip(scores[order], places[order], strict=True))


def _typical(table: Table, features: list[Feature]) -> dict[str, Any]:
    """By column the mean of numbers and times (of booleans: the share that is true), or the most frequent category."""
    return {feature.name: _typical_value(table, feature) for feature in features} if table.rows else {}


def _typical_value(table: Table, feature: Feature) -> Any:
    values = table.columns[feature.name]
    if isinstance(values, Categories):
        codes = values.codes[values.codes >= 0]
        return values.names[int(np.bincount(codes).argmax())] if len(codes) else None
    present = values.values[~np.isnan(values.values[:, 0])]
    if not len(present):
        return None
    mean = present.mean(axis=0, keepdims=True)
    if feature.type != "timestamp":
        return float(mean[0, 0])
    (row,) = bundle.reference_values(Table(1, {feature.name: Numbers(mean)}), [feature])
    return row[feature.name]
