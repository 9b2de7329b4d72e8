"""One algorithm trained, evaluated, exported and held against its own graph."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from modelmill.jobs.spec import TrainingSpec
from modelmill_training import bundle, parity, session
from modelmill_training.classifier import Labelled, Model, Request, Samples, builder
from modelmill_training.classifier import report as reports
from modelmill_training.data import Floats, Integers
from modelmill_training.exam import Exam
from modelmill_training.metrics import SCORE, evaluate, score
from modelmill_training.onnx_graph import GraphBuilder, write_classes
from modelmill_training.optimization.simplify import serialized
from modelmill_training.parity import Bound, Outputs, Report
from modelmill_training.progress import Progress
from modelmill_training.split import sample

MAX_TRAIN_ITEMS_EVALUATED = 5_000
MAX_PARITY_ITEMS = 1_000
REFERENCE_ITEMS = 50
CHUNK = 32

type Compare = Callable[[Floats, Outputs, Bound], Report]


@dataclass(frozen=True, slots=True)
class Trained:
    """What the manifest tells about a model, and its graph."""

    algorithm: str
    hyperparameters: dict[str, Any]
    model: Model
    graph: bytes
    exam: Exam
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
    """A model of the training part, and the validation part's probabilities."""

    algorithm: str
    request: Request
    model: Model
    validation: Floats


def train(samples: Samples, spec: TrainingSpec, progress: Progress) -> Trained:
    """Fit what the spec asks for, evaluate on every part, export, and pass the parity gate.

    Raises:
        TrainingFailure: the model is too large or fails the gate.
    """
    progress.algorithm = spec.algorithm
    return finish(samples, spec, fit(samples, spec, spec.algorithm, spec.hyperparameters, progress), progress)


def fit(
    samples: Samples,
    spec: TrainingSpec,
    algorithm: str,
    hyperparameters: dict[str, Any],
    progress: Progress,
    seconds: float | None = None,
    report: Callable[[int, float], None] | None = None,
) -> Fitted:
    """Fit on the training part; see `Request`."""
    progress.report("fit")
    request = Request(
        train=_labelled(samples, samples.split.train),
        validation=_labelled(samples, samples.split.validation),
        classes=len(samples.labels),
        hyperparameters=dict(hyperparameters),
        seed=spec.seed,
        progress=progress,
        seconds=seconds,
        base_model=samples.base_model,
        report=report,
    )
    model = builder(samples.kind, algorithm).fit(request)
    return Fitted(algorithm, request, model, model.predict(request.validation.items))


def finish(samples: Samples, spec: TrainingSpec, fitted: Fitted, progress: Progress) -> Trained:
    """All that follows fitting.

    Raises:
        TrainingFailure: the model is too large or fails the gate.
    """
    algorithm, module = fitted.algorithm, builder(samples.kind, fitted.algorithm)
    curve = [step for step in progress.curve if "loss" in step]
    model = module.fit(_on_both_parts(samples, fitted.request)) if module.REFITS else fitted.model
    progress.report("evaluate")
    scores = _scores(samples, model, spec.seed) | {"validation": (samples.split.validation, fitted.validation)}
    metrics = {part: evaluate(samples.target[rows], found, samples.labels) for part, (rows, found) in scores.items()}
    progress.report("export")
    graph = _export(samples, model)
    bundle.check_size(algorithm, len(graph), spec.max_model_bytes)
    progress.report("parity")
    instances, items = reference_items(samples, spec.seed)
    exam = _exam(samples, model, spec, items)
    agreement, placement = exam.check(graph)
    parity.require(agreement)
    progress.report("report")
    return Trained(
        algorithm=algorithm,
        hyperparameters=fitted.request.hyperparameters,
        model=model,
        graph=graph,
        exam=exam,
        metrics=metrics,
        parity=agreement,
        placement=placement,
        reference={"rows": instances, "scores": model.predict(items).tolist()},
        libraries=module.LIBRARIES,
        report=reports.build(spec, algorithm, samples, metrics, curve, scores["test"]),
    )


def _labelled(samples: Samples, rows: Integers) -> Labelled:
    return Labelled(samples.take(rows), samples.target[rows])


def _on_both_parts(samples: Samples, request: Request) -> Request:
    """The same request, its hyper-parameters decided, to learn from the validation part too."""
    rows = np.concatenate([samples.split.train, samples.split.validation])
    return Request(
        train=_labelled(samples, rows),
        validation=_labelled(samples, rows[:0]),
        classes=request.classes,
        hyperparameters=request.hyperparameters,
        seed=request.seed,
        progress=request.progress,
    )


def _scores(samples: Samples, model: Model, seed: int) -> dict[str, tuple[Integers, Floats]]:
    """Rows of the parts that the model is evaluated on, and their probabilities."""
    parts = {"train": sample(samples.split.train, MAX_TRAIN_ITEMS_EVALUATED, seed), "test": samples.split.test}
    return {part: (rows, model.predict(samples.take(rows))) for part, rows in parts.items()}


def _export(samples: Samples, model: Model) -> bytes:
    graph, given = GraphBuilder(), samples.graph_input()
    outputs = write_classes(graph, model.write(graph, given.name), samples.labels)
    return serialized(graph.build([given], outputs))


def _exam(samples: Samples, model: Model, spec: TrainingSpec, reference: Any) -> Exam:
    def compare(source: Floats, outputs: Outputs, bound: Bound) -> Report:
        return parity.compare_probabilities(source, outputs, samples.labels, bound)

    def scored(rows: Integers, outputs: Outputs) -> float | None:
        return score(spec.task, samples.target[rows], outputs, samples.labels)

    return exam_of(samples, model, spec.seed, reference, compare, SCORE[spec.task], scored)


def exam_of(
    samples: Samples,
    model: Model,
    seed: int,
    reference: Any,
    compare: Compare,
    metric: str | None = None,
    scored: Callable[[Integers, Outputs], float | None] = lambda *_: None,
) -> Exam:
    """On held-out items; `reference` are those of the manifest, `scored` gives the metric of the graph's outputs."""
    held_out = np.concatenate([samples.split.test, samples.split.validation])
    rows, name = sample(held_out, MAX_PARITY_ITEMS, seed), samples.graph_input().name
    source = model.predict(samples.take(rows))

    def feeds() -> Iterator[session.Inputs]:
        for start in range(0, len(rows), CHUNK):
            yield {name: samples.feed(model, samples.take(rows[start : start + CHUNK]))}

    def compared(outputs: Outputs, bound: Bound) -> Report:
        agreement = compare(source, outputs, bound)
        for entry in agreement["worst"]:
            entry["row"] = int(samples.present_rows[rows[entry["row"]]])
        return agreement

    return Exam(
        feeds=feeds,
        compare=compared,
        reference={name: samples.feed(model, reference)},
        metric=metric,
        score=lambda outputs: scored(rows, outputs),
    )


def reference_items(samples: Samples, seed: int) -> tuple[list[dict[str, Any]], Any]:
    """The manifest's reference rows, as clients send them, and the items that they are."""
    return samples.reference(sample(samples.split.train, REFERENCE_ITEMS, seed))
