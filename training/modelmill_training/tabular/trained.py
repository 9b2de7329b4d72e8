"""One algorithm trained, evaluated, exported and held against its own graph."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from modelmill.jobs.spec import TrainingSpec
from modelmill.models.manifest import Task
from modelmill.models.signature import Tensor, class_outputs, value_outputs
from modelmill_training import bundle, parity
from modelmill_training.data import Floats, Integers, Table
from modelmill_training.exam import Exam
from modelmill_training.metrics import SCORE, evaluate, score
from modelmill_training.parity import Bound, Outputs, Report
from modelmill_training.progress import Progress
from modelmill_training.split import sample
from modelmill_training.tabular import onnx_export, report
from modelmill_training.tabular.algorithms import Model, Request, builder
from modelmill_training.tabular.fitting import fit
from modelmill_training.tabular.prepare import Prepared

# Metrics of the training part are a by-product: a sample of it is enough.
MAX_TRAIN_ROWS_EVALUATED = 50_000


@dataclass(frozen=True, slots=True)
class Trained:
    """What the manifest tells about a model, and its graph."""

    algorithm: str
    hyperparameters: dict[str, Any]
    graph: bytes
    exam: Exam
    outputs: list[Tensor]
    metrics: dict[str, dict[str, Any]]
    parity: dict[str, Any]
    placement: dict[str, Any]
    reference: dict[str, Any]
    libraries: tuple[str, ...]
    report: dict[str, Any]
    leaderboard: list[dict[str, Any]] | None = field(default=None)
    tuning: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Fitted:
    """A model that is not yet exported."""

    algorithm: str
    hyperparameters: dict[str, Any]
    model: Model
    prepared: Prepared

    @property
    def scaled(self) -> bool:
        """Whether it takes standardised numbers."""
        return builder(self.algorithm).SCALED

    def predict(self, indexes: Integers) -> Floats:
        """Scores of some rows."""
        return self.predict_table(self.prepared.table.take(indexes))

    def predict_table(self, table: Table) -> Floats:
        """Scores of the rows of a table."""
        if table.rows == 0:
            return np.zeros((0, max(1, self.prepared.classes)))
        return self.model.predict(self.prepared.preprocessing.matrix(table, scaled=self.scaled))


def train(
    prepared: Prepared,
    spec: TrainingSpec,
    algorithm: str,
    hyperparameters: dict[str, Any],
    progress: Progress,
    seconds: float | None = None,
) -> Trained:
    """Fit on the training part, evaluate on every part, export, and pass the parity gate.

    Raises:
        TrainingFailure: the model is too large or fails the gate.
    """
    progress.algorithm = algorithm
    progress.report("fit")
    fitted = _fit(prepared, spec, algorithm, hyperparameters, progress, seconds)
    curve = progress.curve
    progress.report("evaluate")
    metrics = _evaluate(fitted, spec.seed)
    progress.report("export")
    labels = prepared.target.labels
    graph = onnx_export.export(prepared.preprocessing, fitted.model, scaled=fitted.scaled, labels=labels)
    bundle.check_size(algorithm, len(graph), spec.max_model_bytes)
    progress.report("parity")
    rows = reference_rows(prepared, spec.seed)
    exam = _exam(fitted, spec.task, rows)
    agreement, placement = exam.check(graph)
    parity.require(agreement)
    progress.report("report")
    return Trained(
        algorithm=algorithm,
        hyperparameters=fitted.hyperparameters,
        graph=graph,
        exam=exam,
        outputs=value_outputs() if labels is None else class_outputs(labels),
        metrics=metrics,
        parity=agreement,
        placement=placement,
        reference=reference(prepared, rows, fitted.predict(rows)),
        libraries=builder(algorithm).LIBRARIES,
        report=report.build(
            report.Evidence(
                task=spec.task,
                algorithm=algorithm,
                prepared=prepared,
                model=fitted.model,
                scaled=fitted.scaled,
                predict=fitted.predict_table,
                metrics=metrics,
                curve=curve,
                seed=spec.seed,
            )
        ),
    )


def _fit(
    prepared: Prepared,
    spec: TrainingSpec,
    algorithm: str,
    hyperparameters: dict[str, Any],
    progress: Progress,
    seconds: float | None,
) -> Fitted:
    module = builder(algorithm)
    split = prepared.split
    request = Request(
        train=prepared.rows(split.train, scaled=module.SCALED),
        validation=prepared.rows(split.validation, scaled=module.SCALED),
        task=spec.task,
        classes=prepared.classes,
        hyperparameters=dict(hyperparameters),
        seed=spec.seed,
        max_bytes=spec.max_model_bytes,
        progress=progress,
        seconds=seconds,
    )
    model = fit(algorithm, request)
    return Fitted(algorithm, request.hyperparameters, model, prepared)


def _evaluate(fitted: Fitted, seed: int) -> dict[str, dict[str, Any]]:
    split = fitted.prepared.split
    parts = {
        "train": sample(split.train, MAX_TRAIN_ROWS_EVALUATED, seed),
        "validation": split.validation,
        "test": split.test,
    }
    target = fitted.prepared.target
    return {name: evaluate(target.values[rows], fitted.predict(rows), target.labels) for name, rows in parts.items()}


def exam_of(
    prepared: Prepared,
    compare: Callable[[Integers, Outputs, Bound], Report],
    reference: Integers,
    score: Callable[[Integers, Outputs], float | None] | None = None,
    metric: str | None = None,
) -> Exam:
    """On held-out rows.

    compare, score: of rows and the graph's outputs for them. reference: the rows of the manifest's `reference`.
    """
    held_out = np.concatenate([prepared.split.test, prepared.split.validation])
    rows = sample(held_out, parity.MAX_ROWS, prepared.split.seed)
    inputs = prepared.preprocessing.inputs(prepared.table.take(rows))

    def compared(outputs: Outputs, bound: Bound) -> Report:
        agreement = compare(rows, outputs, bound)
        for entry in agreement["worst"]:
            entry["row"] = int(prepared.present_rows[rows[entry["row"]]])
        return agreement

    return Exam(
        feeds=lambda: [inputs],
        compare=compared,
        reference=prepared.preprocessing.inputs(prepared.table.take(reference)),
        metric=metric,
        score=lambda outputs: score(rows, outputs) if score else None,
    )


def _exam(fitted: Fitted, task: Task, reference: Integers) -> Exam:
    target = fitted.prepared.target

    def compare(rows: Integers, outputs: Outputs, bound: Bound) -> Report:
        source = fitted.predict(rows)
        if target.labels is None:
            return parity.compare_values(source, outputs, fitted.prepared.deviation, bound)
        return parity.compare_probabilities(source, outputs, target.labels, bound)

    def scored(rows: Integers, outputs: Outputs) -> float | None:
        return score(task, target.values[rows], outputs, target.labels)

    return exam_of(fitted.prepared, compare, reference, scored, SCORE[task])


def reference_rows(prepared: Prepared, seed: int) -> Integers:
    """Training rows which admission holds the graph against."""
    limit = min(bundle.REFERENCE_ROWS, max(1, bundle.REFERENCE_VALUES // len(prepared.preprocessing.features)))
    return sample(prepared.split.train, limit, seed)


def reference(prepared: Prepared, rows: Integers, scores: Any) -> dict[str, Any]:
    """As the manifest has it: the rows as people write them, and their scores [N, scores]."""
    values = bundle.reference_values(prepared.table.take(rows), prepared.preprocessing.features)
    return {"rows": values, "scores": scores.tolist()}
