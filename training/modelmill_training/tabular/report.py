"""The numbers of a report, all of held-out rows unless they say otherwise."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from modelmill.models.manifest import Task
from modelmill_training.data import Floats, Integers, Table
from modelmill_training.metrics import SCORE, evaluate
from modelmill_training.report import curves
from modelmill_training.report.warnings import overfitting, small_parts
from modelmill_training.split import sample
from modelmill_training.tabular import shapley
from modelmill_training.tabular.algorithms import Model
from modelmill_training.tabular.importance import permutation_importance
from modelmill_training.tabular.leakage import leakage
from modelmill_training.tabular.prepare import Prepared

MAX_ROWS = 2_000


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a report is made from.

    scaled: whether the model takes standardised numbers. predict: scores for rows of a table. metrics: of each part.
    curve: metrics of epochs, where there were any.
    """

    task: Task
    algorithm: str
    prepared: Prepared
    model: Model
    scaled: bool
    predict: Callable[[Table], Floats]
    metrics: dict[str, dict[str, Any]]
    curve: list[dict[str, Any]]
    seed: int


def build(evidence: Evidence) -> dict[str, Any]:
    """The report, JSON-ready; what the rows do not allow is left out or empty."""
    prepared = evidence.prepared
    rows = sample(prepared.split.test, MAX_ROWS, evidence.seed)
    table, truth = prepared.table.take(rows), prepared.target.values[rows]
    scores = evidence.predict(table)
    warnings = [
        *small_parts(prepared.split),
        *overfitting(evidence.task, evidence.metrics),
        *leakage(evidence.task, prepared, evidence.seed),
    ]
    return {
        "task": evidence.task,
        "algorithm": evidence.algorithm,
        "labels": prepared.target.labels,
        "rows": prepared.split.to_dict() | {"drawn": len(rows)},
        "metrics": evidence.metrics,
        "warnings": warnings,
        "feature_importance": {
            "metric": SCORE[evidence.task],
            "columns": permutation_importance(_used(prepared, table), _scorer(evidence, truth), evidence.seed),
        },
        "shap": shapley.explain(_explained(evidence, rows)),
        "learning_curve": evidence.curve,
        **curves.all_curves(truth, scores, prepared.target.labels),
    }


def _explained(evidence: Evidence, rows: Integers) -> shapley.Explained:
    prepared = evidence.prepared
    return shapley.Explained(
        algorithm=evidence.algorithm,
        model=evidence.model,
        preprocessing=prepared.preprocessing,
        scaled=evidence.scaled,
        table=prepared.table,
        rows=sample(rows, shapley.MAX_ROWS, evidence.seed),
        background=sample(prepared.split.train, shapley.BACKGROUND_ROWS, evidence.seed),
        labels=prepared.target.labels,
        seed=evidence.seed,
    )


def _scorer(evidence: Evidence, truth: Any) -> Callable[[Table], float | None]:
    labels, metric = evidence.prepared.target.labels, SCORE[evidence.task]

    def score(table: Table) -> float | None:
        value: float | None = evaluate(truth, evidence.predict(table), labels).get(metric)
        return value

    return score


def _used(prepared: Prepared, table: Table) -> Table:
    names = [feature.name for feature in prepared.preprocessing.features]
    return Table(table.rows, {name: table.columns[name] for name in names})
